"""Cross-sections of columns of 1, 2, 3 ... atoms, from simulated images of a crystal that grows along the beam.

The image of a whole period, averaged, is what a column scatters on its area of the crystal: with n(V) atoms in a volume and one
atom each distance d along a column, a column has the area 1 / (n(V) d), whatever its shape. No fit is needed, and the tails
of the probe are all inside.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, as_part, job
from napari_atomseg.simulation.engine import simulate
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.direction import parse_zone_axis
from napari_atomseg.specimens.orientation import lattice_across
from napari_atomseg.specimens.structure_file import read_structure
from napari_atomseg.specimens.zone_axis import projected_cell

if TYPE_CHECKING:
    from ase import Atoms

SAME = 1e-3
"""Relative difference up to which columns have as many atoms."""


@job
def cross_section_library(
    structure: Atoms | str | Path,
    params: SimulationParams | None = None,
    *,
    atoms: int = 10,
    atom_distance: float | None = None,
) -> Generator[Progress, None, np.ndarray]:
    """Simulate the cross-sections of columns of 1 to `atoms` atoms.

    Parameters
    ----------
    structure : Atoms, str or Path
        A crystal of one element.
    params : SimulationParams, optional
        Lens, detector and method; the piece, its thickness and its field are chosen here.
    atoms : int
        Of the thickest column.
    atom_distance : float, optional, Angstrom
        Of two atoms of a column along the beam; by default the crystal's.

    Returns
    -------
    ndarray, shape (atoms,)
        Angstrom squared of the beam.

    Raises
    ------
    AtomsegError
        If the crystal has several elements, ends, has no period of right angles across the beam, or columns of several kinds
        and no distance was given.
    """
    crystal = read_structure(structure) if isinstance(structure, (str, Path)) else structure
    params = params or SimulationParams(method="multislice")
    if len(set(crystal.get_chemical_symbols())) > 1 or not crystal.pbc.all():
        raise AtomsegError("a library is simulated for a crystal of one element; of others, give a table of cross-sections")
    zone = parse_zone_axis(params.cut.zone_axis)
    apart = atom_distance if atom_distance is not None else distance_along(crystal, zone)
    vectors, rectangular = lattice_across(crystal.cell.array, zone)
    if not rectangular:
        raise AtomsegError("across this zone axis the crystal has no period of right angles; choose another zone axis")
    period = np.abs(vectors).max(axis=0)
    across = np.ceil(np.maximum(1.0, 6.0 / period)) * period
    density = len(crystal) / crystal.get_volume()
    found = np.zeros(atoms)
    for number in range(1, atoms + 1):
        # A little less, so that rounding does not add atoms of the next layer.
        cut = replace(params.cut, thickness=(number - 0.02) * apart, width_x=float(across[0]), width_y=float(across[1]))
        pixel = float(across.min() / max(8, round(across.min() / params.pixel_size)))
        part = simulate.steps(crystal, replace(params, cut=cut, pixel_size=pixel))
        image = yield from as_part(part, (number - 1) / atoms, number / atoms, f"column of {number}")
        found[number - 1] = _mean_of_period(image.data, across / pixel) / (density * apart)
    return found


def distance_along(crystal: Atoms, zone: tuple[int, int, int]) -> float:
    """Mean distance of the atoms of a column along the beam, Angstrom.

    Parameters
    ----------
    crystal : Atoms
    zone : tuple of int
        Direction of the beam.

    Raises
    ------
    AtomsegError
        If its columns differ.
    """
    cell = projected_cell(crystal, zone)
    if np.ptp(cell.occupancy) > SAME * cell.occupancy.mean():
        raise AtomsegError(
            "along this zone axis columns differ in their number of atoms; give the distance of the atoms along the beam"
        )
    return float(cell.period / cell.occupancy.mean())


def _mean_of_period(image: np.ndarray, pixels: np.ndarray) -> float:
    """Mean of an image (Y, X) over a period of (x, y) px, parts of pixels at the end counted as such."""
    shares = []
    for side, period in zip(image.shape, pixels[::-1], strict=True):
        share = np.clip(period - np.arange(side), 0, 1)
        shares.append(share)
    weight = np.outer(*shares)
    return float(np.sum(weight * image) / weight.sum())
