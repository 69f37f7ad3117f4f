"""Shapes against finite differences, closed forms and each other."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.localise.refinement.shape import (
    FLATTEST,
    HEIGHT,
    LEVEL,
    PARAMETERS,
    SIGMA,
    SLANT,
    STRETCH,
    TAIL,
    X,
    Y,
    axes,
    blank_model,
    derivatives,
    is_round,
    profile,
    squared_distance,
)

SHAPED = (Y, X, SIGMA, HEIGHT, STRETCH, SLANT, TAIL)
COUNT = 9


def pixels(model, reach=9):
    """Distances (dy, dx), each (N, P), of the pixels around the origin from each column, in double precision."""
    y, x = (axis.ravel() * 1.0 for axis in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    return y - model[:, Y, None], x - model[:, X, None]


def columns(model):
    return model[:, HEIGHT, None] * profile(squared_distance(*pixels(model), model), model)


@pytest.fixture(params=["round", "elliptic", "round with tails", "elliptic with tails"])
def model(request, rng):
    """Columns of unlike everything near the origin."""
    found = blank_model(COUNT)
    found[:, [Y, X]] = rng.uniform(-2, 2, (COUNT, 2))
    found[:, SIGMA], found[:, HEIGHT] = rng.uniform(1.5, 4, COUNT), rng.uniform(-50, 300, COUNT)
    found[:, LEVEL] = rng.uniform(-5, 5, COUNT)
    if "elliptic" in request.param:
        found[:, STRETCH : SLANT + 1] = rng.uniform(-0.5, 0.5, (COUNT, 2))
    if "tails" in request.param:
        found[:, TAIL] = rng.uniform(0.05, 0.8, COUNT)
    return found


@pytest.mark.parametrize("name", SHAPED)
def test_derivatives_agree_with_finite_differences(model, name):
    _, found = derivatives(*pixels(model), model, (name,))
    ahead, behind = model.copy(), model.copy()
    ahead[:, name] += 1e-5
    behind[:, name] -= 1e-5
    change = (columns(ahead) - columns(behind)) / 2e-5
    assert np.abs(found[:, 0]).max() > 0
    assert np.allclose(found[:, 0], change, rtol=1e-6, atol=1e-6 * np.abs(change).max())


def test_derivatives_come_in_the_order_they_are_asked_for(model):
    _, alone = zip(*(derivatives(*pixels(model), model, (name,)) for name in SHAPED), strict=True)
    for order in (SHAPED, SHAPED[::-1], (HEIGHT, Y)):
        shape, found = derivatives(*pixels(model), model, order)
        assert found.shape == (COUNT, len(order), shape.shape[1])
        assert np.allclose(found, np.concatenate([alone[SHAPED.index(name)] for name in order], axis=1), rtol=1e-12, atol=1e-15)
    assert np.allclose(model[:, HEIGHT, None] * shape, columns(model))


def test_no_shape_depends_on_the_level(model):
    with pytest.raises(ValueError, match="no shape"):
        derivatives(*pixels(model), model, (LEVEL,))


def test_single_precision_stays_single_and_agrees(model):
    dy, dx = pixels(model)
    shape, found = derivatives(dy.astype(np.float32), dx.astype(np.float32), model, SHAPED)
    assert shape.dtype == found.dtype == np.float32
    exact = derivatives(dy, dx, model, SHAPED)[1]
    scale = np.abs(exact).max(axis=(0, 2))[:, None]
    assert np.allclose(found / scale, exact / scale, atol=1e-5)


def test_the_column_at_its_centre_is_its_height_whatever_its_shape(model):
    nothing = np.zeros((COUNT, 1))
    assert np.array_equal(profile(squared_distance(nothing, nothing, model), model), np.ones((COUNT, 1)))


def test_a_round_column_is_a_gaussian_of_the_distance(model):
    model[:, STRETCH:] = 0
    dy, dx = pixels(model)
    expected = np.exp(-(dy**2 + dx**2) / (2 * model[:, SIGMA, None] ** 2))
    assert np.allclose(profile(squared_distance(dy, dx, model), model), expected, rtol=1e-12)


def test_a_round_column_among_elliptic_ones_is_as_round_as_alone(model):
    model[0, STRETCH : SLANT + 1] = 0
    mixed = model.copy()
    mixed[1, STRETCH] = 0.4
    assert is_round(model[:1])
    assert not is_round(mixed)
    alone, among = derivatives(*pixels(model[:1]), model[:1], SHAPED), derivatives(*pixels(mixed), mixed, SHAPED)
    for one, other in zip(alone, among, strict=True):
        assert np.allclose(one[0], other[0], rtol=1e-12, atol=1e-12)


def test_a_column_without_tails_among_tailed_ones_is_as_tailless_as_alone(model):
    model[0, TAIL] = 0
    mixed = model.copy()
    mixed[1, TAIL] = 0.4
    alone, among = derivatives(*pixels(model[:1]), model[:1], SHAPED), derivatives(*pixels(mixed), mixed, SHAPED)
    for one, other in zip(alone, among, strict=True):
        assert np.allclose(one[0], other[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("theta", [0.0, 0.4, np.pi / 4, 1.2, -0.7, -1.5])
@pytest.mark.parametrize("flatness", [0.1, 0.5, FLATTEST])
def test_axes_are_the_widths_along_and_across_the_long_axis(theta, flatness):
    """Where a Gaussian of unit height has fallen to exp(-1 / 2) on a line through its centre, there is its width."""
    model = blank_model(1)
    model[:, SIGMA], model[:, HEIGHT] = 3.0, 1.0
    model[:, STRETCH], model[:, SLANT] = flatness * np.cos(2 * theta), flatness * np.sin(2 * theta)
    major, minor, angle = (float(values[0]) for values in axes(model))
    assert major > minor
    assert np.sin(angle - theta) == pytest.approx(0, abs=1e-9)
    for width, turned in ((major, 0.0), (minor, np.pi / 2)):
        # Angles count from x towards y.
        dy, dx = width * np.sin(theta + turned), width * np.cos(theta + turned)
        squared = squared_distance(np.array([[dy]]), np.array([[dx]]), model)
        assert profile(squared, model)[0, 0] == pytest.approx(np.exp(-0.5))
    assert 1 / major**2 + 1 / minor**2 == pytest.approx(2 / 3.0**2)


def test_a_long_axis_from_x_towards_y_has_its_brighter_pixels_on_the_diagonal():
    model = blank_model(1)
    model[:, SIGMA], model[:, HEIGHT], model[:, SLANT] = 2.0, 1.0, 0.4
    assert axes(model)[2] == pytest.approx([np.pi / 4])
    on, off = (profile(squared_distance(np.array([[2.0]]), np.array([[dx]]), model), model) for dx in (2.0, -2.0))
    assert on > off


def test_both_axes_of_a_round_column_are_its_width(model):
    model[:, STRETCH : SLANT + 1] = 0
    major, minor, _ = axes(model)
    assert np.array_equal(major, model[:, SIGMA])
    assert np.array_equal(minor, model[:, SIGMA])


@pytest.mark.parametrize("tail", [0.0, 0.1, 0.5, 0.95])
def test_tails_keep_the_half_width(tail):
    model = blank_model(1)
    model[:, SIGMA], model[:, HEIGHT], model[:, TAIL] = 2.5, 1.0, tail
    half = 2.5 * np.sqrt(2 * np.log(2))
    assert profile(squared_distance(np.array([[half]]), np.zeros((1, 1)), model), model)[0, 0] == pytest.approx(0.5)


def test_far_out_only_the_lorentzian_share_is_left():
    model = blank_model(1)
    model[:, SIGMA], model[:, HEIGHT], model[:, TAIL] = 2.0, 1.0, 0.2
    far = np.array([[40.0]])
    assert profile(squared_distance(far, 0 * far, model), model)[0, 0] == pytest.approx(
        0.2 * 2 * np.log(2) * 2.0**2 / 40.0**2, rel=0.01
    )


def test_a_blank_model_is_all_zero():
    assert blank_model(3).shape == (3, PARAMETERS)
    assert not blank_model(3).any()
