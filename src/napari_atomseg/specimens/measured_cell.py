r"""A lattice of columns as it was measured in an image: basis, sites and intensities, no chemistry.

Fit to draw images that look like the measured one; not to say what the columns are made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.zone_axis import ProjectedCell

BRIGHTEST = 78
"""Atomic number that stands for the most intense site."""
EXPONENT = 1.7
"""Of the atomic number, by which intensities become elements."""
FAINTEST = 0.01
"""Share of the most intense site below which a site is taken for this share: it was seen, so it scatters."""
PERIOD = 4.0
"""Distance along the beam of the atoms of a column, Angstrom; unknown in projection, and usual in inorganic crystals."""
SHORTEST, LONGEST, MOST_SITES = 0.5, 200.0, 500
"""Limits of the basis vectors, Angstrom, and of the number of sites."""


def measured_cell(basis: Any, sites: Any, intensities: Any = None) -> ProjectedCell:
    r"""The cell of a lattice that was measured.

    Parameters
    ----------
    basis : array_like, shape (2, 2), Angstrom
        Lattice vectors, one (y, x) in each row.
    sites : array_like, shape (K, 2)
        In units of the basis.
    intensities : array_like, shape (K,), optional
        Relative ones, above zero; all alike if left out.

    Raises
    ------
    AtomsegError
        If these are no lattice.

    Notes
    -----
    With the share s of the highest intensity, a site holds an element of the number :math:`Z` next to
    :math:`Z_0 s^{1/1.7}`, and so much of it that :math:`n Z^{1.7} = s Z_0^{1.7}` exactly; :math:`Z_0` is 78.
    """
    vectors, places = _array(basis, "basis", (2, 2)), _array(sites, "sites", (-1, 2))
    heights = np.ones(len(places)) if intensities is None else _array(intensities, "intensities", (-1,))
    _check(vectors, places, heights)
    share = np.maximum(heights / heights.max(), FAINTEST)
    numbers = np.maximum(np.rint(BRIGHTEST * share ** (1 / EXPONENT)), 1).astype(int)
    return ProjectedCell(
        basis=vectors,
        sites=np.mod(places, 1.0),
        numbers=numbers,
        occupancy=share * (BRIGHTEST / numbers) ** EXPONENT,
        depth=np.zeros(len(places)),
        period=PERIOD,
    )


def _array(given: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Finite numbers of a shape, in which -1 stands for any length from 1 on."""
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    fits = values.ndim == len(shape) and all(want in (-1, have) for want, have in zip(shape, values.shape, strict=True))
    if not fits or values.size == 0 or not np.isfinite(values).all():
        wanted = " x ".join("K" if side == -1 else str(side) for side in shape)
        raise AtomsegError(f"{name} of a cell is a list of {wanted} numbers, got {given!r}"[:300])
    return values


def _check(basis: np.ndarray, sites: np.ndarray, intensities: np.ndarray) -> None:
    lengths = np.linalg.norm(basis, axis=1)
    if lengths.min() < SHORTEST or lengths.max() > LONGEST:
        raise AtomsegError(
            f"the vectors of a cell are from {SHORTEST:g} to {LONGEST:g} Å long, got {lengths[0]:.3g} and {lengths[1]:.3g} Å"
        )
    if abs(np.linalg.det(basis)) < 0.05 * lengths.prod():
        raise AtomsegError("the two vectors of a cell point along one line; give two that span the plane")
    if len(sites) != len(intensities) or len(sites) > MOST_SITES:
        raise AtomsegError(
            f"a cell has as many intensities as sites, up to {MOST_SITES}; got {len(intensities)} for {len(sites)} sites"
        )
    if intensities.min() < 0 or intensities.max() <= 0:
        raise AtomsegError("intensities of a cell are not below zero, and one of them is above")
