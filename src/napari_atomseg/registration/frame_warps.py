"""Smooth distortions of frames, told from the mean of all frames: shifts of nodes, as smooth as the data allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from napari_atomseg.core.jobs import Steps
from napari_atomseg.registration.frames import Frames
from napari_atomseg.registration.mean_of_others import fit_to_the_others, one_of

PASSES, ROUNDS = 2, 3
NODES, SMALLEST_CELL = 9, 24
"""Nodes along the longer side, and the least number of px between two."""
BLUR = 1.0
"""Width of the Gaussian that frames are smoothed by, px."""
BEND = 0.3
"""Standard deviation of the second differences of the shifts between nodes that is expected, px."""
FARTHEST = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Warps:
    """Distortions of frames.

    Attributes
    ----------
    nodes : ndarray, shape (T, N, M, 2), px, (y, x)
        Shifts of the content against the whole frame's shift, at N x M places spread evenly over the frame from its first to its
        last pixel; NaN for frames that are left out.
    """

    nodes: np.ndarray


def register_warps(frame_of: Frames, frame_shifts: np.ndarray, shape: tuple[int, int], passes: int = PASSES) -> Steps[Warps]:
    """Smooth distortions of all frames.

    Parameters
    ----------
    frame_of : callable
        Gives frame k, shape (Y, X), float32.
    frame_shifts : ndarray, shape (T, 2), px, (y, x)
        Those of whole frames; NaN for frames that are left out.
    shape : tuple of int
        (Y, X).
    passes : int
        How often each frame is fitted to the mean of the others.
    """
    good = np.flatnonzero(np.isfinite(frame_shifts).all(axis=1))
    grid = _grid(shape)
    nodes = np.full((len(frame_shifts), *grid, 2), np.nan)
    nodes[good] = 0.0
    for number in range(passes):
        nodes = yield from one_of(passes, number, _one_pass(frame_of, frame_shifts, shape, good, nodes))
    return Warps(nodes=nodes)


def _one_pass(
    frame_of: Frames, frame_shifts: np.ndarray, shape: tuple[int, int], good: np.ndarray, nodes: np.ndarray
) -> Steps[np.ndarray]:
    """Nodes (T, N, M, 2) after each frame was fitted once to the mean of the others."""
    fits = yield from fit_to_the_others(
        frame_of,
        good,
        shape,
        lambda k, frame: unwarped(frame, frame_shifts[k], nodes[k]),
        lambda k, frame, others: _fitted(frame, others, frame_shifts[k], nodes[k]),
        "fitting distortions",
    )
    found = nodes.copy()
    for k, fitted in zip(good, fits, strict=True):
        found[k] = fitted
    # What all frames have in common is the reference's.
    return np.asarray(found - np.nanmean(found[good], axis=0))


def unwarped(frame: np.ndarray, shift: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """A frame on the grid of the reference, float32 (Y, X); NaN where it shows nothing.

    Parameters
    ----------
    frame : ndarray, shape (Y, X)
    shift : ndarray, shape (2,), px, (y, x)
        Of the whole frame.
    nodes : ndarray, shape (N, M, 2), px, (y, x)
        As in :class:`Warps`.
    """
    known = np.isfinite(frame)
    filled = frame if known.all() else np.where(known, frame, frame[known].mean() if known.any() else 0.0)
    start = [axis + one for axis, one in zip(np.indices(frame.shape, dtype=np.float32), shift, strict=True)]
    places = start
    for _ in range(2):
        field = _field(nodes, places, frame.shape)
        places = [axis + one for axis, one in zip(start, field, strict=True)]
    found = ndimage.map_coordinates(np.asarray(filled, np.float32), places, order=3, mode="mirror", output=np.float32)
    reached = ndimage.map_coordinates(known.astype(np.float32), places, order=1, mode="constant", output=np.float32) > 0.99
    return np.where(reached, found, np.nan).astype(np.float32)


def _grid(shape: tuple[int, int]) -> tuple[int, int]:
    longest = max(shape)
    cell = max(SMALLEST_CELL, longest / (NODES - 1))
    return tuple(max(2, round(side / cell) + 1) for side in shape)  # type: ignore[return-value]


def _field(nodes: np.ndarray, places: list[np.ndarray], shape: tuple[int, ...]) -> list[np.ndarray]:
    """Shifts along y and x at places (y, x) in the frame."""
    steps = [(count - 1) / max(side - 1, 1) for count, side in zip(nodes.shape[:2], shape, strict=True)]
    at = [axis * step for axis, step in zip(places, steps, strict=True)]
    return [ndimage.map_coordinates(nodes[..., one], at, order=1, mode="nearest", output=np.float32) for one in (0, 1)]


def _fitted(frame: np.ndarray, mean: np.ndarray, shift: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Nodes (N, M, 2) of one frame after a few steps."""
    known = np.isfinite(frame)
    seen = ndimage.gaussian_filter(np.where(known, frame, frame[known].mean()).astype(np.float32), BLUR)
    reached = np.isfinite(mean)
    smooth = ndimage.gaussian_filter(np.where(reached, mean, mean[reached].mean()).astype(np.float32), BLUR)
    spline = ndimage.spline_filter(smooth, 3, output=np.float32, mode="mirror")
    slopes = [slope.astype(np.float32) for slope in np.gradient(smooth)]
    basis, rows, columns = _basis(frame.shape, nodes.shape[:2])
    stiff = _stiffness(nodes.shape[:2])
    pixels = np.indices(frame.shape, dtype=np.float32)
    found = nodes.copy()
    for _ in range(ROUNDS):
        field = _field(found, list(pixels), frame.shape)
        places = [axis - one - part for axis, one, part in zip(pixels, shift, field, strict=True)]
        values = ndimage.map_coordinates(spline, places, order=3, prefilter=False, mode="mirror", output=np.float32)
        inside = ndimage.map_coordinates(reached.astype(np.float32), places, order=1, mode="constant", output=np.float32) > 0.99
        weight = (inside & known).astype(np.float32)
        there = max(float(weight.sum()), 1.0)
        level = [float((weight * one).sum()) / there for one in (seen, values)]
        data, expected = (weight * (one - middle) for one, middle in zip((seen, values), level, strict=True))
        brightness = float((expected * data).sum()) / max(float((expected**2).sum()), 1e-30)
        residual = data - brightness * expected
        noise = float((residual**2).sum()) / there * 4 * np.pi * BLUR**2
        slope = [
            -brightness * weight * ndimage.map_coordinates(one, places, order=1, mode="nearest", output=np.float32)
            for one in slopes
        ]

        def cells(image: np.ndarray, noise: float = noise) -> sparse.dia_matrix:
            summed = np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1).ravel().astype(float)
            return sparse.diags(summed / max(noise, 1e-30))

        tells = [[basis.T @ cells(slope[i] * slope[j]) @ basis for j in (0, 1)] for i in (0, 1)]
        now = [found[..., one].ravel() for one in (0, 1)]
        right = [sum(tells[i][j] @ now[j] for j in (0, 1)) + basis.T @ cells(slope[i] * residual).diagonal() for i in (0, 1)]
        whole = sparse.bmat(tells) + sparse.block_diag([stiff, stiff])
        solved = spsolve(whole.tocsc(), np.concatenate(right)).reshape(2, *nodes.shape[:2])
        found = np.clip(np.moveaxis(solved, 0, -1), -FARTHEST, FARTHEST)
    return found


