"""Everything that was drawn by chance for one image, so that the image can be made again.

The idea is that of TorchIO (Perez-Garcia et al., Comput. Meth. Prog. Biomed. 208, 106236 (2021)): chance comes first and is
written down; what follows is deterministic.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.synthesis.record_check import check_record

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
            check_record(record)
            return record
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AtomsegError(f"not a record of a synthetic image ({error}); use one that `synthesise` has written") from error
