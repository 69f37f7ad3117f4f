"""Face-centred cubic metals and the side of their cell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from napari_atomseg.core.errors import AtomsegError

NO_METALS = ("Ne", "Ar", "Kr", "Xe", "Rn")
"""Elements whose crystals are fcc, too."""


@lru_cache(maxsize=1)
def fcc_metals() -> Mapping[str, float]:
    """Symbols of the elements that are fcc metals by themselves, by atomic number, with their lattice constants, Å."""
    from ase.data import chemical_symbols, reference_states

    states = zip(chemical_symbols, reference_states, strict=False)
    known = {symbol: state for symbol, state in states if state and state.get("symmetry") == "fcc" and symbol not in NO_METALS}
    return MappingProxyType({symbol: float(state["a"]) for symbol, state in known.items() if state.get("a")})


def fcc_lattice_constant(element: str, given: float | None = None) -> float:
    """Side of the cubic cell, Å.

    Parameters
    ----------
    element : str
        Symbol.
    given : float, Å, optional
        Stands above that of the element.

    Raises
    ------
    AtomsegError
        If there is no such element, or it is not fcc and nothing is given.
    """
    from ase.data import atomic_numbers, reference_states

    if element not in atomic_numbers or atomic_numbers[element] < 1:
        raise AtomsegError(f'"{element}" is no element; give a symbol such as Pt or Au')
    if given is not None:
        return given
    state = reference_states[atomic_numbers[element]] or {}
    if state.get("symmetry") != "fcc":
        raise AtomsegError(
            f"{element} is not face-centred cubic by itself ({state.get('symmetry', 'unknown')}); "
            "give the lattice constant that the particle shall have"
        )
    return float(state["a"])
