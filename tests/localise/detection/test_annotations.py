"""Frames, data bars and scale bars are no image, whatever the image."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, offsets, square_lattice

from napari_atomseg.core.jobs import run
from napari_atomseg.localise.detection.annotations import find_annotations
from napari_atomseg.localise.detection.find import find_columns
from napari_atomseg.localise.detection.params import ClassicalParams

SHAPE = (200, 210)


def framed(image):
    return np.pad(image, 20, constant_values=255), np.array([20, 20])


def over_a_data_bar(image):
    bar = np.zeros((30, SHAPE[1]))
    bar[8:22, 20:90:4] = 255
    return np.concatenate([image, bar]), np.zeros(2)


def with_a_scale_bar(image):
    marked = image.copy()
    marked[180:186, 20:80] = 255
    return marked, np.zeros(2)


PICTURES = {"a frame": framed, "a data bar": over_a_data_bar, "a scale bar": with_a_scale_bar}


def picture(rng):
    true = square_lattice(SHAPE, 16)
    return np.round(np.clip(draw(true, 2.5, SHAPE, height=60) + 40 + rng.normal(0, 5, SHAPE), 0, 180)), true


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_drawn_into_a_picture_is_left_out_and_named(rng, name):
    image, true = picture(rng)
    shown, moved = PICTURES[name](image)
    found = run(find_columns(shown, ClassicalParams()))
    assert name in found.provenance["left_out"]
    there = true[~((true[:, 0] > 170) & (true[:, 1] < 90))] if name == "a scale bar" else true
    there = there[((there > 8) & (there < np.array(SHAPE) - 9)).all(axis=1)]
    assert np.abs(offsets(found.positions, there + moved)).max() < 1.5
    assert len(found) <= len(true)


def test_a_plain_image_has_none(rng):
    image, _ = picture(rng)
    for plain in (image, rng.poisson(3, SHAPE), np.zeros(SHAPE), rng.integers(0, 2, SHAPE)):
        assert find_annotations(np.asarray(plain, float)).words == ""
