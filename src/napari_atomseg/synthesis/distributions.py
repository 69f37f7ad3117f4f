"""Random values as a recipe writes them: one number, or where it is drawn from.

``3.0`` is a constant, ``{uniform: [a, b]}``, ``{log_uniform: [a, b]}``, ``{normal: [mean, deviation]}``,
``{integer: [a, b]}`` (both included) and ``{choice: [...]}`` are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError

NAMES = ("uniform", "log_uniform", "normal", "integer", "choice")


def draw(given: Any, rng: np.random.Generator, where: str = "value") -> Any:
    """One value.

    Parameters
    ----------
    given : number, str, bool, list or mapping
        A constant, or one of the distributions above.
    rng : Generator
    where : str
        Named in errors.

    Raises
    ------
    AtomsegError
        If the distribution is unknown, or its limits make no sense.
    """
    if not isinstance(given, Mapping):
        return given
    if len(given) != 1 or next(iter(given)) not in NAMES:
        raise AtomsegError(f"{where}: {dict(given)} is no distribution; write one of {', '.join(NAMES)}")
    name, values = next(iter(given.items()))
    if not isinstance(values, (list, tuple)) or len(values) < (1 if name == "choice" else 2):
        raise AtomsegError(f"{where}: {name} needs {'a list' if name == 'choice' else 'two numbers'}, got {values!r}")
    if name == "choice":
        return values[int(rng.integers(len(values)))]
    low, high = _checked(name, values, where)
    if name == "uniform":
        return float(rng.uniform(low, high))
    if name == "log_uniform":
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if name == "normal":
        return float(rng.normal(low, high))
    return int(rng.integers(int(low), int(high) + 1))


def _checked(name: str, values: Sequence[Any], where: str) -> tuple[float, float]:
    low, high = (float(value) for value in values)
    turned = name != "normal" and high < low
    if not (math.isfinite(low) and math.isfinite(high)) or turned or (name == "log_uniform" and low <= 0):
        raise AtomsegError(f"{where}: {name} cannot be drawn from {low:g} and {high:g}")
    return low, high


def draw_all(given: Mapping[str, Any], rng: np.random.Generator, where: str) -> dict[str, Any]:
    """Every value of a mapping, in its order."""
    return {name: draw(value, rng, f"{where}.{name}") for name, value in given.items()}


def limits(given: Any) -> tuple[str, str]:
    """Range and distribution in words, for tables."""
    if not isinstance(given, Mapping):
        return str(given), "constant"
    name, values = next(iter(given.items()))
    if name == "choice":
        return ", ".join(map(str, values)), name
    return (f"{values[0]:g} ± {values[1]:g}" if name == "normal" else f"{values[0]:g} to {values[1]:g}"), name
