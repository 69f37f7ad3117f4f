"""Directions of a crystal along which its periods are shortest."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.specimens.repetition import repetition
from napari_atomseg.specimens.zone_axis import completed, reduced

if TYPE_CHECKING:
    from ase import Atoms


def low_index_zones(structure: Atoms, number: int = 8) -> list[str]:
    """Zone axes with the shortest periods, fit to choose from; those that the lattice parameters cannot tell apart once.

    Of a sheet the axis that crosses it comes first.

    Parameters
    ----------
    structure : Atoms
    number : int
        At most.

    Returns
    -------
    zones : list of str
        Such as ``0,0,1``.
    """
    steps = [np.array([u, v, w]) for u in range(3) for v in range(-2, 3) for w in range(-2, 3)]
    cell = structure.cell.complete().array
    seen: dict[tuple[float, float], tuple[int, int, int]] = {}

    # Of equal directions the one that people write: 0,0,1 and 1,1,0.
    def usual(step: np.ndarray) -> tuple[float, ...]:
        order = step[::-1] if np.count_nonzero(step) == 1 else step
        return (round(float(np.linalg.norm(step @ cell)), 6), float(np.any(step < 0)), *(-order))

    for step in sorted((one for one in steps if gcd(*map(int, one)) == 1), key=usual):
        vectors = completed(step) @ cell
        length = float(np.linalg.norm(vectors[2]))
        across = reduced(np.array([vector - (vector @ vectors[2]) / length**2 * vectors[2] for vector in vectors[:2]]))
        key = (round(length, 2), round(float(np.linalg.norm(across[0])), 2))
        seen.setdefault(key, (int(step[0]), int(step[1]), int(step[2])))
    zones = [",".join(map(str, zone)) for zone in list(seen.values())[:number]]
    repeated = repetition(structure).repeated
    crossing = [",".join(str(int(not goes_on)) for goes_on in repeated)] if sum(repeated) == 2 else []
    return list(dict.fromkeys([*crossing, *zones]))[:number]
