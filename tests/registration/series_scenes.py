"""Drawn series whose shifts are known, for tests and benchmarks."""

import numpy as np
from scipy import ndimage

from napari_atomseg.imaging.column_image import render_columns
from napari_atomseg.registration.rotated_scans import Axes

SPACING, SIGMA, BACKGROUND = 19.5, 3.0, 0.1


def lattice(rng, side, kind="defect", second=SPACING, angle=np.pi / 2):
    """Columns (N, 2), px, and their heights: a crystal that goes on, one with a vacancy, or its corner."""
    cells = np.stack(np.meshgrid(np.arange(-40, 41), np.arange(-40, 41), indexing="ij"), -1).reshape(-1, 2)
    turn = rng.uniform(0, np.pi / 2)
    vectors = np.array(
        [
            SPACING * np.array([np.sin(turn), np.cos(turn)]),
            second * np.array([np.sin(turn + angle), np.cos(turn + angle)]),
        ]
    )
    heavy = cells @ vectors + side / 2 + rng.uniform(-5, 5, 2)
    places = np.concatenate([heavy, heavy + vectors.sum(axis=0) / 2])
    heights = np.repeat([1.0, 0.45], len(heavy))
    if kind == "defect":
        near = np.argsort(np.hypot(*(heavy - side / 2).T))
        heights[near[rng.integers(6)]] = 0.0
    if kind == "corner":
        inside = (places - (side / 2 + rng.uniform(-30, 30, 2))) @ np.linalg.inv(vectors)
        kept = (inside < 0).any(axis=1)
        places, heights = places[kept], heights[kept]
    return places, heights


def drift(rng, number, longest=0.45, farthest=3.0):
    """Shifts (T, 2), px, in random steps of at most so many spacings, never farther than so many."""
    while True:
        steps = 0.3 * SPACING * rng.normal(size=(number - 1, 2))
        lengths = np.hypot(*steps.T)
        steps *= (np.minimum(lengths, longest * SPACING) / lengths)[:, None]
        shifts = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        if np.hypot(*shifts.T).max() < farthest * SPACING:
            return shifts


def series(rng, kind, number, side=128, peak=30.0, jitter=0.0, **more):
    """Counted frames (T, Y, X), their shifts (T, 2) and those of their rows (T, Y), px along x."""
    places, heights = lattice(rng, side, kind)
    shifts = drift(rng, number, **more)
    rows = rng.normal(0, jitter, (number, side)) if jitter else np.zeros((number, side))
    frames = []
    for shift, moved in zip(shifts, rows, strict=True):
        there = places + shift
        near = np.all((there > -15) & (there < side + 15), axis=1)
        clean = peak * (BACKGROUND + render_columns(there[near], heights[near] * 2 * np.pi * SIGMA**2, SIGMA, (side, side)))
        at = [np.repeat(np.arange(side)[:, None], side, 1), np.arange(side) - moved[:, None]]
        clean = ndimage.map_coordinates(clean, at, order=3, mode="mirror") if jitter else clean
        frames.append(rng.poisson(np.maximum(clean, 0)))
    return np.array(frames, np.float32), shifts, rows


def turned_scan(rng, places, heights, side, rotation, drifts, peak=60.0):
    """A counted scan (Y, X) in a direction (degrees) while the specimen drifts by (Y, 2), px."""
    axes, margin = Axes.of((side, side), rotation), int(0.45 * side)
    near = np.all((places > -margin) & (places < side + margin), axis=1)
    shape = (side + 2 * margin, side + 2 * margin)
    clean = render_columns(places[near] + margin, heights[near] * 2 * np.pi * SIGMA**2, SIGMA, shape)
    rows, columns = np.indices((side, side))
    at = [one - drifts[:, axis][:, None] + margin for axis, one in enumerate(axes.places(rows, columns))]
    return rng.poisson(peak * np.maximum(BACKGROUND + ndimage.map_coordinates(clean, at, order=3), 0)).astype(np.float32)
