"""What intensities are measured on: the image, its scale, and what is known beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from napari_atomseg.analysis.intensities.detector import DetectorScale
from napari_atomseg.analysis.intensities.params import IntensityParams
from napari_atomseg.core.micrograph import Micrograph

OF_BEAM, OF_COUNTS = "Å² of the beam", "counts Å²"
"""Units of cross-sections."""


@dataclass(frozen=True, kw_only=True, eq=False)
class IntensitySource:
    """Image and scale.

    Attributes
    ----------
    micrograph : Micrograph
    params : IntensityParams
    detector : DetectorScale or None
    library : ndarray, shape (L,), or None
        Cross-sections of 1, 2 ... L atoms.
    """

    micrograph: Micrograph
    params: IntensityParams = field(default_factory=IntensityParams)
    detector: DetectorScale | None = None
    library: np.ndarray | None = None

    @property
    def unit(self) -> str:
        """Of cross-sections."""
        simulated = bool(self.micrograph.metadata.get("simulation"))
        return OF_BEAM if self.detector is not None or simulated else OF_COUNTS

    def frame(self, index: int) -> np.ndarray:
        """One frame on that scale, shape (Y, X)."""
        image = np.asarray(self.micrograph.frame(index), dtype=float)
        return self.detector.of(image) if self.detector is not None else image
