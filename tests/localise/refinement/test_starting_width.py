"""The width that fits begin with is that of the image, whatever a table says, and a few wrong points do not move it."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import refine_columns
from napari_atomseg.localise.refinement.starting_width import best_width

SHAPE, SIGMA = (200, 220), 2.5


def problem(rng, spacing=12.0):
    true = square_lattice(SHAPE, spacing, margin=10)
    return draw(true, SIGMA, SHAPE, height=100.0, level=20.0), true + rng.normal(0, 0.4, true.shape)


@pytest.mark.parametrize("given", [0.5, 1.0, 1.6, 4.5, 9.0])
@pytest.mark.parametrize("spacing", [7.5, 12.0, 25.0])
def test_a_wrong_width_is_replaced(rng, given, spacing):
    """Within what the fit comes back from; neighbours three widths apart leave the background open."""
    clean, points = problem(rng, spacing)
    found = best_width(rng.poisson(clean).astype(float), np.ones(SHAPE, bool), points, given)
    assert found == pytest.approx(SIGMA, rel=0.3)


def test_a_width_that_fits_is_kept(rng):
    clean, points = problem(rng)
    assert best_width(rng.poisson(clean).astype(float), np.ones(SHAPE, bool), points, SIGMA) == SIGMA


def test_wrong_points_do_not_move_the_width(rng):
    clean, points = problem(rng)
    wrong = rng.choice(len(points), len(points) // 25, replace=False)
    points[wrong] += 6.0
    assert best_width(rng.poisson(clean).astype(float), np.ones(SHAPE, bool), points, 1.0) == pytest.approx(SIGMA, rel=0.2)


def test_without_a_point_inside_the_width_stays(rng):
    assert best_width(rng.normal(size=SHAPE), np.ones(SHAPE, bool), np.full((3, 2), -50.0), 2.0) == 2.0
    assert best_width(rng.normal(size=SHAPE), np.zeros(SHAPE, bool), np.full((3, 2), 50.0), 2.0) == 2.0


def label(image):
    """Bright strokes in one corner, as burnt-in text has them."""
    image[150:190, 20:110] = 20
    for left in range(24, 106, 14):
        image[155:185, left : left + 8] = 2000


def frame(image):
    image[:14] = image[-14:] = 2550
    image[:, :14] = image[:, -14:] = 2550


def slope(image):
    image += np.linspace(0, 1100, SHAPE[1])


@pytest.mark.parametrize("spoil", [label, frame, slope, None], ids=["label", "frame", "slope", "placeholder widths"])
def test_few_wrong_points_leave_the_other_fits_alone(rng, spoil):
    """Four of a hundred points stand on a label, on a frame, or have the width 1.0 of another tool; all others are fitted."""
    clean, points = problem(rng)
    points = points[np.all((points > 26) & (points < np.array(SHAPE) - 26), axis=1)]
    extra = rng.uniform((156, 25), (184, 100), (len(points) // 25, 2))
    if spoil is label:
        points = points[~((points[:, 0] > 140) & (points[:, 1] < 120))]
    if spoil is frame:
        extra = np.column_stack([np.full(len(extra), 6.0), extra[:, 1]])
    given = points if spoil in (slope, None) else np.concatenate([points, extra])
    if spoil is not None:
        spoil(clean)
    columns = Columns(positions=given).with_features(sigma_px=1.0)
    found = run(refine_columns(rng.poisson(clean).astype(float), columns, RefineParams()))
    fits = found.features["fit"].to_numpy()[: len(points)]
    assert np.mean(fits != "failed") > 0.95
    assert found.features["sigma_px"].median() == pytest.approx(SIGMA, rel=0.1)


def test_a_slope_under_the_columns_is_seen_and_said(rng):
    clean, points = problem(rng)
    flat = run(refine_columns(rng.poisson(clean).astype(float), Columns(positions=points), RefineParams()))
    slope(clean)
    steep = run(refine_columns(rng.poisson(clean).astype(float), Columns(positions=points), RefineParams()))
    assert flat.provenance["fit"]["background"] == "local"
    assert steep.provenance["fit"]["background"] == "tilted"


@pytest.mark.parametrize("background", ["local", "shared"])
def test_a_background_that_does_not_fit_the_image_is_left_and_said(rng, background):
    clean, points = problem(rng, spacing=8.0)
    slope(clean)
    found = run(refine_columns(rng.poisson(clean).astype(float), Columns(positions=points), RefineParams(background=background)))
    assert np.mean(found.features["fit"] != "failed") > 0.95
    assert found.provenance["fit"]["background"] == "tilted"


def test_a_background_that_was_given_is_kept_where_it_fits(rng):
    clean, points = problem(rng)
    for background in ("local", "tilted", "shared"):
        params = RefineParams(background=background)
        found = run(refine_columns(rng.poisson(clean).astype(float), Columns(positions=points), params))
        assert found.provenance["fit"]["background"] == background
