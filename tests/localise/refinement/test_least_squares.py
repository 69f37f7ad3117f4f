"""The batched fit against finite differences, known truth and numpy's own linear least squares."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.localise.refinement.least_squares import (
    CONVERGED,
    Prior,
    damped_solution,
    fit,
    heights_and_levels,
    significances,
    stepped,
    window_problem,
)
from napari_atomseg.localise.refinement.shape import (
    FLATTEST,
    HEIGHT,
    LEVEL,
    SIGMA,
    SLANT,
    STRETCH,
    TAIL,
    X,
    Y,
    blank_model,
    derivatives,
)
from napari_atomseg.localise.refinement.windows import cut, window_offsets

SHAPE = (50, 400)
COUNT = 12
ROUND = (Y, X, SIGMA, HEIGHT)
ELLIPTIC = (*ROUND, STRETCH, SLANT)


@pytest.fixture
def truth(rng):
    """Columns far from each other, of unlike widths, heights and levels."""
    model = blank_model(COUNT)
    model[:, Y], model[:, X] = 25.0, 20 + 30.0 * np.arange(COUNT)
    model[:, [Y, X]] += rng.uniform(-0.5, 0.5, (COUNT, 2))
    model[:, SIGMA], model[:, HEIGHT] = rng.uniform(1.8, 3, COUNT), rng.uniform(20, 300, COUNT)
    model[:, LEVEL] = rng.uniform(-5, 40, COUNT)
    return model


def windows_of(model, radius=8.0):
    """Noise-free windows of the model itself."""
    windows = cut(np.zeros(SHAPE), np.ones(SHAPE, bool), model[:, [Y, X]], window_offsets(radius))
    windows.values[:] = windows.columns(model) + model[:, LEVEL, None]
    return windows


def fitted(windows, start, which=ROUND, others=None, background="local", **rest):
    others = np.zeros_like(windows.values) if others is None else others.astype(np.float32)
    return fit(window_problem(windows, others, background), start, which, **rest)


def functions_of(windows, count):
    """Of each window the background's functions (N, P, B), not orthonormal."""
    plane = np.column_stack([np.ones(len(windows.offsets)), windows.offsets])[:, :count]
    return np.broadcast_to(plane, (len(windows.values), *plane.shape)).astype(float)


def costs(windows, model, which=ROUND, background="local"):
    residual, _ = window_problem(windows, np.zeros_like(windows.values), background).linearised(model, which)
    return np.sum(residual.astype(float) ** 2, axis=1)


