"""Error bars against closed forms, the joint Fisher information of two columns, and the errors that are really made."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.gaussian import RefineParams, refine_columns
from napari_atomseg.localise.uncertainty import covariances, cramer_rao_bound, own_information
from napari_atomseg.localise.windows import cut, neighbour_pairs, profile, sum_of_neighbours, window_offsets

SHAPE = (60, 90)
SIGMA = 3.0
RADIUS = 4 * SIGMA


def covariances_of(model, counting=False, with_width=False):
    """Covariance of all columns at once, for white noise of unit variance or for counting noise."""
    rows = np.arange(len(model))
    windows = cut(np.zeros(SHAPE), np.ones(SHAPE, bool), model[:, :2], window_offsets(RADIUS))
    pairs = neighbour_pairs(model, RADIUS)
    others = sum_of_neighbours(windows, model, rows, pairs)
    if counting:
        expected = others + model[:, 3, None] * profile(windows, model) + model[:, 4, None]
        windows = windows.weighted(1 / np.sqrt(expected))
    information = own_information(windows, others, model, with_width)
    return covariances(windows, others, model, rows, pairs, information)


def joint_covariance(model):
    """Of y, x and height of all columns and one level, each pixel of the image known to unit variance."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    columns = [np.ones(y.size)]
    for centre_y, centre_x, sigma, height, _ in model:
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


@pytest.mark.parametrize("with_width", [False, True])
@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("level", [1.0, 40.0])
def test_a_lone_column_is_known_as_well_as_the_bound_allows(with_width, counting, level):
    covariance = covariances_of(np.array([[30.0, 45.0, SIGMA, 50.0, level]]), counting, with_width)[0]
    bound = cramer_rao_bound(SIGMA, 50.0, level, pixel_variance=None if counting else 1.0)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([bound, bound], rel=0.03)
    assert abs(covariance[0, 1]) < 1e-6 * bound**2


def test_an_overlapping_neighbour_raises_the_variance_along_the_line_between_them():
    lone = covariances_of(np.array([[30.0, 45.0, SIGMA, 50.0, 1.0]]))[0]
    raised = []
    for distance in (2.0, 2.5, 3.0, 4.0):
        model = np.array([[30.0, 45.0, SIGMA, 50.0, 1.0], [30.0, 45.0 + distance * SIGMA, SIGMA, 50.0, 1.0]])
        raised.append(covariances_of(model)[0])
    along, across = np.array([[matrix[1, 1], matrix[0, 0]] for matrix in raised]).T
    assert np.all(np.diff(along) < 0)
    assert along[0] > 1.3 * lone[1, 1]
    assert along[-1] > lone[1, 1]
    assert np.all(along > across)


@pytest.mark.parametrize("distance", [2.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("height", [50.0, 20.0])
def test_two_columns_are_known_as_well_as_their_joint_information_says(distance, height):
    model = np.array([[30.0, 40.0, SIGMA, 50.0, 1.0], [30.0, 40.0 + distance * SIGMA, SIGMA, height, 1.0]])
    joint = joint_covariance(model)
    for number, covariance in enumerate(covariances_of(model)):
        true = np.sqrt([joint[1 + 3 * number, 1 + 3 * number], joint[2 + 3 * number, 2 + 3 * number]])
        assert np.sqrt(np.diag(covariance)) == pytest.approx(true, rel=0.15)


def test_a_neighbour_that_is_not_there_or_far_away_changes_nothing():
    lone = covariances_of(np.array([[30.0, 25.0, SIGMA, 50.0, 1.0]]))[0]
    absent = covariances_of(np.array([[30.0, 25.0, SIGMA, 50.0, 1.0], [30.0, 31.0, SIGMA, 0.0, 1.0]]))[0]
    far = covariances_of(np.array([[30.0, 25.0, SIGMA, 50.0, 1.0], [30.0, 25.0 + 10 * SIGMA, SIGMA, 50.0, 1.0]]))[0]
    assert np.allclose(absent, lone)
    assert np.allclose(far, lone, rtol=1e-3, atol=1e-9)


def test_columns_that_cannot_be_told_apart_still_have_finite_variances():
    model = np.array([[30.0, 45.0, SIGMA, 50.0, 1.0], [30.0, 45.0, SIGMA, 50.0, 1.0]])
    covariance = covariances_of(model)
    assert np.isfinite(covariance).all()
    assert (np.einsum("nii->ni", covariance) > 0).all()


def test_a_column_without_a_valid_pixel_does_not_break_the_others():
    model = np.array([[30.0, 25.0, SIGMA, 50.0, 1.0], [-500.0, -500.0, SIGMA, 50.0, 1.0]])
    assert np.allclose(covariances_of(model)[0], covariances_of(model[:1])[0])


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
