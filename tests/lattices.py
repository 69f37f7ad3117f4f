"""Columns of known lattices, with scatter, drift, vacancies and false columns, for the tests of the lattice estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import Columns

SQUARE = [[0, 14.0], [-14.0, 0]]
HEXAGONAL = [[0, 24.2], [-20.96, -12.1]]
# name: basis (y, x) in px, motif, intensities, number of sites of the smallest cell that tells intensities apart
KNOWN = {
    "square": (SQUARE, [[0, 0]], [1], 1),
    "oblique": ([[0, 14.0], [-18.2, -5.2]], [[0, 0]], [1], 1),
    "rectangular": ([[0, 14.0], [-26.6, 0]], [[0, 0]], [1], 1),
    "graphene": (HEXAGONAL, [[0, 0], [1 / 3, 2 / 3]], [1, 1], 2),
    "silicon": ([[0, 22.2], [-12.8, -18.1 + 22.2]], [[0, 0], [0.25, 0.25]], [1, 1], 2),
    "perovskite": ([[0, 20.0], [-20.0, 0]], [[0, 0], [0.5, 0.5]], [1, 0.5], 2),
    "one element": ([[0, 20.0], [-20.0, 0]], [[0, 0], [0.5, 0.5]], [1, 1], 1),
    "five": ([[0, 40.0], [-44.0, 4.0]], [[0, 0], [0.4, 0.1], [0.1, 0.4], [0.7, 0.5], [0.5, 0.8]], [1, 0.8, 0.6, 0.9, 1], 5),
    "eight": (
        [[0, 50.0], [-46.0, 8.0]],
        [[0, 0], [0.31, 0.07], [0.05, 0.35], [0.64, 0.1], [0.36, 0.42], [0.7, 0.45], [0.1, 0.7], [0.52, 0.76]],
        [1] * 8,
        8,
    ),
}


@dataclass(frozen=True)
class Scene:
    """Columns, which of them are false, the true places of those left out, and the true basis and nearest distance."""

    columns: Columns
    false: np.ndarray
    vacancies: np.ndarray
    basis: np.ndarray
    nearest: float
    shape: tuple[int, int]


def scene(
    name="square",
    *,
    side=500,
    shape=None,
    scale=1.0,
    angle=7.0,
    jitter=0.0,
    vacancies=0.0,
    false=0.0,
    drift=0.0,
    seed=0,
    inside=None,
):
    """A known lattice; `jitter` (per axis) in units of the nearest distance, `drift` in px across the image."""
    rng = np.random.default_rng(seed)
    basis, motif, intensities, _ = KNOWN[name]
    shape = shape or (side, side)
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    basis = scale * np.array(basis) @ [[cosine, sine], [-sine, cosine]]
    reach = int(2 * max(shape) / np.sqrt(abs(np.linalg.det(basis)))) + 4
    cells = np.stack(np.meshgrid(*[np.arange(-reach, reach)] * 2, indexing="ij"), -1).reshape(-1, 2)
    places = (cells[:, None] + np.array(motif)).reshape(-1, 2) @ basis + np.array(shape) / 2
    kind = np.tile(np.arange(len(motif)), len(cells))
    y, x = places.T / np.array(shape)[:, None]
    places = places + drift * np.stack([np.sin(2.1 * y + 0.7 * x), np.cos(1.7 * x - 0.5) * y], axis=1)
    kept = np.all((places > 3) & (places < np.array(shape) - 4), axis=1)
    if inside is not None:
        kept &= inside(places)
    places, kind = places[kept], kind[kept]
    nearest = float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    intensity = np.array(intensities, float)[kind] * (1 + 0.05 * rng.normal(size=len(kind)))
    seen = places + rng.normal(0, jitter * nearest, places.shape)
    gone = rng.random(len(places)) < vacancies
    extra = rng.uniform(0, 1, (int(false * len(places)), 2)) * shape
    positions = np.concatenate([seen[~gone], extra])
    order = rng.permutation(len(positions))
    intensity = np.concatenate([intensity[~gone], rng.uniform(0.3, 1, len(extra))])
    columns = Columns(positions=positions[order], image_shape=shape).with_features(intensity=intensity[order])
    return Scene(columns, order >= np.count_nonzero(~gone), places[gone], basis, nearest, shape)