@pytest.mark.parametrize(("background", "count"), [("shared", 0), ("local", 1), ("tilted", 3)])
def test_residuals_and_derivatives_have_no_background_in_them(rng, truth, background, count):
    """They are what linear least squares leave of residuals and of the derivatives of shapes."""
    truth[:, STRETCH : SLANT + 1] = rng.uniform(-0.3, 0.3, (COUNT, 2))
    windows = windows_of(truth)
    windows.values[:] += rng.normal(0, 5, windows.values.shape)
    windows = windows.weighted(rng.uniform(0, 2, windows.values.shape))
    others = rng.uniform(0, 5, windows.values.shape)
    residual, slopes = window_problem(windows, others, background).linearised(truth, ELLIPTIC)
    basis = functions_of(windows, count) * windows.weight[:, :, None]
    pixels = np.moveaxis(windows.centre[:, None] + windows.offsets.astype(float), 2, 0)
    for n in range(COUNT):

        def left(weighted, n=n):
            return weighted - basis[n] @ np.linalg.lstsq(basis[n], weighted)[0] if count else weighted

        data = windows.values[n] - others[n] - windows.columns(truth)[n] - truth[n, LEVEL]
        assert np.allclose(residual[n], left(windows.weight[n] * data), atol=1e-4)
        distances = (from_centre[n][None] - truth[n, place] for from_centre, place in ((pixels[0], Y), (pixels[1], X)))
        _, exact = derivatives(*distances, truth[n : n + 1], ELLIPTIC)
        for found, expected in zip(slopes[n], exact[0], strict=True):
            assert np.allclose(found, left(windows.weight[n] * expected), rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("background", ["shared", "local", "tilted"])
def test_nothing_is_left_of_the_model_itself(rng, truth, background):
    windows = windows_of(truth)
    others = rng.uniform(0, 5, windows.values.shape).astype(np.float32)
    windows.values[:] += others
    residual, _ = window_problem(windows, others, background).linearised(truth, ROUND)
    # Single precision of intensities up to 350.
    assert np.abs(residual).max() < 2e-4


@pytest.mark.parametrize("background", ["shared", "local", "tilted"])
def test_the_background_is_an_orthonormal_basis(rng, truth, background):
    windows = windows_of(truth)
    windows = windows.weighted(rng.uniform(0, 2, windows.values.shape) * (rng.uniform(size=windows.values.shape) > 0.3))
    basis = window_problem(windows, np.zeros_like(windows.values), background).basis
    product = basis @ basis.transpose(0, 2, 1)
    assert np.allclose(product, np.eye(basis.shape[1]), atol=1e-5)


def test_a_window_of_one_line_has_a_background_of_what_can_be_told():
    """Along one row of pixels no slope across can be told."""
    model = blank_model(1)
    model[0, [Y, X, SIGMA, HEIGHT]] = 25, 30, 2, 50
    windows = windows_of(model)
    weight = (windows.offsets[:, 0] == 0)[None] * 1.0
    basis = window_problem(windows.weighted(weight), np.zeros_like(windows.values), "tilted").basis
    assert (basis[0] ** 2).sum(axis=1) == pytest.approx([1, 0, 1], abs=1e-6)


def test_levels_are_those_of_linear_least_squares_at_the_centre(rng, truth):
    windows = windows_of(truth)
    windows.values[:] += (functions_of(windows, 3) @ [0.0, 0.7, -0.4]).astype(np.float32)
    windows = windows.weighted(rng.uniform(0.1, 2, windows.values.shape))
    for background in ("local", "tilted"):
        levels = window_problem(windows, np.zeros_like(windows.values), background).levels(truth)
        for n in range(COUNT):
            design = functions_of(windows, 1 if background == "local" else 3)[n] * windows.weight[n, :, None]
            data = (windows.values[n] - windows.columns(truth)[n]) * windows.weight[n]
            assert levels[n] == pytest.approx(np.linalg.lstsq(design, data)[0][0], abs=1e-3)
    assert np.allclose(levels, truth[:, LEVEL], atol=1e-3)


def test_a_known_level_stays(truth):
    windows = windows_of(truth)
    found, _ = fitted(windows, truth, background="shared")
    assert np.array_equal(found[:, LEVEL], truth[:, LEVEL])


def test_a_gaussian_without_noise_is_recovered(rng, truth):
    start = truth.copy()
    start[:, [Y, X]] += rng.uniform(-0.8, 0.8, (COUNT, 2))
    start[:, SIGMA] *= 1.2
    start[:, HEIGHT] *= 0.7
    start[:, LEVEL] = 0
    found, moved = fitted(windows_of(truth), start)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-5
    assert np.allclose(found, truth, rtol=1e-4, atol=1e-3)
    assert (moved <= CONVERGED).all()


def test_an_elliptic_column_is_recovered(rng, truth):
    start = truth.copy()
    truth[:, STRETCH : SLANT + 1] = rng.uniform(-0.5, 0.5, (COUNT, 2))
    start[:, [Y, X]] += rng.uniform(-0.8, 0.8, (COUNT, 2))
    found, moved = fitted(windows_of(truth, radius=12), start, ELLIPTIC, steps=30)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-4
    assert np.allclose(found, truth, rtol=1e-3, atol=1e-3)
    assert (moved <= CONVERGED).all()


def test_a_share_of_tails_is_recovered(rng, truth):
    start = truth.copy()
    truth[:, TAIL] = rng.uniform(0.1, 0.5, COUNT)
    found, _ = fitted(windows_of(truth, radius=14), start, (*ROUND, TAIL), steps=40)
    assert np.allclose(found[:, TAIL], truth[:, TAIL], atol=1e-3)
    assert np.allclose(found[:, HEIGHT], truth[:, HEIGHT], rtol=1e-3)


def test_a_slanted_background_moves_a_column_unless_it_may_tilt(truth):
    windows = windows_of(truth)
    windows.values[:] += (functions_of(windows, 3) @ [0.0, 1.0, -0.5]).astype(np.float32)
    flat, tilted = (fitted(windows, truth, background=background, steps=30)[0] for background in ("local", "tilted"))
    assert np.abs(tilted[:, :2] - truth[:, :2]).max() < 1e-4
    assert np.abs(flat[:, :2] - truth[:, :2]).max() > 0.05
    assert np.allclose(tilted[:, LEVEL], truth[:, LEVEL], atol=1e-2)


def test_what_is_not_free_stays(truth):
    start = truth.copy()
    start[:, :2] += 0.6
    found, _ = fitted(windows_of(truth), start, (Y, X, HEIGHT))
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-5
    assert np.array_equal(found[:, SIGMA], truth[:, SIGMA])
    assert np.array_equal(found[:, STRETCH:], truth[:, STRETCH:])


def test_what_the_neighbours_give_is_taken_away(rng, truth):
    windows = windows_of(truth)
    others = rng.uniform(0, 50, windows.values.shape)
    windows.values[:] += others
    start = truth.copy()
    start[:, :2] -= 0.5
    found, _ = fitted(windows, start, others=others)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-5


def test_pixels_without_weight_do_not_count(rng, truth):
    windows = windows_of(truth)
    broken = rng.uniform(size=windows.values.shape) < 0.2
    windows.values[broken] = 1e5
    start = truth.copy()
    start[:, :2] += 0.4
    found, _ = fitted(windows.weighted(np.where(broken, 0.0, 1.0)), start)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-5


def test_no_fit_is_worse_than_its_start(rng, truth):
    windows = windows_of(truth)
    windows.values[:] = rng.normal(0, 100, windows.values.shape)
    found, _ = fitted(windows, truth)
    assert np.isfinite(found).all()
    assert (costs(windows, found) <= costs(windows, truth) * (1 + 1e-5)).all()


def test_what_is_expected_weighs_as_one_more_measurement(rng, truth):
    """A strong expectation holds, a weak one gives way, an infinite spread says nothing."""
    windows = windows_of(truth)
    usual = np.array([0.0, 0.0, 2.4, 0.0])
    spread = np.array([np.inf, np.inf, 1.0, np.inf])
    widths = {
        strength: fitted(windows, truth, prior=Prior(usual=usual, spread=spread / strength), steps=40)[0][:, SIGMA]
        for strength in (1e-6, 1e6)
    }
    assert np.allclose(widths[1e-6], truth[:, SIGMA], rtol=1e-4)
    # A fit ends where positions rest, so that of the width one damped step may be all.
    assert np.allclose(widths[1e6], 2.4, rtol=1e-3)
    unheeded = fitted(windows, truth, prior=Prior(usual=usual, spread=np.full(4, np.inf)))[0]
    assert np.allclose(unheeded, fitted(windows, truth)[0], rtol=1e-5, atol=1e-5)


def test_steps_are_cut_where_they_would_leave_the_scale_of_the_column(truth):
    for size in (-1e3, 1e3):
        trial, step = stepped(truth, truth, np.full((COUNT, 7), size), (*ELLIPTIC, TAIL))
        assert np.allclose(np.abs(trial[:, :2] - truth[:, :2]), truth[:, SIGMA, None])
        assert np.allclose(np.abs(step[:, :2]), truth[:, SIGMA, None])
        assert np.allclose(trial[:, SIGMA], (3 if size > 0 else 0.3) * truth[:, SIGMA])
        assert np.allclose(np.hypot(trial[:, STRETCH], trial[:, SLANT]), FLATTEST)
        assert np.allclose(trial[:, TAIL], 0.95 if size > 0 else 0)
    small = np.full((COUNT, 6), 1e-3)
    trial, step = stepped(truth, truth, small, ELLIPTIC)
    assert np.array_equal(step, small)
    assert np.allclose(trial[:, list(ELLIPTIC)], truth[:, list(ELLIPTIC)] + 1e-3)


def test_heights_and_levels_are_those_of_linear_least_squares(rng, truth):
    windows = windows_of(truth)
    windows.values[:] += rng.normal(0, 5, windows.values.shape)
    windows = windows.weighted(rng.uniform(0, 2, windows.values.shape))
    others = rng.uniform(0, 20, windows.values.shape)
    height, level, information = heights_and_levels(windows, others, truth)
    shape = windows.columns(truth) / truth[:, HEIGHT, None]
    for n in range(COUNT):
        design = np.column_stack([shape[n], np.ones(shape.shape[1])]) * windows.weight[n, :, None]
        best = np.linalg.lstsq(design, (windows.values[n] - others[n]) * windows.weight[n])[0]
        assert (height[n], level[n]) == pytest.approx(tuple(best), rel=1e-5, abs=1e-4)
        assert 1 / information[n] == pytest.approx(np.linalg.inv(design.T @ design)[0, 0], rel=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_window_that_tells_nothing_gives_no_height(truth, weight):
    model = truth.copy()
    if weight:
        model[:, SIGMA] = 1e9
    windows = windows_of(truth)
    windows = windows.weighted(np.full(windows.values.shape, weight))
    height, level, information = heights_and_levels(windows, np.zeros_like(windows.values), model)
    assert not height.any()
    assert not level.any()
    assert not information.any()


def test_a_significance_is_the_height_over_its_deviation(truth):
    """Of a well sampled Gaussian in noise of one deviation, height * sigma * sqrt(pi)."""
    windows = windows_of(truth, radius=14).weighted(np.full((COUNT, len(window_offsets(14))), 1 / 7.0))
    expected = truth[:, HEIGHT] * truth[:, SIGMA] * np.sqrt(np.pi) / 7
    assert np.allclose(significances(windows, truth), expected, rtol=1e-3)


def test_an_undamped_step_solves_the_normal_equations(rng):
    design = rng.normal(size=(20, 30, 4)) * np.array([1e-3, 1, 1e4, 1])
    normal, gradient = np.einsum("npi,npj->nij", design, design), rng.normal(size=(20, 4))
    step = damped_solution(normal, gradient, np.zeros(20))
    assert np.allclose(step, np.linalg.solve(normal, gradient[:, :, None])[:, :, 0], rtol=1e-6)


def test_damping_shortens_the_step_along_the_gradient(rng):
    design = rng.normal(size=(20, 30, 4))
    normal, gradient = np.einsum("npi,npj->nij", design, design), rng.normal(size=(20, 4))
    free, held = (damped_solution(normal, gradient, np.full(20, damping)) for damping in (0.0, 1e6))
    assert (np.linalg.norm(held, axis=1) < 1e-4 * np.linalg.norm(free, axis=1)).all()
    assert np.allclose(held * 1e6, gradient / np.einsum("nii->ni", normal), rtol=1e-4)


@pytest.mark.parametrize(
    "normal",
    [
        np.zeros((3, 3)),
        np.ones((3, 3)),
        np.diag([1.0, 0.0, 2.0]),
        np.full((3, 3), np.nan),
        np.diag([1.0, np.inf, 2.0]),
        np.diag([1e-300, 1e300, 1.0]),
    ],
)
def test_a_singular_matrix_gives_a_finite_step(normal):
    with np.errstate(all="ignore"):
        step = damped_solution(normal[None], np.array([[1.0, 0.0, 1.0]]), np.array([1e-3]))
    assert np.isfinite(step).all()


def test_a_broken_gradient_gives_no_step():
    assert not damped_solution(np.eye(3)[None], np.full((1, 3), np.nan), np.array([1e-3])).any()
