"""Refine column positions: a two-dimensional Gaussian on a flat local background, fitted to all columns in batches.

Each column is fitted in a round window on the raw image after the current models of its neighbours have been taken
away, in turn until all are at rest, so that overlapping columns do not pull at each other (block Gauss-Seidel on the
joint problem of De Backer et al., Ultramicroscopy 171, 104 (2016), Eq. 1). Pixels are weighted by the inverse of the
variance that counting noise gives the current model, which is Fisher scoring of the Poisson likelihood; standard
deviations are those of the Fisher information with unknown neighbours.

Points on the shoulder of a far stronger column, or on nothing, are not let loose: they would run to the next column.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from scipy import spatial

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Quantity
from napari_atomseg.localise.least_squares import CONVERGED, EVERYTHING, POSITION_AND_HEIGHT, fit, heights_and_levels
from napari_atomseg.localise.noise_level import NoiseLevel, estimate_noise
from napari_atomseg.localise.scale import centre_crop, estimate_scale
from napari_atomseg.localise.uncertainty import covariances, own_information
from napari_atomseg.localise.windows import (
    HEIGHT,
    LEVEL,
    SIGMA,
    Windows,
    X,
    Y,
    cut,
    neighbour_pairs,
    profile,
    sum_of_neighbours,
    window_offsets,
    window_radius,
)

CHUNK_VALUES = 400_000
"""Window pixels treated at once; bounds memory to some tens of MB."""
WIDER_THAN_CORRELATION = 1.12
"""Neighbours make the width that is read from the autocorrelation a little too narrow."""
LINEAR_SWEEPS = 6
RELAXATION = 0.8
FREE_WIDTH_ROUNDS = 3
WIDTH_EVERY = 4
"""The width that all columns share is measured in the first rounds, and then in every fourth until they are at rest."""
LOOK_AGAIN = (1, 2, 4)
"""After these rounds the faint are looked for anew on what the strong ones leave."""
AT_REST = 1e-3
REST_IN_STD = 0.05
OVERLAP_IN_SIGMA = 4.0
"""Columns nearer than this pull at each other."""
FARTHEST = 2.2
"""No column is believed farther than this from where it was put, in sigma."""
SEEN = 4.0
"""Significance of a height below which nothing is there to be fitted."""
SEEN_AGAIN = 6.0
FAINTEST = 0.07
"""Of the strongest of the eight nearest."""
SHOULDER = 3.2
"""Within so many sigmas a column stands on its neighbour's shoulder ..."""
SHOULDER_SHARE = 0.35
"""... and must have this share of its height to be told from it."""
SPIKE = 7.0
"""A residual of so many standard deviations is no electron."""
DIMMEST = 0.03
"""Pixels are not weighted as if less than this share of the column's height were expected there."""


