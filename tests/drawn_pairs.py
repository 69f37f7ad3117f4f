"""Small pairs of images whose relation is smooth, symmetric and nonlinear, in double precision."""

from __future__ import annotations

import numpy as np

from napari_atomseg.readers.image_pairs import ImagePair


def draw_pair(seed, shape=(70, 62), sigma=3.2, offset=(0.0, 0.0), pixel_size=None):
    """Gaussian columns; the accurate image is sharper, brighter where it is bright, and moved by `offset` px."""
    chance = np.random.default_rng(seed)
    places = chance.uniform(5, np.array(shape) - 5, (50, 2))
    weights = chance.uniform(0.3, 1, 50)

    def image(width, move):
        y, x = (
            np.exp(-((np.arange(n)[:, None] - places[:, axis] - move[axis]) ** 2) / 2 / width**2) for axis, n in enumerate(shape)
        )
        return (y * weights) @ x.T

    sharp = image(0.85 * sigma, offset)
    return ImagePair(
        name=f"drawn_{seed}", convolution=image(sigma, (0, 0)), multislice=1.3 * sharp + 0.2 * sharp**2, pixel_size=pixel_size
    )


def draw_pairs(count=4, **options):
    return [draw_pair(seed, **options) for seed in range(count)]


def save_pairs(folder, pairs):
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        told = {} if pair.pixel_size is None else {"pixel_size": pair.pixel_size}
        np.savez(folder / f"{pair.name}.npz", convolution=pair.convolution, multislice=pair.multislice, **told)
    return folder
