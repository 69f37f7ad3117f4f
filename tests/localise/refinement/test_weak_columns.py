"""The faint are told from the shoulders of the strong, and the lost are found again."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw

from napari_atomseg.core.columns import Columns
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import prepare
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, PARAMETERS, X, Y, blank_model
from napari_atomseg.localise.refinement.shape import SIGMA as WIDTH
from napari_atomseg.localise.refinement.weak_columns import (
    FAINTEST,
    JOINT_SHOULDER_SHARE,
    SHOULDER,
    SHOULDER_SHARE,
    all_too_faint,
    look_again,
    too_faint,
)

SHAPE = (60, 90)
SIGMA = 2.5
STRONG = (30.0, 30.0)


def model_of(*columns):
    """Rows of (y, x, height)."""
    model = blank_model(len(columns))
    model[:, [Y, X, HEIGHT]] = columns
    model[:, WIDTH], model[:, LEVEL] = SIGMA, 10.0
    return model


def beside(distance, height):
    return model_of((*STRONG, 100.0), (STRONG[0], STRONG[1] + distance * SIGMA, height))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("distance", "height", "faint"),
    [
        (2.0, 20.0, True),
        (3.0, 30.0, True),
        (2.0, 100.0, False),
        (2.0, 40.0, False),
        (4.0, 20.0, False),
        (4.0, 3.0, True),
        (2.0, 0.0, True),
        (2.0, -50.0, True),
        (4.0, np.nan, True),
    ],
)
def test_a_weak_point_on_a_shoulder_is_faint_and_a_dumbbell_partner_is_not(sign, distance, height, faint):
    model = beside(distance, height)
    model[:, HEIGHT] *= sign
    assert all_too_faint(model, sign).tolist() == [False, faint]


def test_the_limits_are_shares_of_the_stronger_neighbour():
    near, far = SHOULDER - 0.1, SHOULDER + 0.1
    assert all_too_faint(beside(near, 100 * SHOULDER_SHARE - 1), 1.0)[1]
    assert not all_too_faint(beside(near, 100 * SHOULDER_SHARE + 1), 1.0)[1]
    assert all_too_faint(beside(far, 100 * FAINTEST - 1), 1.0)[1]
    assert not all_too_faint(beside(far, 100 * FAINTEST + 1), 1.0)[1]


def test_the_share_that_a_shoulder_asks_for_can_be_given():
    assert all_too_faint(beside(2.0, 25.0), 1.0)[1]
    assert not all_too_faint(beside(2.0, 25.0), 1.0, shoulder=JOINT_SHOULDER_SHARE)[1]
    assert all_too_faint(beside(2.0, 15.0), 1.0, shoulder=JOINT_SHOULDER_SHARE)[1]


def test_a_lone_column_is_never_faint_however_low():
    assert all_too_faint(model_of((30, 30, 1e-6)), 1.0).tolist() == [False]


def test_without_columns_with_a_place_all_are_faint():
    model = np.full((2, PARAMETERS), np.nan)
    assert all_too_faint(model, 1.0).all()


def test_a_column_is_not_its_own_strong_neighbour():
    """A candidate of a lower height than the column had itself is compared with the others alone."""
    model = beside(8.0, 100.0)
    assert not too_faint(model, model[:1, :2] + 0.5, np.array([0]), np.array([20.0]), 1.0)[0]
    assert too_faint(model, model[:1, :2] + 0.5, np.array([1]), np.array([20.0]), 1.0)[0]


def looked(rng, drawn, model, lost, sign=1.0, by="faint"):
    """Outcome of a second look at the columns that are marked as lost, on an image of what was drawn."""
    image = draw([column[:2] for column in drawn], SIGMA, SHAPE, height=[sign * column[2] for column in drawn], level=200.0)
    image = rng.poisson(image).astype(np.float32)
    problem = prepare(image, Columns(positions=model[:, :2]).with_features(sigma_px=SIGMA), RefineParams())
    model = model.copy()
    model[:, HEIGHT] *= sign / problem.unit
    model[:, LEVEL] = (200 - problem.zero) / problem.unit
    if by == "faint":
        model[lost, HEIGHT] = 0
    nobody = np.zeros_like(lost)
    faint, away = (lost, nobody) if by == "faint" else (nobody, lost)
    canvas = np.zeros(SHAPE)
    problem.add(canvas, model[~lost])
    found, faint, away = look_again(problem, canvas, model, faint, away, sign)
    found[:, HEIGHT] *= problem.unit
    return found, faint, away


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("by", ["faint", "away"])
def test_a_lost_column_is_found_again(rng, sign, by):
    true = [(*STRONG, 150.0), (30.0, 44.0, 100.0)]
    start = model_of(true[0], (31.8, 42.0, 100.0))
    model, faint, away = looked(rng, true, start, np.array([False, True]), sign, by)
    assert not faint.any()
    assert not away.any()
    assert np.hypot(*(model[1, :2] - true[1][:2])) < 0.6 * SIGMA
    assert model[1, HEIGHT] == pytest.approx(sign * 100, rel=0.3)
    assert np.array_equal(model[0, :2], STRONG)


def test_where_nothing_is_nothing_is_found(rng):
    start = model_of((*STRONG, 150.0), (30.0, 60.0, 100.0))
    model, faint, away = looked(rng, [(*STRONG, 150.0)], start, np.array([False, True]))
    assert faint.tolist() == [False, True]
    assert not away.any()
    assert model[1, HEIGHT] == 0


def test_no_column_is_found_twice(rng):
    """The lost point's only column is taken already, though its model is a little too low."""
    start = model_of((*STRONG, 100.0), (30.0, 32.5, 100.0))
    _, faint, _ = looked(rng, [(*STRONG, 150.0)], start, np.array([False, True]))
    assert faint.tolist() == [False, True]


def test_the_arguments_are_left_as_they_were(rng):
    lost = np.array([False, True])
    looked(rng, [(*STRONG, 150.0), (30.0, 44.0, 100.0)], model_of((*STRONG, 150.0), (31.0, 43.0, 100.0)), lost)
    assert lost.tolist() == [False, True]
