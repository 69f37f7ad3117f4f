r"""Projected columns of three well-known specimens, for the samples that the plugin draws itself.

A column scatters to high angles as :math:`\sum_i Z_i^{1.7}` of its atoms (Pennycook, Annu. Rev. Mater. Sci. 22 (1992) 171,
and Hartel, Rose and Dinges, Ultramicroscopy 63 (1996) 93, for the exponent below Rutherford's 2). Channelling, and with it
any departure from proportionality to the number of atoms, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import ATOM_COUNT, ELEMENT, OCCUPANCY, SUBLATTICE
from napari_atomseg.core.quantities import Angstrom

Z_EXPONENT = 1.7

_SR, _TI, _O, _SI, _PT, _C = 38, 22, 8, 14, 78, 6
_STO_CELL, _SI_CELL, _PT_CELL = 3.905, 5.431, 3.924
_CARBON_PER_A3 = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Columns in projection, and what lies behind them.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), Angstrom, (y, x)
        From the corner of the field of view.
    scattering : ndarray, shape (N,)
        Scattering power of each column, in units of hydrogen's.
    table : DataFrame, N rows
        What is known of each column: element, sublattice, atom_count, occupancy.
    support : ndarray, shape (M, 2), Angstrom, (y, x)
        Single light atoms in no order, such as those of a carbon film.
    support_scattering : float
        Scattering power of one of them.
    """

    positions: np.ndarray
    scattering: np.ndarray
    table: pd.DataFrame
    support: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    support_scattering: float = 0.0


def scattering_power(number: int) -> float:
    """Scattering of one atom to high angles, :math:`Z^{1.7}`."""
    return float(number**Z_EXPONENT)


def perovskite(field_of_view: Angstrom, rng: np.random.Generator) -> Scene:
    """SrTiO3 along [001]: Sr columns, Ti-O columns half a cell away, some Sr columns with vacancies, a slight wedge.

    Columns of oxygen alone are left out: they scatter 14 times less than those of Sr.

    Parameters
    ----------
    field_of_view : float, Angstrom
        Along y and x.
    rng : Generator
    """
    basis = {"A": (0.0, 0.0), "B": (0.5, 0.5)}
    positions, names = _lattice((_STO_CELL, _STO_CELL), basis, field_of_view, np.deg2rad(4.0))
    is_a = names == "A"
    count = np.rint(48 * (1 + 0.25 * (positions[:, 1] - 0.4 * positions[:, 0]) / field_of_view)).astype(int)
    occupancy = np.where(is_a & (rng.random(len(names)) < 0.03), rng.uniform(0.35, 0.7, len(names)), 1.0)
    power = np.where(is_a, scattering_power(_SR), scattering_power(_TI) + scattering_power(_O))
    table = {ELEMENT: np.where(is_a, "Sr", "Ti"), SUBLATTICE: names, ATOM_COUNT: np.rint(count * occupancy).astype(int)}
    return Scene(
        positions=positions,
        scattering=power * count * occupancy,
        table=pd.DataFrame({**table, OCCUPANCY: occupancy}),
    )


def dumbbells(field_of_view: Angstrom, rng: np.random.Generator) -> Scene:
    """Silicon along [110]: pairs of columns a quarter of the cell, 1.36 Angstrom, apart.

    Parameters
    ----------
    field_of_view : float, Angstrom
        Along y and x.
    rng : Generator
    """
    basis = {"A": (-0.125, 0.0), "B": (0.125, 0.0), "C": (0.375, 0.5), "D": (0.625, 0.5)}
    positions, names = _lattice((_SI_CELL, _SI_CELL / np.sqrt(2)), basis, field_of_view, np.deg2rad(62.0))
    count = rng.binomial(40, 0.995, len(names))
    sublattice = np.where(np.isin(names, ("A", "C")), "A", "B")
    table = pd.DataFrame({ELEMENT: "Si", SUBLATTICE: sublattice, ATOM_COUNT: count, OCCUPANCY: count / 40})
    return Scene(positions=positions, scattering=scattering_power(_SI) * count, table=table)


def nanoparticle(field_of_view: Angstrom, rng: np.random.Generator) -> Scene:
    """Platinum particle along [110], cut by {111} and {100} facets, at the edge of an amorphous carbon film.

    Each column holds the atoms that the facets leave it: five at the rim, some twenty in the middle.

    Parameters
    ----------
    field_of_view : float, Angstrom
        Along y and x.
    rng : Generator
    """
    atoms = _truncated_octahedron(_PT_CELL, to_111=23.0, to_100=25.5)
    y = atoms[:, 2]
    x = (atoms[:, 0] - atoms[:, 1]) / np.sqrt(2)
    sites, count = np.unique(np.round(np.column_stack([y, x]), 3), axis=0, return_counts=True)
    centre = field_of_view * np.array([0.47, 0.48])
    positions = sites @ _rotation(np.deg2rad(17.0)) + centre
    table = pd.DataFrame({ELEMENT: "Pt", SUBLATTICE: "A", ATOM_COUNT: count, OCCUPANCY: 1.0})
    return Scene(
        positions=positions,
        scattering=scattering_power(_PT) * count,
        table=table,
        support=_carbon_film(field_of_view, 250.0, rng),
        support_scattering=scattering_power(_C),
    )


def _lattice(
    cell: tuple[Angstrom, Angstrom], basis: dict[str, tuple[float, float]], field_of_view: Angstrom, angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (y, x) of a turned rectangular lattice over the whole field, one cell beyond it, and their names."""
    reach = int(np.ceil(field_of_view / min(cell))) + 2
    cells = np.stack(np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach), indexing="ij"), -1).reshape(-1, 2)
    sites = np.concatenate([(cells + np.array(place)) * cell for place in basis.values()])
    names = np.repeat(list(basis), len(cells))
    positions = sites @ _rotation(angle) + field_of_view / 2
    inside = np.all((positions > -max(cell)) & (positions < field_of_view + max(cell)), axis=1)
    return positions[inside], names[inside]


def _rotation(angle: float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def _truncated_octahedron(cell: Angstrom, to_111: Angstrom, to_100: Angstrom) -> np.ndarray:
    """Atoms of a face-centred cubic crystal within facets at the given distances from the centre, shape (N, 3)."""
    reach = int(np.ceil(to_100 / cell)) + 1
    corners = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    faces = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    atoms = cell * (corners[:, None] + faces).reshape(-1, 3)
    inside = (np.abs(atoms).sum(axis=1) / np.sqrt(3) <= to_111) & (np.abs(atoms).max(axis=1) <= to_100)
    return atoms[inside]


def _carbon_film(field_of_view: Angstrom, thickness: Angstrom, rng: np.random.Generator) -> np.ndarray:
    """Atoms of a film that ends in a wavy line across the field, thinner towards it, shape (M, 2), (y, x)."""
    count = rng.poisson(_CARBON_PER_A3 * thickness * field_of_view**2)
    y, x = rng.uniform(0, field_of_view, (2, count))
    u = x / field_of_view
    edge = field_of_view * (0.55 + 0.12 * u + 0.02 * np.sin(9 * u + 1) + 0.008 * np.sin(31 * u))
    depth = np.clip((y - edge) / (0.12 * field_of_view), 0, 1)
    return np.column_stack([y, x])[rng.random(count) < np.sqrt(depth)]