def _basis(shape: tuple[int, ...], grid: tuple[int, ...]) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Shares of the nodes in cells of a quarter of their distance, (C, N * M), and where the cells begin along y and x."""
    parts, begins = [], []
    for side, count in zip(shape, grid, strict=True):
        edges = np.unique(np.linspace(0, side, 4 * (count - 1) + 1).astype(int))
        middles = (edges[:-1] + edges[1:] - 1) / 2 * (count - 1) / max(side - 1, 1)
        low = np.minimum(middles.astype(int), count - 2)
        share = middles - low
        cell = np.arange(len(middles))
        parts.append(
            sparse.csr_matrix((np.r_[1 - share, share], (np.r_[cell, cell], np.r_[low, low + 1])), shape=(len(middles), count))
        )
        begins.append(edges[:-1])
    return sparse.kron(parts[0], parts[1]).tocsr(), begins[0], begins[1]


def _stiffness(grid: tuple[int, ...]) -> sparse.csr_matrix:
    """What second differences of the shifts of nodes cost; a little for the shifts, so that nothing is undetermined."""
    parts = []
    for axis, count in enumerate(grid):
        bend = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(max(count - 2, 0), count)) if count > 2 else None
        one = sparse.csr_matrix((count, count)) if bend is None else bend.T @ bend
        others = sparse.identity(grid[1 - axis])
        parts.append(sparse.kron(one, others) if axis == 0 else sparse.kron(others, one))
    slack = sparse.identity(int(np.prod(grid))) * 1e-3
    return ((parts[0] + parts[1]) / BEND**2 + slack).tocsr()
