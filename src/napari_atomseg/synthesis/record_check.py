"""Whether the entries of a record, which anyone may have edited, are what a recipe can draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.recipe_check import (
    COUNTS,
    EXPONENTS,
    FOCI,
    MOST_CLASSES,
    PARTS,
    PIXEL_SIZES,
    SIDES,
    SPREADS,
    is_number,
)

if TYPE_CHECKING:
    from napari_atomseg.synthesis.record import Record


def check_record(record: Record) -> None:
    """Raise a clear error if a record holds what no recipe draws; parameters of its parts are checked where they are used.

    Raises
    ------
    AtomsegError
        Names the entry, and says what it is and what it should be.
    """
    for name, given in _mappings(record):
        if not isinstance(given, Mapping):
            raise AtomsegError(f"the record's {name} is a mapping of parameters, got {given!r}")
    if len(record.shape) != 2:
        raise AtomsegError(f"the record's shape has two sides, got {list(record.shape)}")
    for name, given, (low, high) in _numbers(record):
        if not is_number(given, low, high):
            raise AtomsegError(f"the record's {name} is a number from {low:g} to {high:g}, got {given!r}")
    for name, given in _whole_numbers(record):
        if not isinstance(given, int) or given < 0:
            raise AtomsegError(f"the record's {name} is a whole number from 0 on, got {given!r}")


def _mappings(record: Record) -> Iterator[tuple[str, Any]]:
    """Outer ones first."""
    yield "specimen", record.specimen
    yield "imaging", record.imaging
    yield from ((f"imaging.{name}", record.imaging[name]) for name in PARTS if name in record.imaging)
    yield from ((str(name), params) for name, params, _ in (*record.scene, *record.noise))


def _numbers(record: Record) -> Iterator[tuple[str, Any, tuple[float, float]]]:
    """With their limits."""
    yield from (("shape", side, SIDES) for side in record.shape)
    yield "pixel_size", record.pixel_size, PIXEL_SIZES
    yield "peak", record.peak, COUNTS
    yield "classes", record.classes, (1, MOST_CLASSES)
    yield from ((name, value, COUNTS) for name, value in (("dose", record.dose), ("mean", record.mean)) if value is not None)
    foci = record.imaging.get("foci", [0.0])
    # A list that is empty, or none, is no number either.
    yield from (("imaging.foci, each of them,", step, FOCI) for step in (foci if isinstance(foci, list) and foci else [[foci]]))
    for name, limits in (("exponent", EXPONENTS), ("image_spread", SPREADS)):
        if name in record.imaging:
            yield f"imaging.{name}", record.imaging[name], limits


def _whole_numbers(record: Record) -> Iterator[tuple[str, Any]]:
    yield "seed", record.seed
    yield "specimen.seed", record.specimen.get("seed")
    yield from (("shape", side) for side in record.shape)
    yield "classes", record.classes
    yield from ((f"seed of {name}", seed) for name, _, seed in (*record.scene, *record.noise))
