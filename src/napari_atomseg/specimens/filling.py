"""Atoms of an endless structure in a box; sites that are filled by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.repetition import Repetition
from napari_atomseg.specimens.thermal_motion import THERMAL

if TYPE_CHECKING:
    from ase import Atoms

MOST_ATOMS = 1_000_000
AT_FACE = 1e-4
"""Atoms so near to a face of the piece lie on it, Angstrom."""


def filled(given: Repetition, frame: np.ndarray, box: np.ndarray, shift: np.ndarray, rng: np.random.Generator) -> Atoms:
    """Atoms of the endless structure in a box, Angstrom; rows of the frame are x, y and the beam.

    Parameters
    ----------
    given : Repetition
        A particle stays whole.
    frame : ndarray, shape (3, 3)
    box : ndarray, shape (2 or 3, 2)
        Lowest and highest x and y, and z if the structure ends there.
    shift : ndarray, shape (2,)
        By which it is moved along x and y.
    rng : Generator
        For sites that are filled by chance.
    """
    atoms = given.atoms
    lattice = atoms.cell.array[list(given.repeated)] @ frame.T
    motif = atoms.positions @ frame.T + np.append(shift, 0)
    cells = _cells_in(lattice, motif, box)
    places = ((cells @ lattice)[:, None] + motif).reshape(-1, 3)
    kind = np.tile(np.arange(len(atoms)), len(cells))
    inside = np.ones(len(places), dtype=bool)
    if any(given.repeated):
        sides = places[:, : len(box)]
        inside = np.all((sides >= box[:, 0] - AT_FACE) & (sides < box[:, 1] - AT_FACE), axis=1)
    occupancy = occupancy_of(atoms)
    if not np.allclose(occupancy, 1):
        site = sites_of(motif)
        chance = rng.uniform(size=(len(cells), site.max() + 1))[:, site].ravel()
        low_share, high_share = _shares(occupancy, site)
        inside &= (chance >= low_share[kind]) & (chance < high_share[kind])
    return _atoms(atoms, kind[inside], places[inside])


def _cells_in(lattice: np.ndarray, motif: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Numbers (M, R) of the cells whose atoms may lie in a box, of a lattice of R vectors."""
    if len(lattice) == 0:
        return np.zeros((1, 0))
    inverse = np.linalg.pinv(lattice[:, : len(box)])
    corners = np.stack(np.meshgrid(*box, indexing="ij"), -1).reshape(-1, len(box))
    reach, own = corners @ inverse, motif[:, : len(box)] @ inverse
    low = np.floor(reach.min(axis=0) - own.max(axis=0)).astype(int)
    high = np.ceil(reach.max(axis=0) - own.min(axis=0)).astype(int)
    looked_at = expected = float(np.prod(high - low + 1.0)) * len(motif)
    if len(lattice) == len(box):
        expected = len(motif) * float(np.prod(np.ptp(box, axis=1)) / abs(np.linalg.det(lattice[:, : len(box)])))
    if expected > MOST_ATOMS or looked_at > 50 * MOST_ATOMS:
        raise AtomsegError(
            f"the piece would hold {expected:,.0f} atoms; a smaller field or thickness, up to {MOST_ATOMS:,} atoms, can be made"
        )
    numbers = np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij")
    return np.stack(numbers, -1).reshape(-1, len(lattice))


def _atoms(structure: Atoms, kinds: np.ndarray, places: np.ndarray) -> Atoms:
    """Atoms like those of a structure at other places, with the thermal motion that the structure knows."""
    from ase import Atoms as Structure

    found = Structure(structure.numbers[kinds], positions=places)
    if THERMAL in structure.arrays:
        found.set_array(THERMAL, structure.arrays[THERMAL][kinds])
    return found


def occupancy_of(structure: Atoms) -> np.ndarray:
    """Share of each site that is filled, shape (N,); 1 where the structure does not say."""
    given = structure.arrays.get("occupancy")
    return np.ones(len(structure)) if given is None else np.asarray(given, dtype=float)


def sites_of(places: np.ndarray) -> np.ndarray:
    """Number of the site of each entry: entries at the same place share one."""
    return np.unique(np.round(places, 3), axis=0, return_inverse=True)[1].reshape(-1)


def _shares(occupancy: np.ndarray, site: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part of a chance from 0 to 1 that falls to each entry: those of one site lie side by side."""
    low = np.zeros(len(occupancy))
    filled = np.zeros(site.max() + 1)
    for row, place in enumerate(site):
        low[row] = filled[place]
        filled[place] += occupancy[row]
    return low, low + occupancy
