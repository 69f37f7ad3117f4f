"""Detectors of a scanning microscope: which directions behind the specimen they collect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity

_Angle = Annotated[float, Quantity(unit="mrad", low=0, high=400)]


@dataclass(frozen=True, kw_only=True)
class DetectorParams:
    """A ring, a disc, or a ring cut into equal segments; centred on the beam.

    Attributes
    ----------
    kind : {"annular", "bright_field", "segmented"}
        Shape of the detector: a ring from the inner to the outer angle, a disc up to the outer angle, or a ring whose segments
        give an image each.
    inner_angle : float, mrad
        Inner angle of the detector. It is included; no meaning for a disc.
    outer_angle : float, mrad
        Outer angle of the detector. It is excluded; 70 to 150 mrad is a usual high-angle dark field; more costs finer grids.
    segments : int
        Number of equal segments.
    rotation : float, rad
        Azimuth where the first segment begins, from +x (along a row) towards +y (down the rows).
    """

    kind: Literal["annular", "bright_field", "segmented"] = "annular"
    inner_angle: _Angle = 70.0
    outer_angle: Annotated[float, Quantity(unit="mrad", low=0.1, high=400)] = 150.0
    segments: Annotated[int, Quantity(low=1, high=64, decimals=0)] = 4
    rotation: Annotated[float, Quantity(unit="rad", low=-2 * math.pi, high=2 * math.pi, decimals=3)] = 0.0

    def __post_init__(self) -> None:
        check(self)
        if self.kind != "bright_field" and self.inner_angle >= self.outer_angle:
            raise AtomsegError(
                f"A detector from {self.inner_angle:g} to {self.outer_angle:g} mrad collects nothing; "
                "give an outer angle beyond the inner one"
            )

    @property
    def images(self) -> int:
        """Number of images that the detector records at once."""
        return self.segments if self.kind == "segmented" else 1


def detector_regions(detector: DetectorParams, angles_y: np.ndarray, angles_x: np.ndarray) -> np.ndarray:
    """Directions that each part of a detector collects.

    Parameters
    ----------
    detector : DetectorParams
    angles_y, angles_x : ndarray, shape (Y,) and (X,), mrad
        Scattering angles along both axes.

    Returns
    -------
    ndarray of bool, shape (S, Y, X)
        One region per segment; they do not overlap.
    """
    angle = np.hypot(angles_y[:, None], angles_x[None, :])
    inner = 0.0 if detector.kind == "bright_field" else detector.inner_angle
    ring = (angle >= inner) & (angle < detector.outer_angle)
    if detector.kind != "segmented":
        return ring[None]
    azimuth = np.arctan2(angles_y[:, None], angles_x[None, :]) - detector.rotation
    turn = np.mod(azimuth / (2 * math.pi), 1.0)
    # The remainder of a tiny negative number is rounded to a full turn.
    segment = np.minimum((turn * detector.segments).astype(int), detector.segments - 1)
    return np.asarray(ring & (segment == np.arange(detector.segments)[:, None, None]))
