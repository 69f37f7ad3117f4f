"""From counts to the incident beam: what the detector gives for a beam that hits it, and for none.

An image of the detector is recorded by scanning the beam over it. What lies outside the detector, and in its hole, is the
vacuum level; the rest is the detector's response, which differs from place to place (LeBeau & Stemmer, Ultramicroscopy 108,
1653 (2008)). Electrons that a specimen scatters hit the inner rim more often than the outer one; parts are weighted by that
flux (Jones et al., Microsc. Microanal. 24, suppl. (2018)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_atomseg.core.errors import AtomsegError

LEAST_CONTRAST = 5.0
"""Distance of the two levels in units of the vacuum level's scatter, below which there is no detector to be seen."""
SAID_EXPONENT = 3.0
"""Exponent of the flux for which it is said how much it would change."""


@dataclass(frozen=True, kw_only=True)
class DetectorScale:
    """Levels of a detector: intensities count as (I - vacuum) / (full - vacuum) of the incident beam.

    Attributes
    ----------
    vacuum, full : float
        Intensity without beam, and with the whole beam on the detector, flux-weighted.
    unevenness : float
        Standard deviation of the response over the detector, as a share.
    steep : float
        Factor on `full` - `vacuum` if the flux fell with the third power of the angle.
    """

    vacuum: float
    full: float
    unevenness: float
    steep: float

    def of(self, image: np.ndarray) -> np.ndarray:
        """An image as fractions of the incident beam."""
        return np.asarray((image - self.vacuum) / (self.full - self.vacuum))


def detector_scale(image: np.ndarray, flux_exponent: float = 0.0) -> DetectorScale:
    """Levels of a detector from its image.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Intensity for a beam on each place of the detector plane, on the scale of the micrograph; as many bits, same gain.
    flux_exponent : float
        Electrons fall with the distance from the middle of the hole to this negative power.

    Raises
    ------
    AtomsegError
        If it shows no detector beside vacuum.
    """
    plane = np.asarray(image, dtype=float)
    if plane.ndim != 2 or not np.isfinite(plane).all():
        raise AtomsegError("the detector image must be one image of finite intensities")
    active = plane > _between_two_levels(plane)
    vacuum, response = plane[~active], plane[active]
    level = float(np.median(vacuum))
    scatter = 1.4826 * float(np.median(np.abs(vacuum - level)))
    if active.mean() < 0.005 or active.mean() > 0.98 or np.median(response) - level < LEAST_CONTRAST * max(scatter, 1e-300):
        raise AtomsegError(
            "the detector image does not show a bright detector and dark surroundings; scan the beam over the whole detector"
        )
    # Pixels of the rim are partly lit.
    inner = ndimage.binary_erosion(active, iterations=2)
    inner = inner if inner.any() else active
    distance = np.hypot(*(np.argwhere(inner) - _middle(active)).T)
    values = plane[inner] - level

    def full(exponent: float) -> float:
        return float(np.average(values, weights=np.maximum(distance, 1.0) ** -exponent))

    chosen = full(flux_exponent)
    return DetectorScale(
        vacuum=level,
        full=level + chosen,
        unevenness=float(np.std(values) / np.mean(values)),
        steep=full(SAID_EXPONENT) / chosen,
    )


def _between_two_levels(plane: np.ndarray) -> float:
    """Threshold half way between the means of what lies below and above it (Ridler & Calvard, 1978)."""
    threshold = float(plane.mean())
    for _ in range(100):
        low, high = plane[plane <= threshold], plane[plane > threshold]
        if not len(low) or not len(high):
            return threshold
        after = float(low.mean() + high.mean()) / 2
        if abs(after - threshold) <= 1e-9 * np.ptp(plane):
            break
        threshold = after
    return threshold


def _middle(active: np.ndarray) -> np.ndarray:
    """Centre of the hole (y, x), px; of the whole detector where no hole is seen."""
    filled = ndimage.binary_fill_holes(active)
    label, count = ndimage.label(filled & ~ndimage.binary_dilation(active))
    if count == 0:
        return np.argwhere(active).mean(axis=0)
    sizes = np.bincount(label.ravel())[1:]
    return np.argwhere(label == 1 + int(np.argmax(sizes))).mean(axis=0)
