"""Probabilities of numbers of atoms as they are found to be true, by a temperature and a lean towards tall columns.

With few electrons a network is surer than it may be, with many it may be surer than it is. And where it doubts between two
numbers it takes the one of which it has seen more, which is the smaller one for tall columns: particles are higher where they
are than where they were drawn. Both go with the noise of the image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_atomseg.registration.pixel_noise import pixel_noise

SERIES, SINGLE = "series", "single"
SLOPE, LEAN, LEAN_SLOPE = "_slope", "_lean", "_lean_slope"
"""Endings of the names of a temperature's exponent, of a lean, and of how that goes with the logarithm of the noise."""
USUAL_NOISE = "usual_noise"
TEMPERATURES = (0.3, 3.0)
"""That are believed."""
LARGEST_LEAN = 2.5
"""That is believed, towards either side."""
LEAST_NOISE = 1e-4


def honest_probabilities(
    probabilities: np.ndarray, calibration: Mapping[str, float], kind: str, noise: float | np.ndarray
) -> np.ndarray:
    r"""Probabilities of 1, 2, ... K atoms, corrected as the card of the network says.

    Parameters
    ----------
    probabilities : ndarray, shape (N, K)
        As the network gives them.
    calibration : mapping of str to float
        Of its card: for ``series`` and for ``single`` images the temperature T at ``usual_noise``, by what power of the noise it
        rises (``series_slope``), the lean a there (``series_lean``), and what comes to it for each factor e of the noise
        (``series_lean_slope``); what is missing changes nothing.
    kind : str
        ``series`` or ``single``.
    noise : float, or ndarray of shape (N,)
        See :func:`noise_seen`.

    Returns
    -------
    ndarray, shape (N, K)
        Each row with the sum 1.

    Notes
    -----
    .. math:: p'_k \propto p_k^{1/T} e^{a k}

    T after Guo et al., ICML 2017; the second factor takes one geometric distribution of numbers of atoms for another.
    """
    relative = np.log(np.atleast_1d(np.asarray(noise, float)) / float(calibration.get(USUAL_NOISE, 1.0)))[:, None]
    rise = np.exp(relative * float(calibration.get(kind + SLOPE, 0.0)))
    temperature = np.clip(float(calibration.get(kind, 1.0)) * rise, *TEMPERATURES)
    lean = float(calibration.get(kind + LEAN, 0.0)) + relative * float(calibration.get(kind + LEAN_SLOPE, 0.0))
    number = np.arange(1, probabilities.shape[1] + 1)
    logarithm = np.log(np.maximum(probabilities, 1e-12)) / temperature + lean.clip(-LARGEST_LEAN, LARGEST_LEAN) * number
    powers = np.exp(logarithm - logarithm.max(axis=1, keepdims=True))
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
