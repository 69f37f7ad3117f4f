"""Whether the parts of a recipe are of the kind that they must be; what is in them is checked where it is used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from napari_atomseg.core.errors import AtomsegError

PARTS = ("probe", "profile", "lens", "mtf")
_IMAGE = ("size", "pixel_size")
_IMAGING = (*PARTS, "exponent", "profile_share", "image_spread", "foci")
MOST_CLASSES = 1000
SIDES, PIXEL_SIZES = (8.0, 16384.0), (1e-3, 1e4)
COUNTS, EXPONENTS, SPREADS, FOCI = (0.0, 1e9), (0.0, 4.0), (0.0, 100.0), (-1e5, 1e5)
"""Limits of what is drawn: px, Angstrom per px; electrons, powers, Angstrom, Angstrom."""


def check_parts(values: Mapping[str, Any], where: str) -> None:
    """Raise a clear error if a part of a recipe is no mapping, list, share or number where it must be one.

    Raises
    ------
    AtomsegError
        Names the recipe and the part, and says what it is and what it should be.
    """
    for name, given in _mappings(values):
        if not isinstance(given, Mapping):
            raise AtomsegError(f"{where}: {name} is a mapping of parameters, got {given!r}")
    _check_names(values, where)
    for name, given, high in _numbers(values):
        if not is_number(given, 0, high):
            raise AtomsegError(f"{where}: {name} is a number from 0 to {high:g}, got {given!r}")
    if not sum(kind.get("weight", 1.0) for kind in values["specimens"]) > 0:
        raise AtomsegError(f"{where}: all specimens have the weight 0; give one of them more")
    if values["imaging"].get("foci") == []:
        raise AtomsegError(f"{where}: imaging.foci is empty; give one focus or more")


def _check_names(values: Mapping[str, Any], where: str) -> None:
    missing = [name for name in _IMAGE if name not in values["image"]]
    if missing:
        raise AtomsegError(f"{where}: image needs {' and '.join(missing)}")
    for part, known in (("image", _IMAGE), ("imaging", _IMAGING)):
        unknown = [str(name) for name in values[part] if name not in known]
        if unknown:
            raise AtomsegError(f"{where}: {part} knows no {unknown[0]}; it has {', '.join(known)}")


def is_number(given: Any, low: float, high: float) -> bool:
    """Whether something is a finite number within limits; truth values are none.

    Parameters
    ----------
    given : object
    low, high : float
        Limits, both included.
    """
    return isinstance(given, (int, float)) and not isinstance(given, bool) and math.isfinite(given) and low <= given <= high


def _mappings(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Everything that has to be a mapping, outer ones first."""
    yield from ((name, values[name]) for name in ("image", "imaging"))
    yield from ((f"imaging.{name}", values["imaging"][name]) for name in PARTS if name in values["imaging"])
    for part in ("specimens", "scene", "noise"):
        given = values.get(part) or []
        # What is no list is one wrong entry.
        for number, entry in enumerate(given if isinstance(given, (list, tuple)) else [str(given)]):
            yield f"{part}, entry {number + 1},", entry
            if part != "specimens":
                yield from (
                    (f"{part}.{name}", inner or {}) for name, inner in entry.items() if name == str(name) and _effect(entry)
                )


def _effect(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is an effect with its parameters, and not a list of alternatives."""
    return "one_of" not in entry


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, float]]:
    """Numbers that are not drawn, with their upper limits."""
    for kind in values["specimens"]:
        yield f"the weight of {kind.get('kind')}", kind.get("weight", 1.0), 1e9
    for part in ("scene", "noise"):
        for entry in values.get(part) or []:
            for name, given in entry.items() if _effect(entry) else ():
                yield f"the probability of {name}", (given or {}).get("probability", 1.0), 1
    yield "imaging.profile_share", values["imaging"].get("profile_share", 1.0), 1
    yield "classes", values.get("classes", 1), MOST_CLASSES
