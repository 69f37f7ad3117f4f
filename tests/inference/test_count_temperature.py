import numpy as np
import pytest

from napari_atomseg.inference.count_temperature import LEAST_NOISE, RANGE, noise_seen, temperature_at, tempered


def test_a_card_without_a_calibration_changes_nothing():
    assert float(temperature_at({}, "series", 0.3)) == 1
    chance = np.array([[0.7, 0.2, 0.1]])
    assert tempered(chance, 1.0) == pytest.approx(chance)


def test_a_temperature_goes_with_a_power_of_the_noise_and_stays_in_its_range():
    card = {"series": 0.9, "series_slope": 0.5, "single": 1.2, "usual_noise": 0.1}
    assert float(temperature_at(card, "series", 0.1)) == pytest.approx(0.9)
    assert float(temperature_at(card, "series", 0.4)) == pytest.approx(1.8)
    assert float(temperature_at(card, "single", 0.4)) == pytest.approx(1.2)
    assert float(temperature_at(card, "series", 1e3)) == RANGE[1]


def test_above_one_probabilities_are_flatter_and_keep_their_order():
    chance = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    flat = tempered(chance, np.array([[2.0], [0.5]]))
    assert flat.sum(axis=1) == pytest.approx([1, 1])
    assert flat[0, 0] < 0.7
    assert flat[1, 1] > 0.8
    assert (np.argmax(flat, axis=1) == [0, 1]).all()


def test_noise_is_that_of_the_pixels_whatever_the_image_shows(rng):
    y, x = np.mgrid[:200, :200] / 8
    image = 0.2 * np.sin(x) * np.cos(y) + rng.normal(0, 0.1, (200, 200))
    assert noise_seen(image) == pytest.approx(0.1, rel=0.05)
    assert noise_seen(np.zeros((20, 20))) == LEAST_NOISE
    assert noise_seen(np.full((20, 20), np.nan)) == LEAST_NOISE
