"""The fit gives back what was drawn, and error bars that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import refine_columns

SHAPE = (120, 131)


def refined(image, positions, sigma=None, **params):
    columns = Columns(positions=positions)
    if sigma is not None:
        columns = columns.with_features(sigma_px=np.full(len(columns), float(sigma)))
    return run(refine_columns(np.asarray(image, np.float32), columns, RefineParams(**params)))


@pytest.mark.parametrize("sigma", [1.5, 2.3, 4.0, 6.5])
@pytest.mark.parametrize("width", ["each", "shared"])
def test_centres_heights_and_widths_are_recovered_without_noise(rng, sigma, width):
    true = square_lattice(SHAPE, 7 * sigma, margin=4 * sigma)
    start = true + rng.uniform(-0.4, 0.4, true.shape) * sigma
    found = refined(draw(true, sigma, SHAPE, height=50, level=7), start, 1.2 * sigma, width=width)
    assert np.abs(found.positions - true).max() < 1e-3
    assert np.allclose(found.features["intensity"], 50, rtol=1e-2)
    assert np.allclose(found.features["background"], 7, atol=0.5)
    assert np.allclose(found.features["sigma_px"], sigma, rtol=1e-2)
    assert (found.features["fit"] == "ok").all()


@pytest.mark.parametrize("fraction", np.linspace(-0.5, 0.5, 5))
def test_no_position_within_the_pixel_is_preferred(fraction):
    true = np.array([[40 + fraction, 60 - fraction / 2]])
    found = refined(draw(true, 2.0, SHAPE), np.round(true), 2.0)
    assert np.abs(found.positions - true).max() < 1e-3


@pytest.mark.parametrize(("gain", "offset"), [(1, 1000), (1e-4, 0), (1e4, -3e4), (-1, 0), (-0.01, 50)])
def test_positions_do_not_depend_on_the_unit_of_intensity(gain, offset):
    true = square_lattice(SHAPE, 16, margin=12)
    image = draw(true, 2.2, SHAPE)
    start = np.round(true)
    plain, scaled = refined(image, start, 2.2), refined(gain * image + offset, start, 2.2)
    assert np.allclose(plain.positions, scaled.positions, atol=1e-3)
    assert np.allclose(scaled.features["intensity"], gain * plain.features["intensity"], rtol=1e-2)


def test_a_slanted_and_stepped_brightness_of_the_columns_does_not_move_them(rng):
    true = square_lattice(SHAPE, 18, margin=12)
    heights = rng.uniform(20, 200, len(true))
    found = refined(draw(true, 2.5, SHAPE, height=heights), np.round(true), 2.5)
    assert np.abs(found.positions - true).max() < 1e-3
    assert np.allclose(found.features["intensity"], heights, rtol=1e-2)


@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("distance", [2.5, 3.0, 4.0])
def test_overlapping_neighbours_do_not_pull_at_each_other(ratio, distance):
    sigma = 3.0
    true = np.array([[60.2, 60.4], [60.2, 60.4 + distance * sigma]])
    found = refined(draw(true, sigma, SHAPE, height=np.array([100, 100 * ratio])), np.round(true), sigma)
    assert np.abs(found.positions - true).max() < 0.02
    assert (found.features["fit"] == "ok").all()


def test_neighbours_too_near_to_be_told_apart_are_flagged():
    true = np.array([[60.0, 60.0], [60.0, 64.0]])
    found = refined(draw(true, 3.0, SHAPE), true, 3.0)
    assert set(found.features["fit"]) <= {"overlap", "failed"}
    assert found.flagged.all()


@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_one_standard_deviation_holds_two_thirds_of_the_errors(rng, noise):
    shape = (400, 400)
    true = square_lattice(shape, 20, margin=12)
    true = true + rng.uniform(-0.5, 0.5, true.shape)
    found = refined(draw(true, 2.5, shape) + rng.normal(0, noise, shape), np.round(true), 2.5)
    std = found.features[["y_std_px", "x_std_px"]].to_numpy()
    share = np.mean(np.abs(found.positions - true) < std)
    assert 0.60 < share < 0.76


def test_the_error_bar_is_that_of_the_cramer_rao_bound(rng):
    """Least squares with white noise: sigma_x = 2 / sqrt(2 pi) * noise / height for a well sampled Gaussian."""
    shape = (400, 400)
    true = square_lattice(shape, 40, margin=20)
    found = refined(draw(true, 3.0, shape) + rng.normal(0, 5.0, shape), np.round(true), 3.0)
    bound = np.sqrt(2 / np.pi) * 5.0 / 100
    assert np.median(found.features["x_std_px"]) == pytest.approx(bound, rel=0.1)
    assert np.sqrt(np.mean((found.positions - true) ** 2)) == pytest.approx(bound, rel=0.2)


def test_columns_cut_by_the_border_are_flagged_and_those_inside_are_not():
    true = np.array([[1.2, 60.0], [60.0, 60.0], [119.5, 128.0]])
    found = refined(draw(true, 2.5, SHAPE), true, 2.5)
    fits = found.features["fit"].tolist()
    assert fits[1] == "ok"
    assert {fits[0], fits[2]} <= {"border", "failed"}


def test_invalid_pixels_have_no_weight():
    true = square_lattice(SHAPE, 20, margin=12)
    image = draw(true, 2.5, SHAPE)
    centre = np.round(true[0]).astype(int)
    image[centre[0] + 2 : centre[0] + 5, centre[1] - 1 : centre[1] + 2] = np.nan
    image[5, 5] = np.inf
    found = refined(image, np.round(true), 2.5)
    assert np.abs(found.positions - true).max() < 2e-3


def test_points_on_mere_noise_keep_their_place_or_own_up_to_it(rng):
    points = np.stack(np.meshgrid(np.arange(15, 300, 30), np.arange(15, 300, 30), indexing="ij"), -1).reshape(-1, 2) * 1.0
    found = refined(rng.normal(size=(300, 300)), points, 2.5)
    failed = (found.features["fit"] == "failed").to_numpy()
    assert failed.mean() > 0.2
    assert np.array_equal(found.positions[failed], points[failed])
    assert np.isnan(found.features["x_std_px"][failed]).all()
    assert (found.features["x_std_px"][~failed] > 0.1).all()


def test_a_missing_width_is_measured_in_the_image():
    true = square_lattice(SHAPE, 20, margin=12)
    found = refined(draw(true, 2.8, SHAPE), np.round(true))
    assert np.abs(found.positions - true).max() < 1e-3


def test_order_number_and_further_features_stay():
    true = square_lattice(SHAPE, 20, margin=12)[::-1]
    columns = Columns(positions=np.round(true)).with_features(sigma_px=2.5, element=[f"E{n}" for n in range(len(true))])
    found = run(refine_columns(draw(true, 2.5, SHAPE), columns))
    assert found.features["element"].tolist() == columns.features["element"].tolist()
    assert np.abs(found.positions - true).max() < 1e-3


@pytest.mark.parametrize("positions", [np.zeros((0, 2)), [[5.0, 5.0]], [[np.nan, 3.0]], [[-50.0, 900.0]], [[5, 5], [5, 5]]])
@pytest.mark.parametrize("shape", [(30, 20), (1, 1), (3, 40)])
def test_odd_positions_and_images_end_in_a_verdict(positions, shape, rng):
    found = refined(rng.normal(size=shape), np.array(positions, float), 2.0)
    assert len(found) == len(positions)
    assert set(found.features["fit"]) <= {"none", "ok", "border", "overlap", "failed"}


def test_parameters_out_of_range_are_refused():
    with pytest.raises(AtomsegError, match=r"RefineParams\.rounds"):
        RefineParams(rounds=0)
    with pytest.raises(AtomsegError, match="one of shared, each"):
        RefineParams(width="half")


def test_closing_the_job_stops_it():
    true = square_lattice(SHAPE, 20, margin=12)
    steps = refine_columns(draw(true, 2.5, SHAPE), Columns(positions=true))
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)
