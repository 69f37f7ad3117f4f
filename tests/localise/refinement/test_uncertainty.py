"""Error bars against closed forms, the joint Fisher information of two columns, and the errors that are really made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.detection.noise_level import NoiseLevel
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import prepare
from napari_atomseg.localise.refinement.refine import refine_columns
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA, SLANT, STRETCH, X, Y, blank_model
from napari_atomseg.localise.refinement.uncertainty import (
    SHAPES_SPREAD,
    WIDTHS_SPREAD,
    covariances,
    cramer_rao_bound,
    pseudo_inverses,
)
from napari_atomseg.localise.refinement.windows import pairs_within

SHAPE = (60, 90)
WIDTH = 3.0
JOINT = (Y, X, HEIGHT)
OWN = {"height": JOINT, "width": (*JOINT, SIGMA), "shape": (*JOINT, SIGMA, STRETCH, SLANT)}


def model_of(*columns):
    """Rows of (y, x, height, level)."""
    model = blank_model(len(columns))
    model[:, [Y, X, HEIGHT, LEVEL]] = columns
    model[:, SIGMA] = WIDTH
    return model


def pair(distance, height=50.0):
    return model_of((30.0, 40.0, 50.0, 1.0), (30.0, 40.0 + distance * WIDTH, height, 1.0))


def stated(model, counting=False, own=JOINT, image=None, **params):
    """Covariance (N, 2, 2) and surplus (N,), for white noise of unit variance or for counting noise."""
    expected = draw(model[:, [Y, X]], model[:, SIGMA, None], SHAPE, height=model[:, HEIGHT], level=model[0, LEVEL])
    columns = Columns(positions=model[:, [Y, X]]).with_features(sigma_px=WIDTH)
    problem = prepare(expected, columns, RefineParams(window=4.0, **params))
    noise = NoiseLevel(gain=1.0 if counting else 0.0, read_variance=0.0 if counting else 1.0, pedestal=0.0)
    image = expected if image is None else image
    problem = replace(problem, image=image.astype(np.float32), zero=0.0, unit=1.0, noise=noise)
    canvas = np.zeros(SHAPE)
    problem.add(canvas, model)
    return run(covariances(problem, canvas, model, own, pairs_within(model, problem.radius + 3 * WIDTH)))


def covariances_of(model, counting=False, own=JOINT):
    return stated(model, counting, own)[0]


def joint_covariance(model):
    """Of y, x and height of all columns and one level, each pixel of the image known to unit variance."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    columns = [np.ones(y.size)]
    for centre_y, centre_x, sigma, height in model[:, [Y, X, SIGMA, HEIGHT]]:
        shape = np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / (2 * sigma**2)).ravel()
        columns += [height * shape * (y.ravel() - centre_y) / sigma**2, height * shape * (x.ravel() - centre_x) / sigma**2, shape]
    design = np.stack(columns, axis=1)
    return np.linalg.inv(design.T @ design)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("height", [0.5, 10.0, 1000.0])
def test_without_background_the_bound_is_that_of_counted_electrons(sigma, height):
    """Every electron tells the position to within sigma; a column holds 2 pi sigma^2 height of them."""
    counts = 2 * np.pi * sigma**2 * height
    assert cramer_rao_bound(sigma, height, 0.0, radius=6) == pytest.approx(sigma / np.sqrt(counts), rel=1e-3)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 6.0])
@pytest.mark.parametrize("noise", [0.3, 20.0])
def test_in_white_noise_the_bound_does_not_depend_on_the_width(sigma, noise):
    """The integral of the squared slope, (height x / sigma^2)^2 exp(-r^2 / sigma^2), is height^2 pi / 2 for any sigma."""
    bound = cramer_rao_bound(sigma, 100.0, 5.0, pixel_variance=noise**2)
    assert bound == pytest.approx(noise / (100 * np.sqrt(np.pi / 2)), rel=1e-3)


def test_the_gain_is_the_number_of_units_that_an_electron_gives():
    plain = cramer_rao_bound(2.0, 50, 10)
    assert cramer_rao_bound(2.0, 50 * 7, 10 * 7, gain=7) == pytest.approx(plain)
    assert cramer_rao_bound(2.0, 50, 10, gain=4) == pytest.approx(2 * plain)


def test_background_makes_the_bound_wider_and_much_background_is_white_noise():
    bounds = [cramer_rao_bound(2.0, 50, background) for background in (0, 1, 10, 100, 1e6)]
    assert np.all(np.diff(bounds) > 0)
    assert bounds[-1] == pytest.approx(cramer_rao_bound(2.0, 50, 0, pixel_variance=1e6), rel=1e-3)


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("level", [1.0, 40.0])
def test_a_lone_column_is_known_as_well_as_the_bound_allows(own, counting, level):
    covariance = covariances_of(model_of((30.0, 45.0, 50.0, level)), counting, OWN[own])[0]
    bound = cramer_rao_bound(WIDTH, 50.0, level, pixel_variance=None if counting else 1.0)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([bound, bound], rel=0.03)
    assert abs(covariance[0, 1]) < 1e-6 * bound**2


def test_an_overlapping_neighbour_raises_the_variance_along_the_line_between_them():
    lone = covariances_of(model_of((30.0, 45.0, 50.0, 1.0)))[0]
    raised = [covariances_of(pair(distance))[0] for distance in (1.5, 2.0, 2.5, 3.0, 4.0)]
    along, across = np.array([[matrix[1, 1], matrix[0, 0]] for matrix in raised]).T
    assert np.all(np.diff(along) < 0)
    assert along[1] > 1.3 * lone[1, 1]
    assert along[-1] > lone[1, 1]
    assert np.all(along > across)