@dataclass(frozen=True, kw_only=True)
class RefineParams:
    """How columns are refined.

    Attributes
    ----------
    width : str
        One width shared by all columns (steadier, right where the probe gives the width), or each its own.
    likelihood : str
        Pixels weighted by their counting noise (Poisson maximum likelihood; the gain is read from the image or given), or
        all alike (least squares).
    gain : float or None
        Variance for each unit of intensity: 1 for an image in counts; empty: read from the image.
    window : float
        Smallest radius of the fitted window in units of the column's sigma; wider where columns stand apart.
    rounds : int
        How often neighbours are taken away anew, at most; columns at rest are left alone.
    """

    width: Literal["shared", "each"] = "shared"
    likelihood: Literal["poisson", "least-squares"] = "poisson"
    gain: Annotated[float, Quantity(low=1e-12, high=1e12, decimals=4)] | None = None
    window: Annotated[float, Quantity(low=1, high=5, decimals=1)] = 2.5
    rounds: Annotated[int, Quantity(low=1, high=200)] = 40

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What stays the same while columns are refined.

    Attributes
    ----------
    image : ndarray of float, shape (Y, X)
        Finite; invalid pixels hold the median.
    valid : ndarray of bool, shape (Y, X)
    start : ndarray, shape (N, 5)
        Positions as they were given, and the width to begin with.
    offsets : ndarray of int, shape (P, 2)
        Pixels of a window.
    noise : NoiseLevel
    params : RefineParams
    """

    image: np.ndarray
    valid: np.ndarray
    start: np.ndarray
    offsets: np.ndarray
    noise: NoiseLevel
    params: RefineParams

    def chunks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The given columns (ascending), a bounded number at a time."""
        size = max(1, CHUNK_VALUES // len(self.offsets))
        for first in range(0, len(rows), size):
            yield rows[first : first + size]

    def windows(self, rows: np.ndarray) -> Windows:
        """Windows around the starting positions of the given columns."""
        return cut(self.image, self.valid, self.start[rows, :2], self.offsets)

    def weighted(self, windows: Windows, others: np.ndarray, model: np.ndarray) -> Windows:
        """The same windows, each residual weighted by the inverse standard deviation of its pixel; spikes by nothing."""
        height = np.abs(model[:, HEIGHT, None])
        expected = others + model[:, HEIGHT, None] * profile(windows, model) + model[:, LEVEL, None]
        floor = (1e-4 * height) ** 2 + 1e-24
        variance = self.noise.variance(np.maximum(expected, self.noise.pedestal + DIMMEST * height)) + floor
        limit = SPIKE**2 * np.maximum(variance, self.noise.variance(self.noise.pedestal + 0.3 * height) + floor)
        spike = (windows.values - expected) ** 2 > limit
        # In an image that the noise level does not describe at all, no pixel may be called a spike.
        spike &= np.mean(spike, axis=1, keepdims=True) < 0.1
        if self.params.likelihood == "least-squares":
            variance = np.maximum(np.mean(variance, axis=1, keepdims=True), 1e-300)
        return windows.weighted(windows.weight * ~spike / np.sqrt(variance))


def refine_columns(image: np.ndarray, columns: Columns, params: RefineParams | None = None) -> Generator[Progress, None, Columns]:
    """Fit every column of one image again.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Raw intensities; NaN and infinity have no weight.
    columns : Columns
        Of this image alone (one frame); `sigma_px` serves as a start where known.
    params : RefineParams

    Yields
    ------
    Progress
        One for each chunk of columns and round.

    Returns
    -------
    Columns
        Same order and number. `fit` is `ok`, `border` (part of the window lies outside), `overlap` (a neighbour within
        1.5 sigma) or `failed`; a failed column keeps its earlier position, height and width. `intensity` is the height
        above the `background`, negative for dark columns. `y_std_px`, `x_std_px` are one standard deviation for noise
        that is independent from pixel to pixel.
    """
    params = params or RefineParams()
    if len(columns) == 0:
        return columns
    yield Progress(0, 0, "preparing")
    scene = _scene(image, columns, params)
    model, significance = yield from _weighed(scene)
    sign = 1.0 if np.nanmedian(model[:, HEIGHT]) >= 0 else -1.0
    nothing = (sign * significance < SEEN) | _all_too_faint(model, sign)
    state = State(model=model, faint=nothing, away=np.zeros_like(nothing), moved=np.full(len(model), np.inf), sign=sign)
    restless = np.ones(len(model), bool)
    for turn in range(params.rounds):
        before = state.model
        state = yield from _round(scene, state, restless, turn)
        restless = _restless(before, state.model, state.faint)
        if turn > max(LOOK_AGAIN) and not restless.any():
            break
        if turn < FREE_WIDTH_ROUNDS:
            restless[:] = True
        restless = _with_partners(restless, state.model, neighbour_pairs(state.model, _radius(scene)))
    state.model[state.faint, HEIGHT] = 0
    std = yield from _standard_deviations(scene, state.model)
    return _verdict(columns, scene, state, std)


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """How far the refinement is.

    Attributes
    ----------
    model : ndarray, shape (N, 5)
        Current parameters; height 0 for columns that are not there.
    faint : ndarray of bool, shape (N,)
        Too faint to be fitted, or on a neighbour's shoulder.
    away : ndarray of bool, shape (N,)
        Ran away at the last attempt.
    moved : ndarray, shape (N,)
        Last step of the last fit, in sigma.
    sign : float
        +1 for bright columns, -1 for dark ones.
    """

    model: np.ndarray
    faint: np.ndarray
    away: np.ndarray
    moved: np.ndarray
    sign: float


def _round(scene: Scene, state: State, restless: np.ndarray, turn: int) -> Generator[Progress, None, State]:
    """Fit the restless columns once, each with all others as they were before the round."""
    params, sign = scene.params, state.sign
    model, faint, away, moved = state.model.copy(), state.faint.copy(), state.away.copy(), state.moved.copy()
    model[faint, HEIGHT] = 0
    pairs = neighbour_pairs(model, _radius(scene))
    shares = params.width == "shared" and (turn < FREE_WIDTH_ROUNDS or turn % WIDTH_EVERY == 0)
    # A median width of a few would not be that of all.
    waiting = np.flatnonzero((restless | shares) & ~faint)
    which = EVERYTHING if shares or params.width == "each" else POSITION_AND_HEIGHT
    fitted = model.copy()
    for number, chunk in enumerate(scene.chunks(waiting)):
        yield Progress(turn * len(waiting) + number, params.rounds * max(1, len(waiting)), "refining")
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        fitted[chunk], moved[chunk] = fit(scene.weighted(windows, others, model[chunk]), others, model[chunk], which)
    away[waiting] = _unbelievable(fitted[waiting], scene.start[waiting], sign)
    taken = waiting[~away[waiting]]
    model[taken] = fitted[taken]
    if shares and len(taken):
        model[:, SIGMA] = np.median(model[taken, SIGMA])
    if turn in LOOK_AGAIN:
        yield Progress(turn, params.rounds, "looking for the faint")
        model, faint, away = _look_again(scene, model, pairs, faint, away, sign)
    if turn > 1:
        faint |= _all_too_faint(model, sign)
    return State(model=model, faint=faint, away=away, moved=moved, sign=sign)


def _scene(image: np.ndarray, columns: Columns, params: RefineParams) -> Scene:
    valid = np.isfinite(image)
    middle = float(np.median(image[valid])) if valid.any() else 0.0
    filled = np.where(valid, image, middle).astype(np.float64)
    # Beyond float32 squares of intensities would overflow.
    largest = float(np.abs(filled).max(initial=0.0))
    if largest > 1e30:
        valid &= np.abs(filled) <= 1e30
        filled = np.where(valid, filled, 0.0)
    noise = estimate_noise(filled)
    if params.gain is not None:
        noise = NoiseLevel(gain=params.gain, read_variance=0.0, pedestal=min(0.0, noise.pedestal))
    start = np.zeros((len(columns), 5))
    start[:, :2] = columns.positions
    start[:, SIGMA] = _starting_widths(filled, columns)
    radius = window_radius(start[:, :2], float(np.median(start[:, SIGMA])), params.window)
    return Scene(image=filled, valid=valid, start=start, offsets=window_offsets(radius), noise=noise, params=params)


def _starting_widths(image: np.ndarray, columns: Columns) -> np.ndarray:
    """Width of each column from its features where known, else from the image; shape (N,), px."""
    sigma = columns.features["sigma_px"].to_numpy(dtype=float, copy=True)
    # What a search without a fit knows is the width of the autocorrelation.
    searched = (columns.features["origin"] == "classical") & columns.features["y_std_px"].isna()
    sigma[searched.to_numpy()] *= WIDER_THAN_CORRELATION
    unknown = ~np.isfinite(sigma) | (sigma <= 0.3)
    if unknown.all():
        scale = estimate_scale(centre_crop(image, 1024))
        return np.full(len(sigma), WIDER_THAN_CORRELATION * scale.sigma_px if scale else 3.0)
    sigma[unknown] = np.median(sigma[~unknown])
    return np.asarray(sigma)


def _radius(scene: Scene) -> float:
    return float(np.hypot(*scene.offsets.T).max())


def _weighed(scene: Scene) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray]]:
    """Heights and levels for positions and widths as they were given, shape (N, 5), and the significance of each height."""
    model = scene.start.copy()
    significance = np.zeros(len(model))
    pairs = neighbour_pairs(model, _radius(scene))
    for sweep in range(LINEAR_SWEEPS):
        swept = model.copy()
        for chunk in scene.chunks(np.arange(len(model))):
            yield Progress(sweep, LINEAR_SWEEPS, "weighing")
            windows = scene.windows(chunk)
            others = sum_of_neighbours(windows, model, chunk, pairs)
            height, level, _ = heights_and_levels(windows, others, model[chunk])
            swept[chunk, HEIGHT] += RELAXATION * (height - model[chunk, HEIGHT])
            swept[chunk, LEVEL] = level
            if sweep == LINEAR_SWEEPS - 1:
                weighted = scene.weighted(windows, others, swept[chunk])
                best, _, information = heights_and_levels(weighted, others, swept[chunk])
                significance[chunk] = best * np.sqrt(information)
        model = swept
    return model, significance


