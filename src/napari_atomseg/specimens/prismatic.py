"""Structures as Prismatic and computem write them: xyz files with atomic numbers, occupancies and thermal motion.

A comment, the sides of a right-angled cell in Angstrom, a row for each atom (atomic number, x, y, z in Angstrom, occupancy, rms
displacement along one axis in Angstrom), and -1 at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.elements import candidates

if TYPE_CHECKING:
    from ase import Atoms

COLUMNS = "atomic number, x, y, z, occupancy and thermal displacement"
WIDEST_MOTION = 2.0
"""Rms displacement that an atom of a solid never has, Angstrom."""


def is_prismatic(text: str) -> bool:
    """Whether an xyz file is one of Prismatic's: the cell in its second line, and rows that begin with an atomic number."""
    lines = text.splitlines()
    if len(lines) < 3 or _numbers(lines[1]) is None or len(lines[1].split()) != 3:
        return False
    first = _numbers(lines[2])
    return first is not None and (len(first) >= 5 or first == [-1.0])


def read_prismatic(text: str) -> tuple[Atoms, tuple[str, ...]]:
    """The structure, with the arrays ``occupancy`` and ``thermal`` (Angstrom), and what should be known of it.

    Raises
    ------
    AtomsegError
        If a row is not what it should be; it is named by its number in the file.
    """
    from ase import Atoms as Structure

    lines = text.splitlines()
    rows, ended = [], False
    for number, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        if line.split()[0] == "-1":
            ended = True
            break
        rows.append(_row(number, line))
    if not rows:
        raise AtomsegError("holds no atoms")
    table = np.array(rows)
    atoms = Structure(table[:, 0].astype(int), positions=table[:, 1:4], cell=_numbers(lines[1]), pbc=True)
    atoms.set_array("occupancy", table[:, 4])
    notes = [] if ended else ["does not end with -1, so that atoms may be missing"]
    if table[:, 5].any():
        atoms.set_array("thermal", table[:, 5])
        low, high = table[:, 5].min(), table[:, 5].max()
        spread = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        notes.append(f"thermal displacements of {spread} Å are those of the file")
    return atoms, tuple(notes)


def _row(number: int, line: str) -> list[float]:
    values = _numbers(line)
    if values is None or len(values) != 6:
        raise AtomsegError(f'line {number} is "{line.strip()[:60]}"; six numbers were expected: {COLUMNS}')
    if not values[0].is_integer() or not candidates(str(int(values[0]))):
        raise AtomsegError(f"line {number} begins with {values[0]:g}, which is no atomic number; give one, such as 28 for Ni")
    if not 0 <= values[4] <= 1 or not 0 <= values[5] <= WIDEST_MOTION:
        raise AtomsegError(
            f"line {number} has the occupancy {values[4]:g} and the thermal displacement {values[5]:g} Å; "
            f"shares from 0 to 1 and displacements from 0 to {WIDEST_MOTION:g} Å were expected"
        )
    return values


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        return None
