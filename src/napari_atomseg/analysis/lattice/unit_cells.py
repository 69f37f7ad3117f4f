"""Unit cells one by one: sides and angle from the columns of one sublattice at the corners."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_atomseg.analysis.lattice.indexed import Indexed
from napari_atomseg.analysis.lattice.tilts import Octahedra
from napari_atomseg.core.columns import GRAIN, SITE, TILT, std_of

CELL_COLUMNS = (
    GRAIN, *SITE, "y_px", "x_px", "a_angstrom", "a_angstrom_std", "b_angstrom", "b_angstrom_std",
    "angle_deg", "angle_deg_std", TILT, std_of(TILT), "ratio", "ratio_std",
)  # fmt: skip
"""Header of the table of cells; the ratio is b / a."""


def unit_cells(
    grain: Indexed, number: int, sublattice: int, size: tuple[float, float], octahedra: Octahedra | None = None
) -> pd.DataFrame:
    """One row for each cell whose four corners hold a column.

    Parameters
    ----------
    grain : Indexed
    number : int
        Of the grain.
    sublattice : int
        Row of the motif at the corners.
    size : tuple of float, Angstrom, (y, x)
        Pixel size.
    octahedra : Octahedra, optional
        Of the grain; a cell of several has the tilt of the one on the first of their sublattices.

    Notes
    -----
    Each side is the mean of the two opposite ones. With the opposite sides the errors of the corners are shared, which the
    error of the angle and of the ratio takes into account to first order.
    """
    table, low = grain.table()
    rows = np.flatnonzero(grain.site == min(sublattice, len(grain.motif) - 1))
    steps = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
    corners = table[(grain.site[rows][:, None], *np.moveaxis(grain.indices[rows][:, None] + steps - low, -1, 0))]
    whole = np.all(corners >= 0, axis=1)
    rows, corners = rows[whole], corners[whole]
    places, variance = grain.positions[corners], grain.std[corners] ** 2
    along = np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]])
    a, b = np.einsum("sk,nkc->snc", along, places)
    length_a, length_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    dot, cross = np.sum(a * b, axis=1), a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    angle = np.arctan2(np.abs(cross), dot)
    # Derivatives of each number by each corner's (y, x), through both vectors.
    by_a, by_b = a / length_a[:, None], b / length_b[:, None]
    turned_a, turned_b = (np.stack([-v[:, 1], v[:, 0]], axis=1) / (v**2).sum(axis=1)[:, None] for v in (a, b))
    sign = np.sign(cross)[:, None]
    slopes = {
        "a_angstrom": _through(along, by_a, 0 * by_b),
        "b_angstrom": _through(along, 0 * by_a, by_b),
        "angle_deg": np.degrees(_through(along, -sign * turned_a, sign * turned_b)),
        "ratio": _through(along, -(length_b / length_a**2)[:, None] * by_a, by_b / length_a[:, None]),
    }
    values = {"a_angstrom": length_a, "b_angstrom": length_b, "angle_deg": np.degrees(angle), "ratio": length_b / length_a}
    middle = places.mean(axis=1) / np.asarray(size)
    found: dict[str, object] = {
        "grain": np.full(len(rows), number),
        SITE[0]: grain.indices[rows, 0],
        SITE[1]: grain.indices[rows, 1],
    }
    found |= {"y_px": middle[:, 0], "x_px": middle[:, 1]}
    for name, value in values.items():
        found[name] = value
        found[f"{name}_std"] = np.sqrt(np.sum(slopes[name] ** 2 * variance, axis=(1, 2)))
    return pd.DataFrame(found).merge(_tilts(grain, octahedra), how="left", on=list(SITE))[list(CELL_COLUMNS)]


def _tilts(grain: Indexed, octahedra: Octahedra | None) -> pd.DataFrame:
    """Tilt of the octahedron of each cell that has one."""
    if octahedra is None:
        return pd.DataFrame({**dict.fromkeys(SITE, np.zeros(0, int)), TILT: np.zeros(0), std_of(TILT): np.zeros(0)})
    mine = grain.site[octahedra.rows] == octahedra.centres[0]
    cells = grain.indices[octahedra.rows[mine]]
    return pd.DataFrame(
        {SITE[0]: cells[:, 0], SITE[1]: cells[:, 1], TILT: octahedra.tilt[mine], std_of(TILT): octahedra.std[mine]}
    )


def _through(along: np.ndarray, by_a: np.ndarray, by_b: np.ndarray) -> np.ndarray:
    """Derivatives (N, 4, 2) by the corners, from those by the two sides (N, 2)."""
    return np.asarray(along[0][:, None] * by_a[:, None] + along[1][:, None] * by_b[:, None])