def _all_too_faint(model: np.ndarray, sign: float) -> np.ndarray:
    return _too_faint(model, model[:, :2], np.arange(len(model)), model[:, HEIGHT], sign)


def _too_faint(model: np.ndarray, positions: np.ndarray, rows: np.ndarray, heights: np.ndarray, sign: float) -> np.ndarray:
    """True where a height is nothing beside its neighbourhood, or cannot be told from a neighbour's shoulder, shape (M,)."""
    usable = np.flatnonzero(np.isfinite(model[:, :3]).all(axis=1))
    if len(usable) == 0:
        return np.ones(len(rows), bool)
    tree = spatial.cKDTree(model[usable, :2])
    distance, near = tree.query(np.nan_to_num(positions), k=min(9, len(usable)))
    distance, near = distance.reshape(len(rows), -1), usable[near.reshape(len(rows), -1)]
    strength = np.where(near == np.asarray(rows)[:, None], 0.0, sign * model[near, HEIGHT])
    own = sign * heights
    on_shoulder = np.where(distance < SHOULDER * float(np.median(model[usable, SIGMA])), strength, 0.0)
    beside = np.maximum(strength.max(axis=1), own)
    return np.asarray((own < FAINTEST * beside) | (own < SHOULDER_SHARE * on_shoulder.max(axis=1)) | ~np.isfinite(own))


