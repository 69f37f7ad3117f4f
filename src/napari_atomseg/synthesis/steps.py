"""Effects as a recipe lists them, and those of them that happen to one image.

An entry names one effect, ``- blur: {probability: 0.3, sigma: {uniform: [0, 1]}}``, or several of which at most one happens,
``- one_of: [{plane: {...}}, {gaussian_background: {...}}]``, with a ``probability`` that any does (1) and
``weights`` (all alike).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.distributions import draw_all

ONE_OF = "one_of"
"""In a flattened list: number of the list of alternatives that an entry stems from."""


def flattened(given: Sequence[Any], where: str) -> tuple[Mapping[str, Any], ...]:
    """Every effect as an entry of its own; alternatives have their share of the probability, and a number in common.

    Raises
    ------
    AtomsegError
        If an entry is no mapping, or alternatives or their weights make no sense.
    """
    found: list[Mapping[str, Any]] = []
    for number, entry in enumerate(given):
        if not isinstance(entry, Mapping) or not entry:
            raise AtomsegError(f"{where}: an entry names an effect with its parameters, got {entry!r}")
        found += _alternatives(entry, number, where) if ONE_OF in entry else [entry]
    return tuple(found)


def _alternatives(entry: Mapping[str, Any], number: int, where: str) -> list[Mapping[str, Any]]:
    options = entry[ONE_OF]
    weights = [float(weight) for weight in entry.get("weights", [1.0] * len(options or ()))]
    probability = float(entry.get("probability", 1.0))
    alike = isinstance(options, list) and bool(options) and len(weights) == len(options)
    if not alike or min(weights) < 0 or sum(weights) <= 0 or not 0 <= probability <= 1:
        raise AtomsegError(
            f"{where}: {ONE_OF} needs a list of effects, as many weights of at least 0, and a probability of 0 to 1;"
            f" got {dict(entry)}"
        )
    shares = [probability * weight / sum(weights) for weight in weights]
    flat = flattened(options, where)
    if any("probability" in (next(iter(one.values())) or {}) for one in flat):
        raise AtomsegError(f"{where}: alternatives of {ONE_OF} have weights instead of probabilities of their own")
    return [
        {name: {"probability": share, **(ranges or {})}, ONE_OF: number}
        for share, (name, ranges) in zip(shares, (next(iter(one.items())) for one in flat), strict=True)
    ]


def draw_steps(given: Sequence[Mapping[str, Any]], rng: np.random.Generator, where: str) -> list[tuple[str, dict[str, Any], int]]:
    """The effects that happen, with their parameters and seeds.

    Parameters
    ----------
    given : sequence of mapping
        Of :func:`flattened`; each names an effect, with constants and distributions, and its probability.
    rng : Generator
        Parameters are drawn whether an effect happens or not.
    where : str
        Named in errors.

    Returns
    -------
    list of (str, dict, int)
        Name of the effect, parameters, seed.
    """
    found = []
    left: dict[int, float] = {}
    for entry in given:
        name, ranges = next(iter(entry.items()))
        ranges = dict(ranges or {})
        share = float(ranges.pop("probability", 1.0))
        chance = left.pop(entry.get(ONE_OF, -1), None)
        chance = rng.uniform() if chance is None else chance
        if ONE_OF in entry:
            # Alternatives share one number: each has its own stretch of it.
            left[entry[ONE_OF]] = chance - share
        # Drawn whether it happens or not, so that one probability does not change the rest of the record.
        params, seed = draw_all(ranges, rng, f"{where}.{name}"), int(rng.integers(2**31))
        if 0 <= chance < share:
            found.append((name, params, seed))
    return found
