"""Everything that was drawn by chance for one image, so that the image can be made again.

The idea is that of TorchIO (Perez-Garcia et al., Comput. Meth. Prog. Biomed. 208, 106236 (2021)): chance comes first and is
written down; what follows is deterministic.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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

FORMAT = 1
Step = tuple[str, Mapping[str, Any], int]
"""Name of an effect, its parameters, and its seed."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One synthetic image, in numbers.

    Attributes
    ----------
    recipe : str
        Name of the recipe.
    seed : int
        From which everything was drawn.
    shape : tuple of int
        (Y, X).
    pixel_size : float, Angstrom
    specimen : mapping
        ``kind``, its parameters, and a ``seed`` of its own.
    imaging : mapping
        ``probe`` or ``profile`` and the exponent of the atomic number; or ``lens``, ``foci`` and ``image_spread`` of a TEM;
        ``mtf`` of a camera.
    peak : float
        Expected counts in the brightest pixel of the columns alone; 0 where a dose or a mean is given instead.
    scene, noise : tuple of (name, parameters, seed)
        What is done to the noiseless image (:mod:`napari_atomseg.synthesis.scene`), and what the recording does to it
        (:mod:`napari_atomseg.noise.compose`), in order.
    dose : float, e/A2, optional
        Electrons of the incident beam, in each image of a focal series.
    classes : int
        Column heights that are told apart.
    mean : float, e, optional
        Expected counts in a pixel, mean of the scene; in place of a peak or a dose.
    """

    recipe: str
    seed: int
    shape: tuple[int, int]
    pixel_size: float
    specimen: Mapping[str, Any]
    imaging: Mapping[str, Any]
    peak: float = 0.0
    scene: tuple[Step, ...] = ()
    noise: tuple[Step, ...] = ()
    dose: float | None = None
    classes: int = 1
    mean: float | None = None
    format: int = field(default=FORMAT)

    @property
    def amount(self) -> str:
        """How many electrons, in words."""
        if self.mean is not None:
            return f"{self.mean:.3g} electrons a pixel"
        return f"{self.dose:.3g} e/Å²" if self.dose else f"{self.peak:.0f} electrons in the brightest pixel"

    def to_json(self) -> str:
        """The record as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Record:
        """A record from its JSON.

        Raises
        ------
        AtomsegError
            If it is no record, one of a later version, or holds numbers that make no sense.
        """
        try:
            values = json.loads(text)
            if values.get("format", 0) > FORMAT:
                raise AtomsegError(f"the record has format {values['format']}, and this version reads up to {FORMAT}; update")
            values["shape"] = tuple(values["shape"])
            for part in ("scene", "noise"):
                values[part] = tuple((name, params, seed) for name, params, seed in values[part])
            record = Record(**values)
            _check(record)
            return record
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AtomsegError(f"not a record of a synthetic image ({error}); use one that `synthesise` has written") from error


def _check(record: Record) -> None:
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
