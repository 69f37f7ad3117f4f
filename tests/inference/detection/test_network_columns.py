from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from spots import draw, square_lattice
from torch import nn

from napari_atomseg.inference.detection.columns import as_columns, network_columns
from napari_atomseg.inference.grid import native_grid
from napari_atomseg.inference.predict import Prediction, in_counts, unit_of
from napari_atomseg.networks.candidate_classifier import FEATURES
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.networks.outputs import COLUMN_OUTPUTS
from napari_atomseg.networks.zoo import Model

CARD = ModelCard(name="by hand")
SIZE = (CARD.native_sampling, CARD.native_sampling)
SHAPE = (100, 96)
DARK, CONTRAST = 30.0, 200.0


class OneNumber(nn.Module):
    """A judge that takes one number of the evidence for the logit of its answer."""

    def __init__(self, name, factor=1.0):
        super().__init__()
        self.row, self.factor = FEATURES.index(name), factor

    def forward(self, evidence):
        return (self.factor * evidence[:, self.row]).sigmoid()


def judged_by(name, factor=1.0):
    return Model(CARD, nn.Identity(), OneNumber(name, factor))


@pytest.fixture
def true():
    return square_lattice(SHAPE, 18, margin=6)


@pytest.fixture
def prediction(true):
    """Every other column is in the map, all are in the image."""
    columns = draw(true[::2], 1.0, SHAPE, height=0.6, level=0.0)
    clean = draw(true, 2.2, SHAPE, height=1.0, level=0.0)
    maps = {"columns": columns, "mask": columns, "denoise": clean + 0.1, "background": clean}
    counts = {
        task: in_counts(unit_of(task, COLUMN_OUTPUTS), values.astype(np.float32), DARK, CONTRAST, 1.0)
        for task, values in maps.items()
    }
    raw = maps["denoise"].astype(np.float32)
    return Prediction(grid=native_grid(SHAPE, SIZE, SIZE[0]), maps=counts, image=raw, dark=DARK, contrast=CONTRAST)


def test_without_a_judge_the_map_has_the_word(prediction, true):
    shown = network_columns(prediction, Model(CARD, nn.Identity()))
    assert len(shown.positions) == len(true[::2])
    assert shown.confidence == pytest.approx(0.6, abs=0.05)
    np.testing.assert_array_equal(shown.confidence, shown.map_confidence)
    without_image = network_columns(replace(prediction, image=None), judged_by("height", 1e3))
    np.testing.assert_array_equal(without_image.positions, shown.positions)


def test_a_judge_finds_what_only_the_image_shows(prediction, true):
    shown = network_columns(prediction, judged_by("height", 4.0))
    there = cKDTree(shown.positions).query(true)
    assert there[0].max() < 0.2
    # The height of a column in units of the network's input is 1.
    assert shown.confidence[there[1]] == pytest.approx(1 / (1 + np.exp(-4.0)), abs=0.01)
    assert shown.map_confidence[there[1]][::2] == pytest.approx(0.6, abs=0.05)
    assert np.all(shown.map_confidence[there[1]][1::2] == 0)


def test_columns_keep_both_words_and_the_improbable_are_left_out(prediction, true):
    shown = network_columns(prediction, judged_by("drawn", 1.0))
    columns = as_columns(shown, prediction, CARD, 0.6)
    assert len(columns) == len(true[::2])
    assert columns.features["confidence"].to_numpy() == pytest.approx(torch.tensor(1.0).sigmoid().item(), abs=1e-4)
    assert columns.features["map_confidence"].to_numpy() == pytest.approx(0.6, abs=0.05)
    assert columns.features["intensity"].to_numpy() == pytest.approx(CONTRAST, rel=0.05)


def test_where_nothing_is_shown_there_is_nothing_to_judge(prediction):
    blank = np.zeros(SHAPE, np.float32)
    empty = replace(prediction, maps=dict.fromkeys(prediction.maps, blank), image=blank)
    shown = network_columns(empty, judged_by("height"))
    assert len(shown.positions) == len(shown.confidence) == len(shown.map_confidence) == len(shown.spread) == 0
