"""Directions [uvw] of a crystal: from a text, and those along which its periods are shortest."""

from __future__ import annotations

import re
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.repetition import repetition
from napari_atomseg.specimens.zone_axis import completed, reduced

if TYPE_CHECKING:
    from ase import Atoms


def parse_zone_axis(text: str) -> tuple[int, int, int]:
    """Direction [uvw] from a text: ``1,1,0``, ``[1 -1 0]``, ``110`` or ``1-10``.

    Raises
    ------
    AtomsegError
        If there are not three whole numbers, or all are zero.

    Examples
    --------
    >>> parse_zone_axis("[1 -1 0]"), parse_zone_axis("1-10")
    ((1, -1, 0), (1, -1, 0))
    """
    inside = text.strip().strip("[]<>()")
    numbers = re.findall(r"[-+]?\d+", inside) if re.search(r"[\s,;]", inside) else re.findall(r"[-+]?\d", inside)
    if len(numbers) != 3 or re.sub(r"[-+\d\s,;]", "", inside):
        raise AtomsegError(f'"{text}" is no zone axis: write three whole numbers, such as 1,1,0 or 1,-1,0')
    u, v, w = (int(number) for number in numbers)
    if u == v == w == 0:
        raise AtomsegError("the zone axis is [0 0 0]; give a direction of the crystal, such as 1,1,0")
    return u, v, w


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
