"""What speaks for and against a candidate being a column, in numbers that a judge weighs.

The map's own word, how the raw image stands out there against its noise and its texture, the neighbours, what is seen in places
that look alike (:mod:`.similar_sites`), and what the whole image is like. No number depends on gain or offset of the image.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_atomseg.inference.detection.candidates import NetworkCandidates, blobness
from napari_atomseg.inference.detection.similar_sites import site_statistics
from napari_atomseg.networks.candidate_classifier import CIRCLES, FEATURES, WIDTHS

FOOT = 1.0
"""Radius in which the darkest pixel is a column's foot, Angstrom."""
TEXTURE = 8.0
"""Side of the square in which noise and texture of the image are measured, Angstrom."""
NEIGHBOURS, FAR = 24, 8.0
"""At most so many neighbours are looked at, up to so many Angstrom away."""
SURE, PROBABLE = 0.7, 0.5
"""What the map says of columns that are hardly doubted, and of those that are there rather than not."""
DENSITY_AREA = 10.0
"""Area in which the image's columns are counted, square Angstrom."""


def evidence(candidates: NetworkCandidates, maps: Mapping[str, np.ndarray], image: np.ndarray, sampling: float) -> np.ndarray:
    """What is known of each candidate, float32, shape (N, len(FEATURES)).

    Parameters
    ----------
    candidates : NetworkCandidates
        At least one.
    maps : mapping of ndarray, shape (Y, X)
        ``columns`` and ``mask`` from 0 to 1; ``denoise`` and ``background`` in units of `image`.
    image : ndarray, shape (Y, X)
        Normalised: about 0 where it is dark, 1 where it is bright.
    sampling : float, Angstrom per pixel
    """
    height = maps["background"]
    own = _own(candidates, maps, sampling)
    found = {
        **own,
        **_raw(candidates, maps, image, sampling),
        **_neighbours(candidates, own["height"], own["prominence"], sampling),
        **_whole(candidates, own["height"], own["prominence"], maps["denoise"], image, sampling),
        **_like(candidates, own["height"], maps["columns"], height, sampling),
    }
    return np.nan_to_num(np.stack([np.asarray(found[name], np.float32) for name in FEATURES], axis=1))


