"""Probabilities of numbers of atoms made honest by a temperature.

With few electrons a network is surer than it may be, with many it may be surer than it is, so that the temperature goes with a
power of the noise of the image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_atomseg.registration.pixel_noise import pixel_noise

SERIES, SINGLE = "series", "single"
SLOPE = "_slope"
"""Ending of the name of the exponent."""
USUAL_NOISE = "usual_noise"
RANGE = (0.3, 3.0)
"""Temperatures that are believed."""
LEAST_NOISE = 1e-4


def tempered(probabilities: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    """Probabilities made flatter (above 1) or steeper (below), each row again with the sum 1.

    Parameters
    ----------
    probabilities : ndarray, shape (N, K)
    temperature : float, or ndarray of shape (N, 1)
        Their logarithms are divided by it.

    References
    ----------
    Guo et al., ICML 2017.
    """
    powers = np.maximum(probabilities, 1e-12) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def noise_seen(image: np.ndarray) -> float:
    """Noise from pixel to pixel of what a network is given.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        In parts of the beam.
    """
    found = pixel_noise(np.asarray(image, float))
    return max(found, LEAST_NOISE) if np.isfinite(found) else LEAST_NOISE


def temperature_at(calibration: Mapping[str, float], kind: str, noise: float | np.ndarray) -> np.ndarray:
    """Temperature of a network for images with so much noise.

    Parameters
    ----------
    calibration : mapping of str to float
        Of its card: the temperature at ``usual_noise`` for ``series`` and for ``single`` images, and by what power of the noise
        it rises (``series_slope``, ``single_slope``); what is missing changes nothing.
    kind : str
        ``series`` or ``single``.
    noise : float or ndarray
        See :func:`noise_seen`.
    """
    relative = np.asarray(noise, float) / float(calibration.get(USUAL_NOISE, 1.0))
    rise = relative ** float(calibration.get(kind + SLOPE, 0.0))
    return np.asarray(np.clip(float(calibration.get(kind, 1.0)) * rise, *RANGE))
