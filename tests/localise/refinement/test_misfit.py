"""What residuals beyond noise add to the error bars."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.misfit import ALIKE, WEIGHTS_READ_OFF, WILDEST, inflation, sampled_rows
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import refine_columns
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, blank_model


def model_of(heights):
    model = blank_model(len(heights))
    model[:, SIGMA], model[:, HEIGHT] = 2.0, heights
    return model


def test_power_of_noise_alone_adds_hardly_anything(rng):
    model = model_of(rng.uniform(0.5, 1.5, 600))
    factor = inflation(model, np.arange(600), rng.chisquare(8, 600) / 8)
    assert factor.min() >= WEIGHTS_READ_OFF
    assert factor.mean() < WEIGHTS_READ_OFF + 0.03


def test_columns_of_one_height_share_what_is_left_of_them(rng):
    """Strong columns are off, weak ones are not."""
    model = model_of(np.where(np.arange(400) < 200, 1.0, 0.2) * rng.uniform(0.95, 1.05, 400))
    power = np.where(np.arange(400) < 200, 4.0, 1.0) * rng.chisquare(8, 400) / 8
    factor = inflation(model, np.arange(400), power)
    assert factor[:200].mean() == pytest.approx(4.0, rel=0.1)
    assert np.median(factor[200:]) < 1.2


def test_one_wild_column_does_not_count_for_more_than_some():
    power = np.ones(ALIKE)
    power[3] = 1e9
    assert inflation(model_of(np.ones(ALIKE)), np.arange(ALIKE), power).max() < WEIGHTS_READ_OFF + WILDEST / ALIKE + 1


def test_rows_that_are_looked_at_are_bounded_and_there():
    heights = np.arange(10_000) % 7 * 0.1
    rows = sampled_rows(model_of(heights))
    assert 1000 < len(rows) <= 3000
    assert (heights[rows] > 0).all()
    assert len(inflation(model_of(heights), np.zeros(0, int), np.zeros(0))) == 10_000


def test_error_bars_hold_where_the_model_is_wrong(rng):
    """Without any noise the Fisher information would say that nothing is left to be known."""
    true = (
        square_lattice((220, 220), 20, margin=14) + rng.uniform(-3, 3, (100, 2))[: len(square_lattice((220, 220), 20, margin=14))]
    )
    clean = draw(true, 2.5, (220, 220), height=100.0, level=5.0) + draw(true, 5.0, (220, 220), height=15.0, level=0.0)
    found = run(refine_columns(clean, Columns(positions=np.round(true)), RefineParams(beyond_gaussians=False)))
    std = found.features[["y_std_px", "x_std_px"]].to_numpy()
    inside = np.abs(found.positions - true) < std
    assert 0.4 < inside[np.isfinite(std)].mean() < 0.99