def value_at(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Values of a map between its pixels.

    Parameters
    ----------
    values : ndarray, shape (Y, X)
    positions : ndarray, shape (N, 2), px, (y, x)
        Beyond the map the values of its border are taken.

    Returns
    -------
    ndarray, shape (N,)
        Interpolated linearly.
    """
    return np.asarray(ndimage.map_coordinates(values, positions.T, order=1, mode="nearest"), float)


def _side(length: float, sampling: float) -> int:
    return 2 * round(length / sampling) + 1


def _own(candidates: NetworkCandidates, maps: Mapping[str, np.ndarray], sampling: float) -> dict[str, np.ndarray]:
    """What the maps say of the place itself."""
    places, height = candidates.positions, maps["background"]
    smooth = ndimage.gaussian_filter(maps["denoise"], 1.0)
    side = _side(FOOT, sampling)
    here = value_at(height, places)
    return {
        "confidence": candidates.confidence,
        "log_confidence": np.log(candidates.confidence + 1e-3),
        "summit": value_at(ndimage.maximum_filter(maps["columns"], 3), places),
        "spread": np.minimum(candidates.spread * sampling, 2.0),
        "mask": value_at(maps["mask"], places),
        "drawn": candidates.drawn,
        "height": here,
        "prominence": here - value_at(ndimage.minimum_filter(height, side), places),
        "denoised_prominence": value_at(maps["denoise"], places) - value_at(ndimage.minimum_filter(smooth, side), places),
    }


def _raw(
    candidates: NetworkCandidates, maps: Mapping[str, np.ndarray], image: np.ndarray, sampling: float
) -> dict[str, np.ndarray]:
    """How the raw image stands out at each place, against its noise, its texture and its dark spots."""
    found: dict[str, np.ndarray] = {}
    window = round(TEXTURE / sampling)
    noise = image - maps["denoise"]
    for width in WIDTHS:
        response, chance = blobness(image, width / sampling), blobness(noise, width / sampling)
        square = chance**2
        square = np.minimum(square, 25 * np.median(square))
        deviation = np.sqrt(np.maximum(ndimage.uniform_filter(square, window), 0.0)) + 1e-6
        # The running sums of uniform_filter can fall a little below zero.
        dark = np.sqrt(2 * np.maximum(ndimage.uniform_filter(np.minimum(response, 0.0) ** 2, window), 0.0)) + 1e-6
        values = value_at(response, candidates.positions)
        middle = np.median(values)
        usual = 1.4826 * np.median(np.abs(values - middle)) + 1e-6
        found |= {
            f"blob_{width:g}": values,
            f"significance_{width:g}": np.clip(values / value_at(deviation, candidates.positions), -5, 30),
            f"against_texture_{width:g}": np.clip((values - middle) / usual, -5, 20),
            f"against_dark_{width:g}": np.clip(values / value_at(dark, candidates.positions), -5, 20),
            f"rank_{width:g}": np.argsort(np.argsort(values)) / len(values),
        }
    return found


def _neighbours(
    candidates: NetworkCandidates, height: np.ndarray, prominence: np.ndarray, sampling: float
) -> dict[str, np.ndarray]:
    """What stands around each place."""
    number = min(NEIGHBOURS + 1, len(candidates))
    places = candidates.positions
    distance, index = cKDTree(places).query(places, k=[*range(1, number + 1)])
    distance, index = distance[:, 1:] * sampling, index[:, 1:]
    said = candidates.confidence[index]
    weight = np.exp(-0.5 * (distance / CIRCLES[0]) ** 2) * said
    near = weight.sum(axis=1)
    height_near = (weight * height[index]).sum(axis=1) / (near + 1e-3)
    prominence_near = (weight * prominence[index]).sum(axis=1) / (near + 1e-3)
    return {
        **{f"columns_in_{radius:g}": (said * (distance < radius)).sum(axis=1) for radius in CIRCLES},
        "near": near,
        "nearly_sure": (weight * said).sum(axis=1) / (near + 1e-3),
        "height_near": height_near,
        "height_share": np.clip(height / (np.abs(height_near) + 0.05), -3, 3),
        "prominence_share": np.clip(prominence / (np.abs(prominence_near) + 0.05), -3, 3),
        **dict(zip(("first", "second", "third"), _to_sure(candidates, sampling).T, strict=True)),
    }


def _to_sure(candidates: NetworkCandidates, sampling: float) -> np.ndarray:
    """Distances (N, 3) to the three nearest columns that are hardly doubted, itself left out, Angstrom, at most FAR."""
    sure = candidates.positions[candidates.confidence >= SURE]
    distance, _ = cKDTree(np.concatenate([sure, np.full((4, 2), 1e9)])).query(candidates.positions, k=4)
    itself = distance[:, 0] < 1e-3
    return np.minimum(np.where(itself[:, None], distance[:, 1:], distance[:, :3]) * sampling, FAR)


def _whole(
    candidates: NetworkCandidates,
    height: np.ndarray,
    prominence: np.ndarray,
    denoised: np.ndarray,
    image: np.ndarray,
    sampling: float,
) -> dict[str, np.ndarray]:
    """What the whole image is like, the same for each place."""
    probable = candidates.confidence >= PROBABLE
    areas = image.size * sampling**2 / DENSITY_AREA
    response = blobness(image, WIDTHS[1] / sampling)
    bright, dark = (np.sqrt(np.mean(np.maximum(sign * response, 0) ** 2)) for sign in (1, -1))
    values = {
        "density": probable.sum() / areas,
        "mean_confidence": candidates.confidence[probable].mean() if probable.any() else 0.0,
        "all_density": (candidates.confidence > 0.05).sum() / areas,
        "noise": float(np.sqrt(np.mean((image - denoised) ** 2))),
        "height_scatter": height[probable].std() if probable.any() else 0.0,
        "mean_prominence": prominence[probable].mean() if probable.any() else 0.0,
        "bright_to_dark": float(np.log((bright + 1e-6) / (dark + 1e-6))),
    }
    return {name: np.full(len(candidates), value) for name, value in values.items()}


def _like(
    candidates: NetworkCandidates, height: np.ndarray, columns_map: np.ndarray, heights: np.ndarray, sampling: float
) -> dict[str, np.ndarray]:
    """What is seen in places that look alike."""
    sure = candidates.positions[candidates.confidence >= PROBABLE]
    said = site_statistics(columns_map, heights, candidates.positions, sure, sampling)
    return {
        "likeness": said.likeness,
        "fellows": said.effective_matches,
        "surroundings": said.surroundings,
        **dict(zip(("seen_like", "seen_broad"), said.seen, strict=True)),
        **dict(zip(("scatter_like", "scatter_broad"), said.scatter, strict=True)),
        **dict(zip(("height_like", "height_broad"), said.height, strict=True)),
        **{name: height - level for name, level in zip(("above_like", "above_broad"), said.height, strict=True)},
    }
