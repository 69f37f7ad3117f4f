"""How far the multislice images lie from the convolution images, in parts of a pixel.

The published pairs are 0.7 px apart along both axes. An asymmetric polynomial learns that as a derivative; one that treats all
orientations alike cannot, so that its images are put on one grid before the fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.correction.variables import LOG_FLOOR
from napari_atomseg.readers.image_pairs import ImagePair

Offset = tuple[float, float]

_BLURS = (1.0, 2.0, 3.0, 5.0)
_EDGE = 3
_ROUNDS = 4
_SMALLEST, _LARGEST = 0.05, 5.0


def find_offset(pairs: Sequence[ImagePair]) -> Offset:
    """Offset common to all pairs, px, (y, x); zero if it is too small to matter.

    Raises
    ------
    AtomsegError
        If the images lie so far apart that they cannot be meant to be on one grid.
    """
    offset = np.zeros(2)
    for _ in range(_ROUNDS):
        step = _gauss_newton_step(pairs, (float(offset[0]), float(offset[1])))
        offset += step
        if np.hypot(*offset) > _LARGEST:
            raise AtomsegError(
                f"the multislice images lie more than {_LARGEST:g} px from the convolution images; "
                "cut both to one grid before the fit"
            )
        if np.hypot(*step) < 1e-3:
            break
    return (0.0, 0.0) if np.hypot(*offset) < _SMALLEST else (float(offset[0]), float(offset[1]))


def register(image: np.ndarray, offset: Offset) -> np.ndarray:
    """A convolution image, moved by an offset; it is smooth, so that a spline of fifth order loses next to nothing."""
    return np.asarray(shift(image, offset, order=5, mode="mirror")) if any(offset) else image


def _gauss_newton_step(pairs: Sequence[ImagePair], offset: Offset) -> np.ndarray:
    matrix, vector = np.zeros((2, 2)), np.zeros(2)
    inside = (slice(_EDGE, -_EDGE), slice(_EDGE, -_EDGE))
    for pair in pairs:
        if min(pair.convolution.shape) <= 2 * _EDGE + 1:
            continue
        actual = pair.multislice[inside]
        predicted = _simple_prediction(register(pair.convolution, offset), pair.multislice, inside)
        slopes = np.stack([-slope.ravel() for slope in np.gradient(predicted)])
        matrix += slopes @ slopes.T
        vector += slopes @ (actual - predicted).ravel()
    # Images without contrast along an axis say nothing of that axis.
    return np.asarray(np.linalg.lstsq(matrix, vector, rcond=1e-6)[0])


def _simple_prediction(convolution: np.ndarray, multislice: np.ndarray, inside: tuple[slice, slice]) -> np.ndarray:
    """Best combination of symmetric functions of the convolution image; it can imitate the contrast and not a shift."""
    scaled = convolution / max(float(np.abs(convolution).max()), np.finfo(float).tiny)
    layers = [np.ones_like(scaled), scaled, scaled**2, np.log(np.maximum(scaled, 0) + LOG_FLOOR)]
    layers += [gaussian_filter(scaled, sigma, mode="mirror") for sigma in _BLURS]
    design = np.stack([layer[inside].ravel() for layer in layers], axis=1)
    coefficients = np.linalg.lstsq(design.T @ design, design.T @ multislice[inside].ravel(), rcond=None)[0]
    return np.asarray((design @ coefficients).reshape(multislice[inside].shape))
