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
AT_ONCE = 8
"""Places that are tried together."""
STEPS_TO_REST = 8
NEIGHBOURS = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
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

    Parameters
    ----------
    params : RandomCrystalParams
    rng : Generator
    attempts : int
        Before it is given up.

    Raises
    ------
    AtomsegError
        If not even the first atom fits in so many attempts, 200 unless said.
    """
    from ase import Atoms

    cell = _cell(params)
    placed, numbers = np.zeros((0, 3)), []
    for number in params.numbers[:16]:
        orbit = _room(params, placed, cell, rng, attempts)
        if orbit is not None:
            placed = np.concatenate([placed, orbit])
            numbers += [int(number)] * len(orbit)
        elif not numbers:
            lengths = " x ".join(f"{length:g}" for length in np.linalg.norm(cell, axis=1))
            raise AtomsegError(
                f"no atom fits into a cell of {lengths} Å with space group {params.space_group} at least "
                f"{params.least_distance:g} Å from its images; make the cell larger or the distance smaller"
            )
    return Atoms(numbers=numbers, scaled_positions=placed, cell=cell, pbc=True)


def _room(
    params: RandomCrystalParams, placed: np.ndarray, cell: np.ndarray, rng: np.random.Generator, attempts: int
) -> np.ndarray | None:
    """Images (N, 3) of the first of so many random places that has room among those that are taken; None if none has."""
    rotations, shifts = _operations(params.space_group)
    for start in range(0, attempts, AT_ONCE):
        tried = rng.uniform(0, 1, (min(AT_ONCE, attempts - start), 3))
        for place in _at_rest(tried, rotations, shifts, cell, params.least_distance):
            # One place is enough: what surrounds its images is the same, turned by the operations that make them of it.
            if np.any(_distances(place, placed, cell) < params.least_distance):
                continue
            images = np.mod(rotations @ place + shifts, 1.0)
            own = _distances(place, images, cell)
            if np.all((own >= params.least_distance) | (own < 0.01)):
                return _distinct(images)
    return None


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


def _at_rest(places: np.ndarray, rotations: np.ndarray, shifts: np.ndarray, cell: np.ndarray, least: float) -> np.ndarray:
    """Places (K, 3) moved onto the middle of those of their images that are too near; without those that find no rest."""
    for _ in range(STEPS_TO_REST):
        apart = np.mod(places @ rotations.transpose(0, 2, 1) + shifts[:, None], 1.0) - places
        apart -= np.round(apart)
        near = np.linalg.norm(apart @ cell, axis=2) < least
        moved = (apart * near[..., None]).sum(axis=0) / near.sum(axis=0)[:, None]
        places = np.mod(places + moved, 1.0)
    return places[np.linalg.norm(moved @ cell, axis=1) < 1e-6]


def _distinct(images: np.ndarray) -> np.ndarray:
    """Places (N, 3) of which many are the same, each once."""
    apart = images[:, None] - images
    apart -= np.round(apart)
    same = np.all(np.abs(apart) < 1e-4, axis=2)
    return images[np.argmax(same, axis=1) == np.arange(len(images))]


def _distances(place: np.ndarray, others: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Of a place from other atoms and their images in all neighbouring cells, shape (N, 27), Angstrom."""
    apart = others - place
    apart -= np.round(apart)
    return np.asarray(np.linalg.norm((apart[:, None] + NEIGHBOURS) @ cell, axis=2))
