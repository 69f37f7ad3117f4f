"""Images of nothing: noise and textures of every grain, for what must not be taken for columns."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

GRAIN = (0.2, 3.0)
"""Standard deviation of the blur that makes the texture, Angstrom."""
LIKE_COLUMNS, HARD = (0.3, 0.8), 0.35
"""Grain as fine as columns are wide, Angstrom, and the share of textures that have it: what is most easily taken for columns."""
DEPTH = (0.02, 0.5)
"""Standard deviation of the texture in units of the mean."""
COUNTS = (0.02, 300.0)
"""Mean counts in a pixel."""


def draw_texture(rng: np.random.Generator, shape: tuple[int, int], pixel_size: float) -> np.ndarray:
    """One image, float32, shape (Y, X): a texture, perhaps on a slope or a step, counted, perhaps with rows of their own level.

    Parameters
    ----------
    pixel_size : float, Angstrom
    """
    grain = _log_uniform(rng, LIKE_COLUMNS if rng.uniform() < HARD else GRAIN) / pixel_size
    texture = ndimage.gaussian_filter(rng.normal(size=shape), grain, mode="wrap")
    texture /= max(float(texture.std()), 1e-12)
    skew = rng.uniform(0, 0.5)
    texture = (np.exp(skew * texture) - np.exp(skew**2 / 2)) / max(skew, 1e-3) if rng.uniform() < 0.4 else texture
    scene = np.maximum(1 + _log_uniform(rng, DEPTH) * (rng.uniform() < 0.8) * texture + _ground(rng, shape), 0.0)
    counts = _log_uniform(rng, COUNTS)
    image = rng.poisson(scene * counts) if rng.uniform() < 0.8 else scene * counts + rng.normal(0, np.sqrt(counts), shape)
    image = image + rng.normal(size=(shape[0], 1)) * np.sqrt(counts) * (rng.uniform() < 0.2) * rng.uniform(0, 3)
    image = image + rng.normal(size=shape) * rng.uniform(0, 1) * (rng.uniform() < 0.4)
    return np.asarray(image, np.float32)


def _ground(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A slope, a step, something wide, or nothing, float, shape (Y, X)."""
    kind = rng.integers(5)
    angle = rng.uniform(-np.pi, np.pi)
    y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, side) for side in shape), indexing="ij")
    along = np.cos(angle) * y + np.sin(angle) * x
    if kind == 0:
        return np.asarray(along * rng.uniform(0, 3))
    if kind == 1:
        return np.where(along > rng.uniform(-0.3, 0.3), rng.uniform(0, 5), 0.0)
    if kind == 2:
        wide = ndimage.gaussian_filter(rng.normal(size=shape), min(shape) / 8, mode="wrap")
        return np.asarray(rng.uniform(0, 1.5) * wide / max(float(wide.std()), 1e-12))
    return np.zeros(shape)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))
