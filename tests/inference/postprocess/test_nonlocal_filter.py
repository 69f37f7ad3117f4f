from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from spots import draw, square_lattice

from napari_atomseg.core.jobs import run
from napari_atomseg.inference.detection.columns import NetworkColumns
from napari_atomseg.inference.grid import native_grid
from napari_atomseg.inference.postprocess import nonlocal_filter
from napari_atomseg.inference.postprocess.nonlocal_filter import NEAR, WELL_KNOWN
from napari_atomseg.inference.predict import Prediction, in_counts, unit_of
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS

CARD = ModelCard(name="by hand")
NATIVE = CARD.native_sampling
SHAPE = (160, 150)
DARK, CONTRAST = 12.0, 40.0
ERROR_PX = 0.5
"""Of the positions that the map is unsure of."""


def average_similar_positions(shown, prediction, card):
    return run(nonlocal_filter.average_similar_positions(shown, prediction, card))


def average_similar_background(prediction, card):
    return run(nonlocal_filter.average_similar_background(prediction, card))


def correct_by_residual(prediction):
    return run(nonlocal_filter.correct_by_residual(prediction))


def predicted(sign=1.0, **maps):
    """Maps in units of the network's input as those of an image in counts."""
    counts = {
        task: in_counts(unit_of(task, COLUMN_OUTPUTS), values.astype(np.float32), DARK, CONTRAST, sign)
        for task, values in maps.items()
    }
    return Prediction(
        grid=native_grid(SHAPE, (NATIVE, NATIVE), NATIVE), maps=counts, dark=DARK, contrast=CONTRAST, sign=sign, spread={}
    )


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.fixture
def crystal():
    return square_lattice(SHAPE, 16, margin=2)


@pytest.fixture
def unsure(crystal, rng):
    """Columns placed at random about their true places, and the maps that show them there, and wide."""
    said = crystal + rng.normal(0, ERROR_PX, crystal.shape)
    columns = np.minimum(draw(said, 1.5, SHAPE, height=0.44, level=0.0), 1.0)
    background = draw(crystal, 2.2, SHAPE, height=1.0, level=0.0)
    shown = NetworkColumns(
        positions=said,
        confidence=np.ones(len(said)),
        map_confidence=np.ones(len(said)),
        spread=np.full(len(said), 1.1),
    )
    return shown, predicted(columns=columns, background=background)


def test_columns_that_the_map_places_badly_come_nearer_to_the_truth(crystal, unsure):
    shown, prediction = unsure
    agreed = average_similar_positions(shown, prediction, CARD)
    inner = np.all((crystal > 20) & (crystal < np.array(SHAPE) - 21), axis=1)
    assert rms((agreed.positions - crystal)[inner]) < 0.6 * rms((shown.positions - crystal)[inner])
    np.testing.assert_array_equal(agreed.confidence, shown.confidence)


def test_columns_that_the_map_places_well_stay_where_they_are(unsure):
    shown, prediction = unsure
    sure = replace(shown, spread=np.full(len(shown.spread), 0.9 * WELL_KNOWN / NATIVE))
    np.testing.assert_array_equal(average_similar_positions(sure, prediction, CARD).positions, shown.positions)


def test_of_some_well_and_some_badly_placed_columns_only_these_move(unsure):
    shown, prediction = unsure
    well = np.arange(len(shown.spread)) % 3 == 0
    mixed = replace(shown, spread=np.where(well, WELL_KNOWN / NATIVE, 1.1))
    agreed = average_similar_positions(mixed, prediction, CARD)
    np.testing.assert_array_equal(agreed.positions[well], shown.positions[well])
    assert rms((agreed.positions - shown.positions)[~well]) > 0.1


def test_no_column_is_moved_by_more_than_the_limit_or_onto_another(unsure, rng):
    shown, prediction = unsure
    others = rng.uniform(0, 149, (60, 2))
    many = NetworkColumns(
        positions=np.concatenate([shown.positions, others]),
        confidence=np.concatenate([shown.confidence, rng.uniform(0, 1, 60)]),
        map_confidence=np.zeros(len(shown.positions) + 60),
        spread=np.full(len(shown.positions) + 60, 2.0),
    )
    agreed = average_similar_positions(many, prediction, CARD).positions
    assert np.hypot(*(agreed - many.positions).T).max() < NEAR / NATIVE
    assert len(np.unique(np.round(agreed, 3), axis=0)) == len(agreed)
    assert rms(agreed - many.positions) > 0.05


