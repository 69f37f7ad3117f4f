"""Refine column positions: two-dimensional Gaussians on a background, fitted to all columns of an image together.

First each column is fitted in a round window of the raw image after the current models of its neighbours have been taken
away, a few rounds of all columns in batches, which is robust against poor starts; then all take their steps together
until they are at rest, so that overlapping columns do not pull at each other (De Backer et al., Ultramicroscopy 171, 104
(2016), Eq. 1). Pixels are weighted by the inverse of the variance that counting noise gives the current model, which is
Fisher scoring of the Poisson likelihood; standard deviations are those of the Fisher information with unknown neighbours.

Points on the shoulder of a far stronger column, or on nothing, are not let loose: they would run to the next column.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from napari_atomseg.core.columns import TAIL_SHARE, YX_CORRELATION, Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.refinement.beyond_gaussians import Beyond, beyond_gaussians
from napari_atomseg.localise.refinement.own_widths import refine_widths
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import RefinementProblem, prepare
from napari_atomseg.localise.refinement.recover import recover_failed
from napari_atomseg.localise.refinement.row_shifts import estimate_row_shifts
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, TAIL, X, Y, axes
from napari_atomseg.localise.refinement.stages import STEPS_OF_ROUNDS, fit_amplitudes, refine_individually, refine_jointly
from napari_atomseg.localise.refinement.state import State, canvas_of, is_diverged, nearest_others
from napari_atomseg.localise.refinement.stated_errors import on_slopes, stated_covariances

ROW_PASSES = 3
GOOD_SHARE = 0.8
"""With fewer fits that did not fail, of the points where something stands, other backgrounds are tried."""
BETTER_BY = 0.1
"""Another background is taken if its share of fits is higher by so much, and by half of that among all points."""
_OTHERS: dict[str, tuple[Literal["local", "tilted", "shared"], ...]] = {
    "local": ("tilted", "shared"),
    "tilted": ("shared", "local"),
    "shared": ("tilted", "local"),
}
"""Backgrounds that are tried, in this order, where the first one does not fit the image."""
HOPELESS = 0.5
"""Where a larger share of the columns has run away nothing more is learnt from what the fit leaves over."""
CHOSEN = "fit"
"""What the fit chose by itself, in the provenance of its columns."""

__all__ = ["CHOSEN", "RefineParams", "refine_columns"]


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
        that is independent from pixel to pixel, and `yx_correlation` is the correlation of the two. Elliptic columns
        have `sigma_px` along the long axis, `sigma_minor_px`, and `theta_rad` from x towards y. What the fit chose by
        itself (background, width to begin with, what was taken off the image) stands in ``provenance["fit"]``.
    """
    params = params or RefineParams()
    if len(columns) == 0:
        return columns
    free = params.background == "auto"
    first: Literal["local", "tilted", "shared"] = "local" if params.background == "auto" else params.background
    best = yield from _fitted(image, columns, replace(params, background=first))
    for background in _OTHERS[first]:
        sloping = free and best.sloping
        if best.good and not sloping:
            break
        other = yield from _fitted(image, columns, replace(params, background=background))
        better = other.share > best.share + BETTER_BY and other.of_all > best.of_all + BETTER_BY / 2
        if better or (sloping and other.good):
            best = other
    return best.columns


@dataclass(frozen=True, kw_only=True, eq=False)
class _Outcome:
    """Columns fitted on one kind of background.

    `share` did not fail of those where something stands, `of_all` of all; `sloping` says whether they stand on slopes.
    """

    columns: Columns
    share: float
    of_all: float
    sloping: bool

    @property
    def good(self) -> bool:
        return self.share >= GOOD_SHARE


