"""Where the images of a series lie: found by outline and heights, by a period of the lattice too."""

import numpy as np
import pytest
from scipy import ndimage

from napari_atomseg.inference.series_places import correlation, places_of, presence

SHAPE, PERIOD = (101, 96), np.array([[12.0, 3.0], [-3.0, 12.0]])
CLASSES = 6


def particle(rng, radius):
    """Places and heights of a lattice within a radius, highest in the middle."""
    steps = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 2), -1).reshape(-1, 2)
    places = steps @ PERIOD
    inside = np.hypot(*places.T) <= radius + rng.uniform(-6, 6, len(places))
    heights = np.clip(np.rint(CLASSES * (1 - np.hypot(*places.T) / (1.3 * radius)) + rng.normal(0, 0.5, len(places))), 1, CLASSES)
    return places[inside] + np.array(SHAPE) / 2, heights[inside].astype(int)


def seen(places, heights, rng=None, shift=(0, 0)):
    """Probability of every number of atoms, in the way of a network; with `rng` a third of the columns is taken for one more."""
    chances = np.zeros((CLASSES, *SHAPE))
    for place, height in zip(places + np.array(shift), heights, strict=True):
        wrong = rng is not None and rng.uniform() < 1 / 3
        y, x = np.rint(place).astype(int)
        if 0 <= y < SHAPE[0] and 0 <= x < SHAPE[1]:
            chances[min(height + wrong, CLASSES) - 1, y, x] = 1
    blurred = ndimage.gaussian_filter(chances, (0, 2, 2))
    return presence(blurred / blurred.max())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("moved", [0, 1, 2])
@pytest.mark.parametrize("shift", [PERIOD[0], -PERIOD[1], PERIOD[0] + PERIOD[1], np.array([-7.0, 5.0])], ids=str)
def test_a_displacement_of_any_image_is_found_be_it_a_period_of_the_lattice(seed, moved, shift):
    rng = np.random.default_rng(seed)
    places, heights = particle(rng, 30)
    images = [seen(places, heights, rng, shift if place == moved else (0, 0)) for place in range(3)]
    found = places_of(images)
    true = np.zeros((3, 2)) - (shift if moved == 1 else 0)
    true[moved] = shift if moved != 1 else 0
    true[1] = 0
    assert found.shifts == pytest.approx(true, abs=0.6)
    assert found.sure


@pytest.mark.parametrize("seed", range(8))
def test_what_lies_on_each_other_stays(seed):
    rng = np.random.default_rng(seed)
    places, heights = particle(rng, 30)
    found = places_of([seen(places, heights, rng) for _ in range(3)])
    assert np.abs(found.shifts).max() < 1
    assert found.sure


def test_a_crystal_without_an_outline_is_left_where_it_is():
    rng = np.random.default_rng(0)
    places, heights = particle(rng, 90)
    flat = np.full_like(heights, 3)
    found = places_of([seen(places, flat, None, shift) for shift in ((0, 0), (0, 0), PERIOD[0])])
    assert np.abs(found.shifts).max() < 1


def test_two_places_that_fit_alike_are_said():
    row = np.array([[50.0, 8.0 + 9 * step] for step in range(9)])
    heights = np.full(len(row), 3)
    whole, part = seen(row, heights), seen(row[2:6], heights[2:6])
    assert not places_of([whole, part, whole]).sure
    assert places_of([whole, whole, whole]).sure


def test_nothing_is_seen_and_nothing_is_moved():
    empty = presence(np.zeros((CLASSES, *SHAPE)))
    places, heights = particle(np.random.default_rng(1), 30)
    assert not empty.any()
    assert not places_of([empty] * 3).shifts.any()
    assert not places_of([empty, seen(places, heights), empty]).shifts.any()


def test_the_correlation_of_an_image_with_itself_is_one():
    places, heights = particle(np.random.default_rng(1), 30)
    one = seen(places, heights)
    found = correlation(one, one)
    assert found[0, 0] == pytest.approx(1)
    assert found.max() == pytest.approx(1)
    assert found.shape == (2 * SHAPE[0], 2 * SHAPE[1])
