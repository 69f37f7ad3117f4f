"""What of a structure is in the field, and on which pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.params import to_dict
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.cutting import field_of

if TYPE_CHECKING:
    from ase import Atoms


DEEP_ENOUGH = 60.0
"""Thickness, Angstrom, in which every column of a crystal along a low-index direction has an atom."""


def projected_atoms(structure: Atoms, params: SimulationParams) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) in (y, x), Angstrom, and atomic numbers of the atoms in the field, those on top of each other once.

    Parameters
    ----------
    structure : Atoms
    params : SimulationParams
        Which piece of it is seen.

    Returns
    -------
    places : ndarray, shape (N, 2), Angstrom, (y, x)
    numbers : ndarray of int, shape (N,)
    """
    from napari_atomseg.specimens.cutting import cut

    wanted = params.cut
    if wanted.tilt_y == wanted.tilt_x == 0:
        # What lies deeper repeats it, but for vacancies.
        wanted = replace(wanted, thickness=min(wanted.thickness, DEEP_ENOUGH), vacancies=0.0)
    atoms = cut(structure, wanted)
    high = np.diag(atoms.cell.array)[[1, 0]]
    places = atoms.positions[:, [1, 0]]
    inside = np.all((places > -0.5 * params.pixel_size) & (places < high), axis=1)
    keys = np.column_stack([np.round(places[inside], 2), atoms.numbers[inside]])
    _, first = np.unique(keys, axis=0, return_index=True)
    return places[inside][first], atoms.numbers[inside][first]


def field_shape(atoms: Atoms, params: SimulationParams) -> tuple[int, int]:
    """Pixels (Y, X) of the field of view.

    Parameters
    ----------
    atoms : Atoms
        The whole structure.
    params : SimulationParams
    """
    height, width = (max(1, round(size / params.pixel_size)) for size in field_of(atoms, params.cut))
    return height, width


def probe_of(params: SimulationParams) -> Any:
    """The probe of the lens, :class:`~napari_atomseg.optics.probe.ProbeParams`."""
    from napari_atomseg.optics.probe import ProbeParams

    return ProbeParams(**to_dict(params.stem))