def _unbelievable(fitted: np.ndarray, start: np.ndarray, sign: float) -> np.ndarray:
    """True where a fit ran away, turned round or broke, shape (N,)."""
    away = np.hypot(fitted[:, Y] - start[:, Y], fitted[:, X] - start[:, X]) > FARTHEST * start[:, SIGMA]
    return np.asarray(away | ~np.isfinite(fitted).all(axis=1) | (sign * fitted[:, HEIGHT] <= 0))


def _look_again(
    scene: Scene, model: np.ndarray, pairs: np.ndarray, faint: np.ndarray, away: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Search around the starts of the lost on what the others leave; those that are found may be fitted again."""
    model, faint, away = model.copy(), faint.copy(), away.copy()
    model[away, HEIGHT] = 0
    for chunk in scene.chunks(np.flatnonzero(faint | away)):
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        candidate, significance = _best_place(scene, windows, others, model[chunk], scene.start[chunk, :2], sign)
        seen = sign * significance > SEEN_AGAIN
        seen &= ~_too_faint(model, candidate[:, :2], chunk, candidate[:, HEIGHT], sign)
        seen &= _apart_from_others(model, candidate, faint | away)
        found = chunk[seen]
        model[found] = candidate[seen]
        faint[found] = away[found] = False
    return model, faint, away


def _best_place(
    scene: Scene, windows: Windows, others: np.ndarray, model: np.ndarray, centre: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray]:
    """The place within 1.5 sigma of the start where a column explains most; nearer places are preferred a little."""
    best, significance, score = model.copy(), np.zeros(len(model)), np.full(len(model), -np.inf)
    weighted = scene.weighted(windows, others, model)
    for dy, dx in np.argwhere(np.ones((7, 7))) / 2 - 1.5:
        if np.hypot(dy, dx) > 1.52:
            continue
        trial = model.copy()
        trial[:, :2] = centre + np.array([dy, dx]) * model[:, SIGMA, None]
        trial[:, HEIGHT], trial[:, LEVEL], information = heights_and_levels(weighted, others, trial)
        found = trial[:, HEIGHT] * np.sqrt(information)
        value = sign * found - (dy**2 + dx**2) / 2
        better = value > score
        best[better], significance[better], score[better] = trial[better], found[better], value[better]
    return best, significance


def _apart_from_others(model: np.ndarray, candidate: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """True where no column that is there stands within 1.6 sigma of a candidate, shape (N,)."""
    present = model[~lost & np.isfinite(model[:, :2]).all(axis=1), :2]
    if len(present) == 0:
        return np.ones(len(candidate), bool)
    distance = spatial.cKDTree(present).query(np.nan_to_num(candidate[:, :2]))[0]
    return np.asarray(distance > 1.6 * candidate[:, SIGMA])


def _restless(before: np.ndarray, after: np.ndarray, faint: np.ndarray) -> np.ndarray:
    """True where a round changed a column by more than matters, shape (N,)."""
    step = np.hypot(after[:, Y] - before[:, Y], after[:, X] - before[:, X]) / after[:, SIGMA]
    growth = np.abs(after[:, HEIGHT] - before[:, HEIGHT]) / np.maximum(np.abs(after[:, HEIGHT]), 1e-30)
    return np.asarray(((step > AT_REST) | (growth > AT_REST)) & ~faint)


def _with_partners(restless: np.ndarray, model: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The restless columns and those so near that they will be moved by them, shape (N,)."""
    apart = np.hypot(*(model[pairs[:, 0], :2] - model[pairs[:, 1], :2]).T)
    moved = restless[pairs[:, 1]] & (apart < OVERLAP_IN_SIGMA * model[pairs[:, 0], SIGMA])
    grown = restless.copy()
    grown[pairs[moved, 0]] = True
    return grown


def _standard_deviations(scene: Scene, model: np.ndarray) -> Generator[Progress, None, np.ndarray]:
    """Of y and x, shape (N, 2), px; scaled up where the residuals are larger than the noise level says."""
    pairs = neighbour_pairs(model, _radius(scene))
    everyone = np.arange(len(model))
    with_width = scene.params.width == "each"
    size = 4 if with_width else 3
    information = np.zeros((len(model), size, size))
    surplus = np.ones(len(model))
    for chunk in scene.chunks(everyone):
        yield Progress(0, 0, "stating uncertainties")
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        weighted = scene.weighted(windows, others, model[chunk])
        information[chunk] = own_information(weighted, others, model[chunk], with_width)
        expected = others + model[chunk, HEIGHT, None] * profile(windows, model[chunk]) + model[chunk, LEVEL, None]
        freedom = np.maximum(np.sum(weighted.weight > 0, axis=1) - size - 1, 1)
        surplus[chunk] = np.sum((weighted.weight * (windows.values - expected)) ** 2, axis=1) / freedom
    variance = np.zeros((len(model), 2))
    for chunk in scene.chunks(everyone):
        yield Progress(0, 0, "stating uncertainties")
        windows = scene.windows(chunk)
        others = sum_of_neighbours(windows, model, chunk, pairs)
        weighted = scene.weighted(windows, others, model[chunk])
        covariance = covariances(weighted, others, model, chunk, pairs, information)
        variance[chunk] = np.stack([covariance[:, 0, 0], covariance[:, 1, 1]], axis=1)
    there = model[:, HEIGHT] != 0
    scale = max(1.0, float(np.median(surplus[there]))) if there.any() else 1.0
    with np.errstate(invalid="ignore"):
        return np.sqrt(scale * variance)


def _verdict(columns: Columns, scene: Scene, state: State, std: np.ndarray) -> Columns:
    """Columns with the fit where it can be believed, and the verdict on each."""
    model = state.model
    lost = state.faint | state.away | (state.moved > 100 * CONVERGED)
    extent = np.array(scene.image.shape) - 1.0
    outside = np.any((model[:, :2] < -0.5) | (model[:, :2] > extent + 0.5), axis=1)
    failed = lost | outside | _unbelievable(model, scene.start, state.sign) | ~np.isfinite(std).all(axis=1)
    # An error bar wider than the column, or none: nothing was measured.
    failed |= np.any((std > model[:, SIGMA, None]) | (std <= 0), axis=1)
    near = 0.6 * _radius(scene)
    border = np.any((scene.start[:, :2] < near) | (scene.start[:, :2] > extent - near), axis=1)
    overlap = _nearest(model, failed) < 1.5 * model[:, SIGMA]
    verdict = np.where(failed, "failed", np.where(border, "border", np.where(overlap, "overlap", "ok")))
    good = ~failed

    def chosen(name: str, values: np.ndarray) -> Any:
        return np.where(good, values, columns.features[name].to_numpy(dtype=float))

    return replace(
        columns.with_features(
            y_std_px=np.where(good, std[:, 0], np.nan),
            x_std_px=np.where(good, std[:, 1], np.nan),
            intensity=chosen("intensity", model[:, HEIGHT]),
            background=chosen("background", model[:, LEVEL]),
            sigma_px=chosen("sigma_px", model[:, SIGMA]),
            fit=verdict,
        ),
        positions=np.where(good[:, None], model[:, :2], columns.positions),
    )


def _nearest(model: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Distance to the nearest other column that was fitted, shape (N,), px; infinity if there is none."""
    closest = np.full(len(model), np.inf)
    rows = np.flatnonzero(~failed)
    if len(rows) > 1:
        closest[rows] = spatial.cKDTree(model[rows, :2]).query(model[rows, :2], k=2)[0][:, 1]
    return closest
