"""Crystals, glasses and points that never were (Lobato et al., npj Comput. Mater. 10, 10 (2024), "Specimen generation")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Angstrom, Quantity

if TYPE_CHECKING:
    from ase import Atoms

ATTEMPTS = 200
AVOGADRO_PER_A3 = 0.6022
"""Atoms per cubic Angstrom for one mole in a cubic centimetre."""
_SYSTEMS = ((2, "triclinic"), (15, "monoclinic"), (74, "orthorhombic"), (142, "tetragonal"), (194, "hexagonal"), (230, "cubic"))


@dataclass(frozen=True, kw_only=True)
class RandomCrystalParams:
    """A random crystal.

    Attributes
    ----------
    space_group : int
        International number.
    numbers : tuple of int
        Atomic numbers of the asymmetric unit, up to 16; what does not fit any more is left out.
    lengths : tuple of float
        Lengths a, b, c in Angstrom, as far as the space group leaves them free.
    angles : tuple of float
        Angles alpha, beta, gamma in degrees, as far as the space group leaves them free.
    least_distance : float
        Of any two atoms.
    """

    space_group: Annotated[int, Quantity(low=1, high=230)] = 225
    numbers: tuple = (14,)
    lengths: tuple = (5.0, 5.0, 5.0)
    angles: tuple = (90.0, 90.0, 90.0)
    least_distance: Angstrom = 1.6

    def __post_init__(self) -> None:
        check(self)


def random_crystal(params: RandomCrystalParams, rng: np.random.Generator, attempts: int = ATTEMPTS) -> Atoms:
    """Unit cell with the symmetry of a space group and atoms at random places that keep their distance.

    Atoms in general positions fill a cell of high symmetry at once; so special positions are tried as well, by moving a
    place onto its own images.

    Raises
    ------
    AtomsegError
        If not even the first atom fits in so many attempts, 200 unless said.
    """
    from ase import Atoms

    cell = _cell(params)
    rotations, shifts = _operations(params.space_group)
    placed, numbers = np.zeros((0, 3)), []
    for number in params.numbers[:16]:
        for _ in range(attempts):
            orbit = _orbit(rng.uniform(0, 1, 3), rotations, shifts, cell, params.least_distance)
            if orbit is not None and _keeps_distance(orbit, placed, cell, params.least_distance):
                placed = np.concatenate([placed, orbit])
                numbers += [int(number)] * len(orbit)
                break
        else:
            if not numbers:
                lengths = " x ".join(f"{length:g}" for length in np.linalg.norm(cell, axis=1))
                raise AtomsegError(
                    f"no atom fits into a cell of {lengths} Å with space group {params.space_group} at least "
                    f"{params.least_distance:g} Å from its images; make the cell larger or the distance smaller"
                )
    return Atoms(numbers=numbers, scaled_positions=placed, cell=cell, pbc=True)


def amorphous(
    number: int, density: float, box: tuple[float, float, float], least_distance: Angstrom, rng: np.random.Generator
) -> np.ndarray:
    """Atoms at random places (N, 3), Angstrom, (x, y, z), that keep their distance, in a box with periodic sides.

    Parameters
    ----------
    number : int
        Atomic number.
    density : float, g/cm3
    box : tuple of float, Angstrom
        (x, y, z).
    least_distance : float, Angstrom

    Raises
    ------
    AtomsegError
        If so many spheres of that diameter can only be packed in order (more than 38 % of the volume).
    """
    from ase.data import atomic_masses

    extent = np.array(box, dtype=float)
    wanted = round(density / float(atomic_masses[number]) * AVOGADRO_PER_A3 * float(np.prod(extent)))
    filled = wanted * np.pi / 6 * least_distance**3 / float(np.prod(extent))
    if filled > 0.38:
        raise AtomsegError(
            f"{density:g} g/cm3 of element {number} with atoms {least_distance:g} Å apart would fill {100 * filled:.0f} % of the "
            "volume, and random places stop at 38 %; lower the density or the distance"
        )
    placed = np.zeros((0, 3))
    for _ in range(400):
        missing = wanted - len(placed)
        if missing <= 0:
            break
        new = rng.uniform(0, 1, (min(2 * missing + 20, 200_000), 3)) * extent
        if len(placed):
            new = new[cKDTree(placed, boxsize=extent).query(new, distance_upper_bound=least_distance)[0] >= least_distance]
        keep = np.ones(len(new), bool)
        if len(new):
            for first, second in sorted(cKDTree(new, boxsize=extent).query_pairs(least_distance)):
                if keep[first] and keep[second]:
                    keep[second] = False
        placed = np.concatenate([placed, new[keep][:missing]])
    return placed


@lru_cache(maxsize=230)
def _operations(space_group: int) -> tuple[np.ndarray, np.ndarray]:
    from ase.spacegroup import Spacegroup

    operations = Spacegroup(space_group).get_symop()
    return np.array([rotation for rotation, _ in operations], dtype=float), np.array([shift for _, shift in operations])


def _cell(params: RandomCrystalParams) -> np.ndarray:
    """Cell (3, 3) with as many equal lengths and right angles as the crystal system asks for."""
    from ase.geometry import cellpar_to_cell

    (a, b, c), (alpha, beta, gamma) = params.lengths, params.angles
    system = next(name for last, name in _SYSTEMS if params.space_group <= last)
    given = {
        "triclinic": (a, b, c, alpha, beta, gamma),
        "monoclinic": (a, b, c, 90, beta, 90),
        "orthorhombic": (a, b, c, 90, 90, 90),
        "tetragonal": (a, a, c, 90, 90, 90),
        "hexagonal": (a, a, c, 90, 90, 120),
        "cubic": (a, a, a, 90, 90, 90),
    }[system]
    cosines = np.cos(np.deg2rad(given[3:]))
    # The squared volume of a cell with sides of 1.
    if 1 - np.sum(cosines**2) + 2 * np.prod(cosines) < 0.01:
        raise AtomsegError(f"angles of {alpha:g}, {beta:g}, {gamma:g} degrees do not close a cell; choose others")
    return np.asarray(cellpar_to_cell(given), dtype=float)


def _orbit(place: np.ndarray, rotations: np.ndarray, shifts: np.ndarray, cell: np.ndarray, least: float) -> np.ndarray | None:
    """All images (N, 3) of a place, merged with those too near to it; None if that does not come to rest."""
    for _ in range(8):
        images = np.mod(rotations @ place + shifts, 1.0)
        apart = images - place
        apart -= np.round(apart)
        near = np.linalg.norm(apart @ cell, axis=1) < least
        centre = np.mod(place + apart[near].mean(axis=0), 1.0)
        moved = centre - place
        moved -= np.round(moved)
        if np.linalg.norm(moved @ cell) < 1e-6:
            distinct = _distinct(images, cell)
            return distinct if _keeps_distance(distinct, np.zeros((0, 3)), cell, least) else None
        place = centre
    return None


def _distinct(places: np.ndarray, cell: np.ndarray) -> np.ndarray:
    kept: list[np.ndarray] = []
    for place in places:
        apart = np.array(kept).reshape(-1, 3) - place
        apart -= np.round(apart)
        if not np.any(np.linalg.norm(apart @ cell, axis=1) < 0.01):
            kept.append(place)
    return np.array(kept)


def _keeps_distance(new: np.ndarray, old: np.ndarray, cell: np.ndarray, least: float) -> bool:
    """True if no two places, of which one is new, are too near; images of all neighbouring cells included."""
    steps = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    images = ((np.concatenate([new, old]) + steps) @ cell).reshape(-1, 3)
    distance = cKDTree(images).query(new @ cell, k=2)[0][:, 1]
    return bool(np.all(distance >= least))
