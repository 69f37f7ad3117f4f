"""Elements from the symbols and labels that files name their atoms by: ``NI``, ``Ti4+``, ``Sr1``, ``D``, ``28``.

The same letters can mean two things: CO1 is cobalt, or the first carbon of a carbonyl. Whoever knows the formula of the file
says which elements there are, and the reading that they allow is taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from napari_atomseg.core.errors import AtomsegError

_SAME_TO_ELECTRONS = {"D": "H"}
"""Isotopes with a symbol of their own scatter as their element does."""
_WATER = "wat"
"""Label of the oxygen of a water molecule, which is not tungsten."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a symbol or label was taken for.

    Attributes
    ----------
    element : str
        Its symbol as it should be written.
    note : str
        How it was meant, where the text alone does not say it; else empty.
    fits : bool
        Whether it is one of the elements that there should be.
    """

    element: str
    note: str = ""
    fits: bool = True


def element_of(text: str, known: Collection[str] = ()) -> Reading:
    """The element that a symbol or label stands for.

    Parameters
    ----------
    text : str
        A symbol, with or without charge or number, in any mixture of capitals; or an atomic number.
    known : collection of str
        Elements that there are, such as those of the file's formula; empty where that is not known.

    Raises
    ------
    AtomsegError
        If it stands for none.
    """
    meant = candidates(text)
    if not meant:
        raise AtomsegError(f'the atom "{text}" names no element; write its symbol, such as Ni')
    allowed = [element for element in meant if element in known] or list(meant)
    element = allowed[0]
    return Reading(element=element, note=_note(text, element), fits=not known or element in known)


def candidates(text: str) -> tuple[str, ...]:
    """Elements that a symbol or label may stand for, the likeliest first."""
    from ase.data import chemical_symbols

    if text.strip().isdecimal():
        number = int(text)
        return (chemical_symbols[number],) if 0 < number < len(chemical_symbols) else ()
    match = re.search(r"[A-Za-z]+", text)
    if match is None:
        return ()
    letters = match[0]
    if letters[:3].lower() == _WATER:
        return ("O",)
    # Of a symbol that is written as it should be, both letters count; of one in capitals the second may be a label.
    written = letters[:2] == letters[:2].capitalize() and len(letters) > 1
    found = [one for one in (letters[:2].capitalize(), letters[0].upper()) if _exists(one)]
    return tuple(dict.fromkeys(_SAME_TO_ELECTRONS.get(one, one) for one in (found[:1] if written else found)))


def elements_of_formula(text: str) -> tuple[str, ...]:
    """Elements of a chemical formula such as ``Ni O`` or ``SrTiO3``, in its order; empty if it cannot be read."""
    parts = re.sub(r"[^A-Za-z0-9.]", " ", text).split()
    if len(parts) == 1:
        word = parts[0]
        if word == word.upper() and len(re.findall("[A-Z]", word)) > 1:
            return ()  # NIO can be divided in more than one way
        parts = re.findall(r"[A-Z][a-z]?[\d.]*", word)
    found = [_element_of_part(part) for part in parts]
    return tuple(dict.fromkeys(found)) if all(found) else ()


def _element_of_part(part: str) -> str:
    """The element of one part of a formula, or nothing."""
    match = re.fullmatch(r"([A-Za-z]{1,2})[\d.]*", part)
    if match is None or not _exists(match[1].capitalize()):
        return ""
    symbol = match[1].capitalize()
    return _SAME_TO_ELECTRONS.get(symbol, symbol)


def _exists(symbol: str) -> bool:
    from ase.data import atomic_numbers

    return symbol in _SAME_TO_ELECTRONS or (symbol in atomic_numbers and atomic_numbers[symbol] > 0)


def _note(text: str, element: str) -> str:
    """How a text was read, unless it begins with the symbol and no lower-case letter follows."""
    rest = text[len(element) :]
    if text.strip().isdecimal() or (text.startswith(element) and not rest[:1].isalpha()):
        return ""
    return f'"{text}" is read as {element}'
