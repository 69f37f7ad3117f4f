import numpy as np
import pytest

from napari_atomseg.inference.detection.interpretation import (
    SURE,
    accepted,
    centres_of_mass,
    core_sums,
    interpret,
    minima,
    segments_of,
)
from napari_atomseg.inference.structure_confidence import rejection_at

WIDTH, SHAPE = 2.0, (60, 70)
PLACES = np.array([[20.3, 15.6], [20.1, 22.9], [41.0, 50.4]])
"""The first two are a bond apart, 7.1 widths of a label at 0.2 A/px."""


def labels(places, heights=None):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    heights = np.ones(len(places)) if heights is None else heights
    spots = [h * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * WIDTH**2)) for p, h in zip(places, heights, strict=True)]
    return np.max(spots, axis=0)


def maps(*classes):
    return np.stack([*classes, 1 - np.sum(classes, axis=0)])


def test_sure_structures_are_found_where_they_are():
    found = interpret(maps(labels(PLACES)), WIDTH)
    assert found.positions == pytest.approx(PLACES, abs=0.2)
    assert found.confidence == pytest.approx(1, abs=0.06)
    assert found.probabilities.shape == (3, 1)
    assert np.all(found.spread < 0.5)


def test_only_minima_below_epsilon_are_looked_at():
    background = 1 - labels(PLACES, [1.0, 1.0, 0.004])
    assert minima(background, WIDTH, 0.995).max() == 2
    assert minima(background, WIDTH, 0.999).max() == 3


def test_segments_end_at_epsilon_and_at_the_watershed():
    background = 1 - labels(PLACES)
    segments = segments_of(background, minima(background, WIDTH, 0.9), 0.9)
    assert np.all((segments > 0) == (background < 0.9))
    y, x = np.nonzero(segments == segments[20, 16])
    assert np.all(np.hypot(y - 20.3, x - 15.6) <= np.hypot(y - 20.1, x - 22.9) + 1)


def test_classes_are_weighed_over_the_segment():
    """Eq. 7."""
    second = labels(PLACES[2:])
    given = maps(labels(PLACES[:2]) * 0.9 + 0.2 * second, 0.1 * labels(PLACES[:2]) + 0.8 * second)
    found = interpret(given, WIDTH)
    order = np.argsort(found.positions[:, 1])
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert found.probabilities[order, 0] == pytest.approx([0.9, 0.9, 0.2], abs=0.01)
    assert found.classes[order].tolist() == [0, 0, 1]


def test_rejection():
    """Eq. 8, with t = 0.5 and t = 1."""
    foreground, background = np.array([1.0, 1.0, 0.0, 2.0]), np.array([1.9, 2.1, 0.0, 1.0])
    assert accepted(foreground, background, 0.5).tolist() == [True, False, False, True]
    assert accepted(foreground, background, 1.0).tolist() == [False, False, False, True]


def test_doubtful_structures_are_rejected_by_t():
    faint = maps(labels(PLACES, [1.0, 0.6, 0.3]))
    assert [len(interpret(faint, WIDTH, rejection=t).positions) for t in (0.1, 0.5, 1.5)] == [3, 2, 1]
    assert len(interpret(faint, WIDTH, rejection=0.5).kept) == 2


def test_a_sure_core_holds_more_foreground_than_background():
    given = maps(labels(PLACES[2:]))
    segments = segments_of(given[-1], minima(given[-1], WIDTH, 0.995), 0.995)
    centres = centres_of_mass(given[0], segments)
    near, behind = core_sums(given, centres, segments, 1.18 * WIDTH)[0]
    assert near / (near + behind) == pytest.approx(SURE, abs=0.03)
    whole, rest = core_sums(given, centres, segments, 1e3)[0]
    assert rest / whole == pytest.approx(4.3, abs=0.2)


def test_haze_is_no_structure():
    """Where a network knows that atoms are about, but not where, each pixel has their mean share."""
    rng = np.random.default_rng(0)
    haze = np.clip(0.25 + 0.01 * rng.normal(size=SHAPE), 0, 1)
    assert len(interpret(maps(haze), WIDTH).positions) == 0
    assert len(interpret(maps(np.zeros(SHAPE)), WIDTH).positions) == 0


@pytest.mark.parametrize("confidence", [0.05, 0.5, 0.9])
def test_a_confidence_is_a_rejection(confidence):
    foreground = confidence * SURE * np.array([0.99, 1.01])
    assert accepted(foreground, 1 - foreground, rejection_at(confidence)).tolist() == [False, True]
