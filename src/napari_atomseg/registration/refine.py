"""Shift, rotation and magnification together, by Gauss-Newton steps on the images with matched intensities."""

from __future__ import annotations

import math

import numpy as np

from napari_atomseg.registration.placement import LEAST_SIDE, Limits, Placement, rotation_matrix
from napari_atomseg.registration.spline_image import SplineImage


def refine_placement(
    points: np.ndarray,
    values: np.ndarray,
    surface: SplineImage,
    start: Placement,
    limits: Limits,
    tolerance: float,
    rounds: int = 40,
) -> tuple[Placement, float]:
    r"""Placement with the least squared difference of matched intensities, by Gauss-Newton steps from a start.

    Parameters
    ----------
    points : ndarray, shape (N, 2), Å
    values : ndarray, shape (N,)
        Of the experiment.
    surface : SplineImage
        The simulated image.
    start : Placement
    limits : Limits
        What is not fitted has the limit 0.
    tolerance : float, Å
        Steps that move the corners by less end the search.
    rounds : int
        Steps at most.

    Returns
    -------
    placement : Placement
    correlation : float
        Over the overlap.

    Notes
    -----
    .. math:: \min_{t, \theta, m, a, b} \sum_i \left[ E(r_i) - a\, S\big(R(-\theta)(r_i - t) / m\big) - b \right]^2
    """
    placement, unexplained = start, unexplained_share(points, values, surface, start)
    for _ in range(rounds):
        step = _step(points, values, surface, placement, limits)
        if step is None:
            break
        share, moved, better = 1.0, placement, math.inf
        while share > 1 / 32:
            moved = _moved(placement, share * step, _middle(points, surface, placement), limits)
            better = unexplained_share(points, values, surface, moved)
            if better <= unexplained:
                break
            share /= 2
        if not better <= unexplained:
            break
        corners = surface.extent * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        change = np.abs(moved.on_experiment(corners) - placement.on_experiment(corners)).max()
        placement, unexplained = moved, better
        if change < tolerance:
            break
    return placement, math.sqrt(max(0.0, 1 - unexplained)) if math.isfinite(unexplained) else 0.0


def overlapping(points: np.ndarray, surface: SplineImage, placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Which points the simulated image reaches, and where they lie on it.

    Parameters
    ----------
    points : ndarray, shape (N, 2), Å, (y, x)
        Of the experiment.
    surface : SplineImage
        The simulated image.
    placement : Placement

    Returns
    -------
    known : ndarray of bool, shape (N,)
    places : ndarray, shape (M, 2), Å, (y, x)
        Of the known points, on the simulation.
    """
    places = placement.on_simulation(points)
    known = surface.within(places)
    return known, places[known]


def _middle(points: np.ndarray, surface: SplineImage, placement: Placement) -> np.ndarray:
    """Of the overlap, about which rotation and magnification change least else."""
    known, _ = overlapping(points, surface, placement)
    return np.asarray(points[known].mean(axis=0)) if known.any() else np.zeros(2)


def unexplained_share(points: np.ndarray, values: np.ndarray, surface: SplineImage, placement: Placement) -> float:
    """Share of the variance over the overlap that the simulated image does not explain with the best gain and offset.

    Parameters
    ----------
    points : ndarray, shape (N, 2), Å, (y, x)
    values : ndarray, shape (N,)
        Intensities of the experiment there.
    surface : SplineImage
        The simulated image.
    placement : Placement

    Returns
    -------
    share : float
        From 0 to 2, more than 1 where contrasts are opposite; infinite without an overlap.
    """
    known, places = overlapping(points, surface, placement)
    if known.sum() < LEAST_SIDE**2 / 4:
        return math.inf
    seen, expected = values[known], surface.at(places)
    seen, expected = seen - seen.mean(), expected - expected.mean()
    total, power = float(seen @ seen), float(expected @ expected)
    if total <= 0 or power <= 0:
        return math.inf
    product = float(seen @ expected)
    return 1 - product * abs(product) / (total * power)


def _step(
    points: np.ndarray, values: np.ndarray, surface: SplineImage, placement: Placement, limits: Limits
) -> np.ndarray | None:
    """Change of shift (Å), rotation and logarithm of the magnification about the middle of the overlap."""
    known, places = overlapping(points, surface, placement)
    if known.sum() < LEAST_SIDE**2 / 4:
        return None
    seen, expected = values[known], surface.at(places)
    slopes = surface.slopes_at(places) @ rotation_matrix(placement.rotation).T / placement.magnification
    arm = points[known] - points[known].mean(axis=0)
    turned = slopes[:, 0] * arm[:, 1] - slopes[:, 1] * arm[:, 0]
    stretched = np.einsum("ni,ni->n", slopes, arm)
    level = expected - expected.mean()
    gain = float(level @ seen) / max(float(level @ level), np.finfo(float).tiny)
    design = -gain * np.column_stack([slopes, turned * (limits.rotation > 0), stretched * (limits.scale > 0)])
    design = np.column_stack([design, expected, np.ones(len(seen))])
    norms = np.linalg.norm(design, axis=0)
    norms[norms == 0] = 1
    design /= norms
    residual = seen - gain * level - seen.mean()
    # Directions along which the images have no contrast are left alone.
    found = np.linalg.lstsq(design.T @ design, design.T @ residual, rcond=1e-9)[0] / norms
    return np.asarray(found[:4]) if np.isfinite(found).all() else None


def _moved(placement: Placement, step: np.ndarray, middle: np.ndarray, limits: Limits) -> Placement:
    rotation = float(np.clip(placement.rotation + step[2], -limits.rotation, limits.rotation))
    magnification = float(np.clip(placement.magnification * math.exp(step[3]), 1 - limits.scale, 1 + limits.scale))
    if limits.rotation == 0:
        rotation = placement.rotation
    if limits.scale == 0:
        magnification = placement.magnification
    arm = np.array(placement.shift) - middle
    turned = rotation_matrix(rotation - placement.rotation) @ arm * (magnification / placement.magnification)
    shift = middle + step[:2] + turned
    return Placement(shift=(float(shift[0]), float(shift[1])), rotation=rotation, magnification=magnification)
