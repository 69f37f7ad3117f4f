"""Crystals from CIF files: ase reads the blocks and applies the symmetry, but which element and how much of it is told here.

ase takes a capital and a small letter for a symbol, so that NI becomes nitrogen, and hands on unknown occupancies as text.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.elements import Reading, candidates, element_of, elements_of_formula

if TYPE_CHECKING:
    from ase import Atoms

TYPE, LABEL, OCCUPANCY = "_atom_site_type_symbol", "_atom_site_label", "_atom_site_occupancy"
PLACES = tuple(f"_atom_site_{kind}_{axis}" for kind in ("fract", "cartn") for axis in "xyz")
FORMULAS = ("_chemical_formula_sum", "_chemical_formula_structural")
UNKNOWN = ("?", ".")
OVERFULL = 1.001
"""An occupancy up to here is a whole atom that was rounded."""


def read_cif(path: Path) -> tuple[Atoms, tuple[str, ...]]:
    """The crystal of a CIF file, and what had to be assumed.

    Raises
    ------
    AtomsegError
        If an atom names no element, or one that the file's formula excludes, or its occupancy is no share.
    """
    from ase.io.cif import CIFBlock, parse_cif

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ase, about conventions that change no atom
        blocks = [block for block in parse_cif(str(path)) if _sites(block)]
        if not blocks:
            raise AtomsegError("holds no atoms")
        block = blocks[-1]
        formula = formula_elements(block)
        readings = read_symbols(block, formula)
        _refuse_lost(block)
        shares, assumed = read_occupancies(block, _sites(block))
        mended = {**block, TYPE: [reading.element for reading in readings], **({OCCUPANCY: shares} if shares else {})}
        atoms = CIFBlock(block.name, mended).get_atoms()
    notes = [f"holds {len(blocks)} structures, of which the last one is read"] if len(blocks) > 1 else []
    notes += list(dict.fromkeys(reading.note for reading in readings if reading.note))
    notes += _beside_formula({reading.element for reading in readings}, formula)
    return atoms, (*notes, *assumed)


def formula_elements(block: Mapping[str, Any]) -> tuple[str, ...]:
    """Elements of the formula that a block gives; empty where it gives none."""
    found = (elements_of_formula(str(block.get(tag, ""))) for tag in FORMULAS)
    return next((elements for elements in found if elements), ())


def read_symbols(block: Mapping[str, Any], formula: Sequence[str]) -> list[Reading]:
    """The element of every site, from its type symbol, else from its label, as far as the formula agrees.

    Raises
    ------
    AtomsegError
        As for :func:`read_cif`.
    """
    labels = _texts(block, LABEL)
    types = _texts(block, TYPE) or [""] * len(labels)
    labels = labels or [""] * len(types)
    return [_read_symbol(kind, label, formula) for kind, label in zip(types, labels, strict=True)]


def _read_symbol(kind: str, label: str, formula: Sequence[str]) -> Reading:
    symbol = kind or label
    if not symbol or (not kind and symbol.isdecimal()):
        raise AtomsegError(
            f'the element of the atom "{symbol}" is not given; add _atom_site_type_symbol with its symbol, such as Ni'
        )
    reading = element_of(symbol, formula)
    if reading.fits:
        return reading
    if kind and label and set(candidates(label)) & set(formula):
        meant = element_of(label, formula)
        return Reading(element=meant.element, note=f'the atom "{label}" of type "{kind}" is read as {meant.element}')
    if reading.note or not kind:
        raise AtomsegError(
            f'the atom "{symbol}" would be {reading.element}, which is not in the file\'s formula ({" ".join(formula)}); '
            "write its element, such as Ni, as _atom_site_type_symbol, or mend the formula"
        )
    return reading


def read_occupancies(block: Mapping[str, Any], count: int) -> tuple[list[float], list[str]]:
    """Share of every site that is filled, empty if the file does not say, and what was assumed.

    Raises
    ------
    AtomsegError
        If one is no number from 0 to 1.
    """
    if OCCUPANCY not in block:
        return [], []
    names = _texts(block, LABEL) or _texts(block, TYPE)
    shares, unknown = [], []
    for name, text in zip(names, _listed(block[OCCUPANCY]), strict=True):
        if text in UNKNOWN:
            unknown.append(name)
        shares.append(1.0 if text in UNKNOWN else _share(name, text))
    return shares, [f"the occupancy of {', '.join(unknown)} is not known and taken for 1"] if unknown else []


def _refuse_lost(block: Mapping[str, Any]) -> None:
    """An atom whose place is not known belongs nowhere."""
    names = _texts(block, LABEL) or _texts(block, TYPE)
    for tag in PLACES:
        for name, value in zip(names, _listed(block.get(tag, [])), strict=False):
            if not isinstance(value, (int, float)):
                raise AtomsegError(f'the place of {name} is "{value}" ({tag}); give a number, or leave the atom out')


def _share(name: str, text: Any) -> float:
    try:
        share = float(text)
    except (TypeError, ValueError):
        share = float("nan")
    if not 0 <= share <= OVERFULL:
        raise AtomsegError(f'the occupancy of {name} is "{text}"; give a number from 0 to 1')
    return min(share, 1.0)


def _beside_formula(read: set[str], formula: Sequence[str]) -> list[str]:
    """Where the atoms and the formula of a file differ in their elements."""
    if not formula:
        return []
    said = " ".join(formula)
    more, less = sorted(read - set(formula)), [element for element in formula if element not in read]
    notes = [f"{', '.join(more)} is not in the file's formula ({said})"] if more else []
    return notes + ([f"no atom is {' or '.join(less)}, which the file's formula ({said}) names"] if less else [])


def _sites(block: Mapping[str, Any]) -> int:
    """Number of sites of a block that have a place and a name."""
    placed = "_atom_site_fract_x" in block or "_atom_site_cartn_x" in block
    return len(_texts(block, TYPE) or _texts(block, LABEL)) if placed else 0


def _texts(block: Mapping[str, Any], tag: str) -> list[str]:
    """Values of a tag as text, those that are not known empty; nothing if all are."""
    texts = ["" if value in UNKNOWN else str(value).strip("'\"") for value in _listed(block.get(tag, []))]
    return texts if any(texts) else []


def _listed(values: Any) -> list[Any]:
    """A single atom may stand without a loop."""
    return list(values) if isinstance(values, (list, tuple)) else [values]
