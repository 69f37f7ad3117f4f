"""Disordered alloys: their composition from a text, the lattice constant that they would have, elements put at random."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from ase import Atoms

ATOMS_OF_CUBES = {"fcc": 4, "bcc": 2, "diamond": 8, "sc": 1}
"""Atoms of the cubic cell of a lattice."""


def parse_composition(text: str) -> dict[str, float]:
    """Shares of the elements of an alloy, which sum to 1, from a text such as ``Au`` or ``Pt0.95Mo0.05``.

    Parameters
    ----------
    text : str
        Symbols, each followed by its share or by a number of atoms; without one, by 1.

    Raises
    ------
    AtomsegError
        If it holds no elements, or something else.

    Examples
    --------
    >>> parse_composition("Pt3Mo")
    {'Pt': 0.75, 'Mo': 0.25}
    """
    from ase.data import atomic_numbers

    parts = re.findall(r"([A-Z][a-z]?)\s*(\d*\.?\d*)", text)
    shares: dict[str, float] = {}
    for symbol, amount in parts:
        shares[symbol] = shares.get(symbol, 0.0) + (float(amount) if amount not in ("", ".") else 1.0)
    unread = re.sub(r"[A-Z][a-z]?\s*(\d*\.?\d*)|[\s-]", "", text)
    unknown = [symbol for symbol in shares if atomic_numbers.get(symbol, 0) < 1]
    if not shares or unread or unknown or not sum(shares.values()) > 0:
        raise AtomsegError(f'"{text}" is no composition; write symbols with their shares, such as Au or Pt0.95Mo0.05')
    whole = sum(shares.values())
    return {symbol: amount / whole for symbol, amount in shares.items()}


def alloy_lattice_constant(composition: Mapping[str, float]) -> float:
    """Lattice constant, Å, of the face-centred cubic alloy whose atoms keep the volumes that they have as elements.

    Parameters
    ----------
    composition : mapping
        Shares by symbol, which sum to 1.

    Raises
    ------
    AtomsegError
        If the volume of one of them is not known.
    """
    from ase.data import atomic_numbers, reference_states

    volume = 0.0
    for symbol, share in composition.items():
        state = reference_states[atomic_numbers[symbol]] or {}
        kind = state.get("symmetry")
        if kind in ATOMS_OF_CUBES:
            one = state["a"] ** 3 / ATOMS_OF_CUBES[kind]
        elif kind == "hcp":
            one = math.sqrt(3) / 4 * state["c/a"] * state["a"] ** 3
        else:
            raise AtomsegError(f"the volume of an atom of {symbol} in a metal is not known; give the structure as a file")
        volume += share * one
    return float((4 * volume) ** (1 / 3))


def alloyed(atoms: Atoms, composition: Mapping[str, float], rng: np.random.Generator) -> Atoms:
    """The same places with the elements of an alloy at random, in shares as near as whole atoms can be.

    Parameters
    ----------
    atoms : Atoms
    composition : mapping
        Shares by symbol, which sum to 1.
    rng : Generator
    """
    ends = np.rint(np.cumsum(list(composition.values())) * len(atoms)).astype(int)
    counts = np.diff(np.concatenate([[0], ends]))
    symbols = np.repeat(list(composition), counts)
    found = atoms.copy()
    found.set_chemical_symbols(rng.permutation(symbols).tolist())
    return found