@pytest.mark.parametrize("background", ["local", "shared"])
@pytest.mark.parametrize("distance", [1.5, 1.75, 2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("height", [50.0, 20.0])
def test_two_columns_are_known_as_well_as_their_joint_information_says(distance, height, background):
    model = pair(distance, height)
    joint = joint_covariance(model)
    for number, covariance in enumerate(stated(model, background=background)[0]):
        true = np.sqrt([joint[1 + 3 * number, 1 + 3 * number], joint[2 + 3 * number, 2 + 3 * number]])
        std = np.sqrt(np.diag(covariance))
        if distance >= 2 or background == "shared":
            assert std == pytest.approx(true, rel=0.15)
        else:
            # Where they all but coincide, that each has a level of its own costs up to a half.
            assert np.all((0.95 * true < std) & (std < 1.5 * true))


def test_where_heights_and_places_trade_the_two_axes_correlate():
    """A neighbour on the diagonal is told apart along the diagonal worst."""
    step = 2.0 * WIDTH / np.sqrt(2)
    covariance = covariances_of(model_of((28.0, 40.0, 50.0, 1.0), (28.0 + step, 40.0 + step, 50.0, 1.0)))[0]
    turned = covariances_of(pair(2.0))[0]
    assert covariance[0, 1] > 0
    assert np.linalg.eigvalsh(covariance) == pytest.approx(np.linalg.eigvalsh(turned), rel=0.02)


def test_a_neighbour_that_is_not_there_or_far_away_changes_nothing():
    lone = covariances_of(model_of((30.0, 25.0, 50.0, 1.0)))[0]
    absent = covariances_of(model_of((30.0, 25.0, 50.0, 1.0), (30.0, 31.0, 0.0, 1.0)))[0]
    far = covariances_of(model_of((30.0, 25.0, 50.0, 1.0), (30.0, 25.0 + 10 * WIDTH, 50.0, 1.0)))[0]
    assert np.allclose(absent, lone, rtol=1e-3, atol=1e-9)
    assert np.allclose(far, lone, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("own", OWN)
def test_columns_that_cannot_be_told_apart_still_have_finite_variances(own):
    covariance = covariances_of(pair(0.0), own=OWN[own])
    assert np.isfinite(covariance).all()
    assert (np.einsum("nii->ni", covariance) > 0).all()


def test_a_column_without_a_valid_pixel_does_not_break_the_others():
    model = model_of((30.0, 25.0, 50.0, 1.0), (-500.0, -500.0, 50.0, 1.0))
    covariance = covariances_of(model)
    # The windows of a lone column are a little wider.
    assert np.allclose(covariance[0], covariances_of(model[:1])[0], rtol=1e-3, atol=1e-9)
    assert np.isfinite(covariance).all()


def test_residuals_larger_than_the_noise_level_are_told(rng):
    model = model_of((20.0, 20.0, 50.0, 1.0), (40.0, 45.0, 50.0, 1.0), (20.0, 70.0, 50.0, 1.0))
    clean = draw(model[:, [Y, X]], WIDTH, SHAPE, height=50.0, level=1.0)
    for noise in (1.0, 2.0):
        surplus = stated(model, image=clean + rng.normal(0, noise, SHAPE))[1]
        assert surplus == pytest.approx(np.full(3, noise**2), rel=0.25)


def test_own_widths_of_dim_columns_are_held_by_what_is_usual():
    """Without an image the expectation alone is left of width and shape, which do not correlate with a lone position."""
    from napari_atomseg.localise.refinement.uncertainty import _add_prior

    information = np.zeros((1, 6, 6))
    _add_prior(information, 2.0, OWN["shape"])
    spread = 1 / np.sqrt(np.diag(information[0])[3:])
    assert spread == pytest.approx([2 * WIDTHS_SPREAD, SHAPES_SPREAD, SHAPES_SPREAD])
    assert not information[0, :3].any()


def test_inverses_of_mixed_units_leave_out_what_is_not_seen():
    matrices = np.array([np.diag([1e-12, 4.0, 1e12]), np.diag([4.0, 0.0, 2.0]), np.full((3, 3), np.nan)])
    found = pseudo_inverses(matrices)
    assert np.allclose(found[0], np.diag([1e12, 0.25, 1e-12]))
    assert np.allclose(found[1], np.diag([0.25, 0.0, 0.5]))
    assert not found[2].any()


@pytest.mark.parametrize("peak", [10, 100])
def test_one_standard_deviation_holds_two_thirds_of_the_errors_made_in_counting_noise(rng, peak):
    shape = (420, 420)
    true = square_lattice(shape, 18, margin=12)
    image = rng.poisson(draw(true, 2.5, shape, height=peak, level=0.1 * peak))
    start = Columns(positions=true + rng.uniform(-1, 1, true.shape)).with_features(sigma_px=2.5)
    found = run(refine_columns(image.astype(np.float32), start, RefineParams(width="shared")))
    std = found.features[["y_std_px", "x_std_px"]].to_numpy()
    assert len(true) > 400
    assert (found.features["fit"] == "ok").mean() > 0.98
    error = found.positions - true
    measured = np.isfinite(std)
    assert np.mean(np.abs(error[measured]) < std[measured]) == pytest.approx(0.68, abs=0.05)
    bound = cramer_rao_bound(2.5, peak, 0.1 * peak)
    assert np.sqrt(np.mean(error[measured] ** 2)) == pytest.approx(bound, rel=0.15)
