"""The likelihood of a column at a site, against closed forms."""

import numpy as np
import pytest

from napari_atomseg.analysis.sequences.evidence import Moment, Scene, look
from napari_atomseg.analysis.sequences.scene import noise_of, scene_of

PLACES = np.array([[20.3, 20.6], [20.1, 32.0], [33.2, 26.4]])
SIGMA, GROUND, HEIGHT = 2.5, 0.4, 1.1


def drawn(places, heights, shape=(52, 56)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, GROUND)
    for (a, b), height in zip(places, heights, strict=True):
        image += height * np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * SIGMA**2))
    return image


def scene(gain=1.0, offset=0.0):
    ground = np.full((52, 56), GROUND)
    return Scene(
        places=PLACES,
        heights=np.full(3, gain * HEIGHT),
        sigma=SIGMA,
        background=gain * ground + offset,
        gain=gain,
        offset=offset,
    )


def test_evidence_is_the_ratio_of_poisson_likelihoods_whatever_the_gain():
    rng = np.random.default_rng(0)
    shift = np.array([1.4, -0.7])
    counts = rng.poisson(drawn(PLACES + shift, [HEIGHT, 0.0, HEIGHT])).astype(float)
    moment = Moment(shift=shift, presence=np.array([1.0, 0.0, 1.0]))
    found = look(counts, moment, scene())
    full, empty = drawn(PLACES + shift, [HEIGHT] * 3), drawn(PLACES + shift, [HEIGHT, 0, HEIGHT])
    assert found.ratio[1] == pytest.approx(np.sum(counts * np.log(full / empty) - (full - empty)), abs=0.3)
    assert found.ratio[0] > 5 > -5 > found.ratio[1]
    scaled = look(7 * counts + 100, moment, scene(7.0, 100.0))
    np.testing.assert_allclose(scaled.ratio, found.ratio, rtol=1e-6, atol=1e-6)


def test_mean_evidence_and_heights_are_those_of_the_truth():
    rng = np.random.default_rng(1)
    truth = drawn(PLACES, [HEIGHT, 0, HEIGHT])
    moment = Moment(shift=np.zeros(2), presence=np.array([1.0, 0.0, 1.0]))
    several = [look(rng.poisson(truth), moment, scene()) for _ in range(300)]
    heights = np.array([one.height for one in several])
    error = heights.std(axis=0) / np.sqrt(300)
    assert np.all(np.abs(heights.mean(axis=0) - [HEIGHT, 0, HEIGHT]) < 4 * error + 0.01)
    assert heights[:, 1].var() == pytest.approx(several[0].variance[1], rel=0.25)
    # A likelihood ratio has the mean 1 where the column is absent: its logarithm is below 0 on average.
    assert np.mean([one.ratio[1] for one in several]) < -5


def test_sites_that_are_not_in_the_frame_say_nothing():
    frame = drawn(PLACES, [HEIGHT] * 3)
    frame[:, 27:] = np.nan
    found = look(frame, Moment(shift=np.zeros(2), presence=np.ones(3)), scene())
    assert found.seen.tolist() == [True, False, False]
    assert found.ratio[1] == 0
    away = look(drawn(PLACES, [HEIGHT] * 3), Moment(shift=np.array([-36.0, 0]), presence=np.ones(3)), scene())
    assert away.seen.tolist() == [False, False, False]


def test_an_average_gives_heights_and_background():
    found = scene_of(drawn(PLACES, [1.0, 0.5, 2.0]), PLACES, SIGMA)
    assert found.heights == pytest.approx([1.0, 0.5, 2.0], rel=0.05)
    assert found.background[5, 5] == pytest.approx(GROUND, rel=0.05)


def test_noise_is_read_from_its_growth_with_the_intensity():
    rng = np.random.default_rng(2)
    mean = rng.uniform(5, 50, 200_000)
    square = (3.0 * rng.poisson(mean / 3.0) - mean) ** 2
    gain, offset = noise_of(np.array([len(mean), mean.sum(), (mean**2).sum(), square.sum(), (square * mean).sum()]))
    assert gain == pytest.approx(3.0, rel=0.05)
    assert offset == pytest.approx(0.0, abs=1.5)
