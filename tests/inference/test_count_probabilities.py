import numpy as np
import pytest

from napari_atomseg.inference.count_probabilities import LEAST_NOISE, TEMPERATURES, honest_probabilities, noise_seen

CHANCE = np.array([[0.7, 0.2, 0.1]])


def test_a_card_without_a_calibration_changes_nothing():
    assert honest_probabilities(CHANCE, {}, "series", 0.3) == pytest.approx(CHANCE)


def test_a_temperature_goes_with_a_power_of_the_noise_and_stays_in_its_range():
    card = {"series": 0.9, "series_slope": 0.5, "single": 1.2, "usual_noise": 0.1}
    for kind, noise, temperature in (
        ("series", 0.1, 0.9),
        ("series", 0.4, 1.8),
        ("single", 0.4, 1.2),
        ("series", 1e3, TEMPERATURES[1]),
    ):
        powers = CHANCE ** (1 / temperature)
        assert honest_probabilities(CHANCE, card, kind, noise) == pytest.approx(powers / powers.sum())


def test_above_one_probabilities_are_flatter_and_keep_their_order():
    chance = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    flat = honest_probabilities(chance, {"series": 1.0, "series_slope": 0.5, "usual_noise": 1.0}, "series", np.array([4.0, 0.25]))
    assert flat.sum(axis=1) == pytest.approx([1, 1])
    assert flat[0, 0] < 0.7
    assert flat[1, 1] > 0.8
    assert (np.argmax(flat, axis=1) == [0, 1]).all()


def test_a_lean_is_a_factor_for_each_further_atom():
    card = {"single_lean": 0.4, "single_lean_slope": -0.3, "usual_noise": 0.1}
    for noise, lean in ((0.1, 0.4), (0.1 / np.e, 0.7), (0.1 * np.e**2, -0.2)):
        found = honest_probabilities(CHANCE, card, "single", noise)[0]
        assert np.diff(np.log(found / CHANCE[0])) == pytest.approx([lean, lean])
    assert honest_probabilities(CHANCE, card, "series", 0.1) == pytest.approx(CHANCE)
    # What is known for sure stays so.
    assert honest_probabilities(np.array([[1.0, 0.0, 0.0]]), card, "single", 1e-4)[0, 0] > 0.999


def test_noise_is_that_of_the_pixels_whatever_the_image_shows(rng):
    y, x = np.mgrid[:200, :200] / 8
    image = 0.2 * np.sin(x) * np.cos(y) + rng.normal(0, 0.1, (200, 200))
    assert noise_seen(image) == pytest.approx(0.1, rel=0.05)
    assert noise_seen(np.zeros((20, 20))) == LEAST_NOISE
    assert noise_seen(np.full((20, 20), np.nan)) == LEAST_NOISE
