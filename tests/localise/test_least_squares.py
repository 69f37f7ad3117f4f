"""The batched fit against finite differences, known truth and numpy's own linear least squares."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.localise.least_squares import (
    CONVERGED,
    EVERYTHING,
    POSITION_AND_HEIGHT,
    damped_solution,
    fit,
    heights_and_levels,
    residuals,
)
from napari_atomseg.localise.windows import HEIGHT, LEVEL, SIGMA, cut, profile, window_offsets

SHAPE = (50, 400)
COUNT = 12


@pytest.fixture
def truth(rng):
    """Columns far from each other, of unlike widths, heights and levels."""
    places = np.column_stack([np.full(COUNT, 25.0), 20 + 30.0 * np.arange(COUNT)]) + rng.uniform(-0.5, 0.5, (COUNT, 2))
    widths, heights, levels = rng.uniform(1.8, 3, COUNT), rng.uniform(20, 300, COUNT), rng.uniform(-5, 40, COUNT)
    return np.column_stack([places, widths, heights, levels])


def windows_of(model, radius=8.0):
    """Noise-free windows of the model itself."""
    windows = cut(np.zeros(SHAPE), np.ones(SHAPE, bool), model[:, :2], window_offsets(radius))
    windows.values[:] = model[:, HEIGHT, None] * profile(windows, model) + model[:, LEVEL, None]
    return windows


def test_derivatives_agree_with_finite_differences(rng, truth):
    windows = windows_of(truth)
    windows = windows.weighted(rng.uniform(0, 2, windows.values.shape))
    others = rng.uniform(0, 5, windows.values.shape)
    _, jacobian = residuals(windows, others, truth, EVERYTHING)
    for place, name in enumerate(EVERYTHING):
        ahead, behind = truth.copy(), truth.copy()
        ahead[:, name] += 1e-5
        behind[:, name] -= 1e-5
        change = residuals(windows, others, behind, EVERYTHING)[0] - residuals(windows, others, ahead, EVERYTHING)[0]
        assert np.allclose(jacobian[:, :, place], change / 2e-5, rtol=1e-6, atol=1e-5)


def test_residuals_are_what_is_left_of_the_data(rng, truth):
    windows = windows_of(truth)
    others = rng.uniform(0, 5, windows.values.shape)
    windows.values[:] += others
    assert np.abs(residuals(windows, others, truth, EVERYTHING)[0]).max() < 1e-9


def test_a_gaussian_without_noise_is_recovered(rng, truth):
    start = truth + np.column_stack([rng.uniform(-0.8, 0.8, (COUNT, 2)), 0.2 * truth[:, SIGMA], np.zeros((COUNT, 2))])
    start[:, HEIGHT] *= 0.7
    start[:, LEVEL] = 0
    found, moved = fit(windows_of(truth), np.zeros((COUNT, len(window_offsets(8.0)))), start, EVERYTHING)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-6
    assert np.allclose(found, truth, rtol=1e-5, atol=1e-4)
    assert (moved <= CONVERGED).all()


def test_what_is_not_free_stays(truth):
    start = truth.copy()
    start[:, :2] += 0.6
    found, _ = fit(windows_of(truth), np.zeros((COUNT, len(window_offsets(8.0)))), start, POSITION_AND_HEIGHT)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-6
    assert np.array_equal(found[:, SIGMA], truth[:, SIGMA])


def test_what_the_neighbours_give_is_taken_away(rng, truth):
    windows = windows_of(truth)
    others = rng.uniform(0, 50, windows.values.shape)
    windows.values[:] += others
    start = truth.copy()
    start[:, :2] -= 0.5
    found, _ = fit(windows, others, start, EVERYTHING)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-6


def test_pixels_without_weight_do_not_count(rng, truth):
    windows = windows_of(truth)
    broken = rng.uniform(size=windows.values.shape) < 0.2
    windows.values[broken] = 1e5
    start = truth.copy()
    start[:, :2] += 0.4
    found, _ = fit(windows.weighted(np.where(broken, 0.0, 1.0)), np.zeros_like(windows.values), start, EVERYTHING)
    assert np.abs(found[:, :2] - truth[:, :2]).max() < 1e-6


def test_no_fit_is_worse_than_its_start(rng, truth):
    windows = windows_of(truth)
    windows.values[:] = rng.normal(0, 100, windows.values.shape)
    others = np.zeros_like(windows.values)
    found, _ = fit(windows, others, truth, EVERYTHING)
    before, after = (np.sum(residuals(windows, others, model, EVERYTHING)[0] ** 2, axis=1) for model in (truth, found))
    assert np.isfinite(found).all()
    assert (after <= before).all()


def test_heights_and_levels_are_those_of_linear_least_squares(rng, truth):
    windows = windows_of(truth)
    windows.values[:] += rng.normal(0, 5, windows.values.shape)
    windows = windows.weighted(rng.uniform(0, 2, windows.values.shape))
    others = rng.uniform(0, 20, windows.values.shape)
    height, level, information = heights_and_levels(windows, others, truth)
    shape = profile(windows, truth)
    for n in range(COUNT):
        design = np.column_stack([shape[n], np.ones(shape.shape[1])]) * windows.weight[n, :, None]
        best = np.linalg.lstsq(design, (windows.values[n] - others[n]) * windows.weight[n])[0]
        assert (height[n], level[n]) == pytest.approx(tuple(best), rel=1e-9)
        assert 1 / information[n] == pytest.approx(np.linalg.inv(design.T @ design)[0, 0], rel=1e-9)


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
