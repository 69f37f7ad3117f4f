"""Structures in xyz and POSCAR files, whose symbols are put as ase expects them before it reads the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.elements import candidates, element_of

if TYPE_CHECKING:
    from ase import Atoms

_POTENTIAL = re.compile(r"[_/].*")
"""What follows the symbol in the name of a VASP potential, such as Ni_pv."""
_REMARK = re.compile(r"[!#].*")


def read_xyz(text: str) -> tuple[Atoms, tuple[str, ...]]:
    """The last structure of a plain or extended xyz file, and how its symbols were read."""
    return _read(text, "extxyz", _xyz_in_order)


def read_poscar(text: str) -> tuple[Atoms, tuple[str, ...]]:
    """The crystal of a POSCAR file, and how its symbols were read."""
    return _read(text, "vasp", _poscar_in_order)


def _read(text: str, format: str, in_order: Callable[[list[str], dict[str, str]], list[str]]) -> tuple[Atoms, tuple[str, ...]]:
    from ase.io import read

    notes: dict[str, str] = {}
    lines = in_order(text.splitlines(), notes)
    atoms = read(StringIO("\n".join(lines) + "\n"), format=format)
    return atoms, tuple(note for note in notes.values() if note)


def _symbol(text: str, notes: dict[str, str]) -> str:
    reading = element_of(text)
    notes[text] = reading.note
    return reading.element


def _xyz_in_order(lines: list[str], notes: dict[str, str]) -> list[str]:
    """The lines of all frames, as far as they are written as frames; what is not, ase complains of."""
    found, at = list(lines), 0
    while at < len(lines) and lines[at].strip().isdecimal():
        head = lines[at + 1] if at + 1 < len(lines) else ""
        last = min(at + 2 + int(lines[at]), len(lines))
        # Elsewhere than in the first column there may be anything.
        if "properties=" not in head.lower() or "properties=species:s:1" in head.lower().replace('"', ""):
            for row in range(at + 2, last):
                found[row] = _with_symbol(lines[row], notes)
        at = last
    return found


def _with_symbol(line: str, notes: dict[str, str]) -> str:
    parts = line.split(None, 1)
    return " ".join([_symbol(parts[0], notes), *parts[1:]]) if parts else line


def _poscar_in_order(lines: list[str], notes: dict[str, str]) -> list[str]:
    """The line of symbols, the sixth or in old files the first, with symbols that are elements."""
    if len(lines) < 6:
        raise AtomsegError("ends before its atoms; check the file")
    names = [_POTENTIAL.sub("", word) for word in _REMARK.sub("", lines[5]).split()]
    if names and not names[0].isdecimal():
        return [*lines[:5], " ".join(_symbol(name, notes) for name in names), *lines[6:]]
    title = [_POTENTIAL.sub("", word) for word in lines[0].split()][: len(names)]
    if len(title) == len(names) and all(candidates(word) for word in title):
        return [" ".join(_symbol(word, notes) for word in title), *lines[1:]]
    raise AtomsegError(
        f"names no elements for its {len(names)} kinds of atoms; write their symbols into a line before that of their numbers"
    )
