"""Random values as a recipe writes them: one number, or where it is drawn from.

``3.0`` is a constant, ``{uniform: [a, b]}``, ``{log_uniform: [a, b]}``, ``{normal: [mean, deviation]}``,
``{integer: [a, b]}`` (both included), ``{choice: [...]}``, ``{exponential: [a, b, scale]}`` and
``{log_exponential: [a, b, scale]}`` are drawn. The last two fall from `a` to `b` as ``exp(-u / scale)``, where `u` goes from 0 to
1 in between: as the value does, or as its logarithm does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError

NUMBERS = {"uniform": 2, "log_uniform": 2, "normal": 2, "integer": 2, "exponential": 3, "log_exponential": 3}
NAMES = (*NUMBERS, "choice")


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
    if name == "choice":
        if not isinstance(values, (list, tuple)) or not values:
            raise AtomsegError(f"{where}: choice needs a list, got {values!r}")
        return values[int(rng.integers(len(values)))]
    if not isinstance(values, (list, tuple)) or len(values) != NUMBERS[name]:
        raise AtomsegError(f"{where}: {name} needs {NUMBERS[name]} numbers, got {values!r}")
    return _drawn(name, _checked(name, values, where), rng)


def _drawn(name: str, numbers: Sequence[float], rng: np.random.Generator) -> float | int:
    low, high = numbers[:2]
    if name == "uniform":
        return float(rng.uniform(low, high))
    if name == "log_uniform":
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if name == "normal":
        return float(rng.normal(low, high))
    if name == "exponential":
        return low + (high - low) * _truncated_exponential(numbers[2], rng)
    if name == "log_exponential":
        return float(low * (high / low) ** _truncated_exponential(numbers[2], rng))
    return int(rng.integers(int(low), int(high) + 1))


def _truncated_exponential(scale: float, rng: np.random.Generator) -> float:
    """Between 0 and 1, with a density that falls as exp(-u / scale): the inverse of its distribution function."""
    return float(-scale * np.log1p(rng.uniform() * np.expm1(-1 / scale)))


def draw_number(given: Any, rng: np.random.Generator, where: str, limits: tuple[float, float]) -> float:
    """One value that has to be a number within limits, both included.

    Parameters
    ----------
    given : number or mapping
        A constant, or a distribution; see :func:`draw`.
    rng : Generator
    where : str
        Named in errors.
    limits : tuple of float
        Lowest and highest value.

    Raises
    ------
    AtomsegError
        If it is none.
    """
    value = draw(given, rng, where)
    if not _is_number(value) or not limits[0] <= value <= limits[1]:
        raise AtomsegError(f"{where} must be a number from {limits[0]:g} to {limits[1]:g}, got {value!r}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _checked(name: str, values: Sequence[Any], where: str) -> list[float]:
    if not all(map(_is_number, values)):
        raise AtomsegError(f"{where}: {name} needs numbers, got {values!r}")
    numbers = [float(value) for value in values]
    low, high = numbers[:2]
    turned = name != "normal" and high < low
    without_scale = len(numbers) == 3 and numbers[2] < 1e-3
    without_logarithm = name.startswith("log_") and low <= 0
    if not all(map(math.isfinite, numbers)) or turned or without_scale or without_logarithm:
        raise AtomsegError(f"{where}: {name} cannot be drawn from {', '.join(f'{number:g}' for number in numbers)}")
    return numbers


def draw_all(given: Mapping[str, Any], rng: np.random.Generator, where: str) -> dict[str, Any]:
    """Every value of a mapping, in its order.

    Parameters
    ----------
    given : mapping of str to number, str, bool, list or mapping
        Constants and distributions; see :func:`draw`.
    rng : Generator
    where : str
        Named in errors, before the name of the value.

    Raises
    ------
    AtomsegError
        If a distribution is unknown, or its limits make no sense.
    """
    return {name: draw(value, rng, f"{where}.{name}") for name, value in given.items()}