def _fitted(image: np.ndarray, columns: Columns, params: RefineParams) -> Generator[Progress, None, _Outcome]:
    """All columns fitted on a background of one kind."""
    yield Progress(0, 0, "preparing")
    problem = prepare(image, columns, params)
    state = yield from fit_amplitudes(problem)
    standing = ~state.faint
    for turn, steps in enumerate(STEPS_OF_ROUNDS):
        state = yield from refine_individually(problem, state, steps, turn)
    state = yield from refine_jointly(problem, state)
    if (state.faint | state.away).any():
        state = yield from recover_failed(problem, state)
    if params.row_jitter:
        problem, state = yield from _with_rows_displaced(problem, state)
    if params.width == "each":
        state = yield from refine_widths(problem, state)
    described, taken = state, Beyond()
    # What tails leave over looks like slopes, and slopes would take the tails for their own.
    sloping = params.background == "local" and not params.tails and on_slopes(problem, state)
    if params.beyond_gaussians and not (standing.any() and state.away[standing].mean() > HOPELESS):
        problem, state, taken = yield from beyond_gaussians(problem, state)
    state.model[state.faint, HEIGHT] = 0
    covariance = yield from stated_covariances(problem, state)
    found = _flag_fits(columns, problem, state, covariance, described.model)
    chosen = {
        "background": params.background,
        "starting_width_px": round(float(np.median(problem.start[:, SIGMA])), 3),
        "unseen_neighbours": taken.companions,
        "learnt_profile": taken.profile,
    }
    fits = (found.features["fit"] != "failed").to_numpy()
    of_all = float(fits.mean())
    return _Outcome(
        columns=replace(found, provenance={**found.provenance, CHOSEN: chosen}),
        share=float(fits[standing].mean()) if standing.any() else of_all,
        of_all=of_all,
        sloping=sloping,
    )


def _with_rows_displaced(problem: RefinementProblem, state: State) -> Generator[Progress, None, tuple[RefinementProblem, State]]:
    """Displacements of rows and columns in turn."""
    for _ in range(ROW_PASSES):
        yield Progress(0, 0, "measuring row displacements")
        model = state.model.copy()
        model[state.faint | state.away, HEIGHT] = 0
        problem = replace(problem, shifts=estimate_row_shifts(problem, canvas_of(problem, model), model))
        state = yield from refine_jointly(problem, state)
    return problem, state


def _flag_fits(
    columns: Columns, problem: RefinementProblem, state: State, covariance: np.ndarray, described: np.ndarray
) -> Columns:
    """Columns with the fit where it can be believed, shaped as in the model `described` (N, 8), and the verdict on each."""
    model = state.model
    with np.errstate(invalid="ignore"):
        std = np.sqrt(np.einsum("nii->ni", covariance))
    lost = state.faint | state.away | (state.moved > 30)
    extent = np.array(problem.image.shape) - 1.0
    place = model[:, [Y, X]]
    outside = np.any((place < -0.5) | (place > extent + 0.5), axis=1)
    failed = lost | outside | is_diverged(model, problem.start, state.sign) | ~np.isfinite(std).all(axis=1)
    # An error bar wider than the column, or none: nothing was measured.
    failed |= np.any((std > model[:, SIGMA, None]) | (std <= 0), axis=1)
    near = 0.6 * problem.radius
    start = problem.start[:, [Y, X]]
    border = np.any((start < near) | (start > extent - near), axis=1)
    overlap = nearest_others(place, failed) < 1.5 * model[:, SIGMA]
    verdict = np.where(failed, "failed", np.where(border, "border", np.where(overlap, "overlap", "ok")))
    good = ~failed
    major, minor, angle = axes(described)
    measured: dict[str, Any] = {
        "intensity": problem.unit * described[:, HEIGHT],
        "background": problem.zero + problem.unit * described[:, LEVEL],
        "sigma_px": major,
    }
    if problem.params.shape == "elliptic":
        measured |= {"sigma_minor_px": minor, "theta_rad": angle}
    kept = {name: np.where(good, values, columns.features[name].to_numpy(dtype=float)) for name, values in measured.items()}
    correlation = covariance[:, 0, 1] / np.maximum(std[:, 0] * std[:, 1], 1e-300)
    if problem.params.tails:
        kept[TAIL_SHARE] = np.where(good, described[:, TAIL], np.nan)
    kept[YX_CORRELATION] = np.where(good, correlation, np.nan)
    return replace(
        columns.with_features(
            **kept,
            y_std_px=np.where(good, std[:, 0], np.nan),
            x_std_px=np.where(good, std[:, 1], np.nan),
            fit=verdict,
        ),
        positions=np.where(good[:, None], place, columns.positions),
    )