def test_of_two_columns_near_one_summit_the_nearer_goes_there(crystal, unsure):
    shown, prediction = unsure
    inner = np.all((crystal > 20) & (crystal < np.array(SHAPE) - 21), axis=1)
    near = inner & (np.hypot(*(shown.positions - crystal).T) < 0.7)
    farther = crystal[near] + np.array([0.0, 1.6])
    number = len(farther) + len(crystal)
    both = NetworkColumns(
        positions=np.concatenate([farther, shown.positions]),
        confidence=np.ones(number),
        map_confidence=np.ones(number),
        spread=np.full(number, 1.1),
    )
    agreed = average_similar_positions(both, prediction, CARD).positions
    np.testing.assert_array_equal(agreed[: len(farther)], farther)
    assert rms((agreed[len(farther) :] - shown.positions)[near]) > 0.1


def test_a_column_off_its_site_is_not_drawn_to_it(crystal, unsure):
    shown, _ = unsure
    middle = np.argmin(np.hypot(*(crystal - np.array(SHAPE) / 2).T))
    moved = crystal.copy()
    moved[middle] += [0.0, 3.0]
    columns = draw(moved, 1.5, SHAPE, height=0.44, level=0.0)
    clean = predicted(columns=columns, background=draw(moved, 2.2, SHAPE, height=1.0, level=0.0))
    agreed = average_similar_positions(replace(shown, positions=moved), clean, CARD)
    assert np.hypot(*(agreed.positions - moved)[middle]) < 0.4


@pytest.mark.parametrize("confidence", [0.0, 0.4])
def test_where_no_column_is_probable_nothing_moves(unsure, confidence):
    shown, prediction = unsure
    doubted = replace(shown, confidence=np.full(len(shown.confidence), confidence))
    assert average_similar_positions(doubted, prediction, CARD) is doubted
    none = NetworkColumns(positions=np.zeros((0, 2)), confidence=np.zeros(0), map_confidence=np.zeros(0), spread=np.zeros(0))
    assert average_similar_positions(none, prediction, CARD) is none
    blank = predicted(columns=np.zeros(SHAPE), background=np.zeros(SHAPE))
    np.testing.assert_array_equal(average_similar_positions(shown, blank, CARD).positions, shown.positions)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_denoised_image_is_held_to_the_raw_one_in_counts(crystal, rng, sign):
    clean = draw(crystal, 2.2, SHAPE, height=1.0, level=0.1)
    wrong = draw(crystal, 2.2, SHAPE, height=0.75, level=0.1)
    raw = (clean + rng.normal(0, 0.2, SHAPE)).astype(np.float32)
    given = replace(predicted(sign, denoise=wrong, columns=clean), image=raw)
    held = correct_by_residual(given)
    true = in_counts("intensity", clean, DARK, CONTRAST, sign)
    assert rms(held.maps["denoise"] - true) < 0.5 * rms(given.maps["denoise"] - true)
    assert held.maps["columns"] is given.maps["columns"]


def test_without_the_raw_image_the_network_keeps_its_word(crystal):
    given = predicted(denoise=draw(crystal, 2.2, SHAPE, height=1.0))
    assert correct_by_residual(given) is given
    only = replace(predicted(columns=np.zeros(SHAPE)), image=np.zeros(SHAPE, np.float32))
    assert correct_by_residual(only) is only


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("unsure", [True, False])
def test_chance_in_an_image_that_the_network_is_unsure_of_averages_out(crystal, rng, sign, unsure):
    clean = draw(crystal, 2.2, SHAPE, height=1.0, level=0.0)
    chance = ndimage.gaussian_filter(rng.normal(0, 1, SHAPE), 1.5)
    columns = draw(crystal, 1.5, SHAPE, height=0.44, level=0.0) if unsure else draw(crystal, 1.0, SHAPE, height=1.0, level=0.0)
    given = predicted(sign, background=clean + 0.08 * chance / chance.std(), columns=columns)
    agreed = average_similar_background(given, CARD).maps["background"]
    true = in_counts("intensity above background", clean, DARK, CONTRAST, sign)
    if unsure:
        assert rms(agreed - true) < 0.6 * rms(given.maps["background"] - true)
    else:
        assert agreed is given.maps["background"]


def test_without_columns_the_image_without_background_stays(rng):
    given = predicted(background=rng.normal(size=SHAPE), columns=np.zeros(SHAPE))
    assert average_similar_background(given, CARD) is given
