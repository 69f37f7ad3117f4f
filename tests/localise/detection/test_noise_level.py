"""Gain and read-out noise are read from images of which both are known."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.localise.detection.noise_level import estimate_noise

SHAPE = (300, 310)


@pytest.fixture
def counts(rng):
    """Image of columns of 2.5 px width with counting noise, in counts."""

    def drawn(peak):
        return rng.poisson(draw(square_lattice(SHAPE, 14), 2.5, SHAPE, height=peak, level=0.1 * peak)).astype(float)

    return drawn


@pytest.mark.parametrize(("peak", "within"), [(1, 0.15), (3, 0.08), (10, 0.08), (30, 0.08), (100, 0.08), (1000, 0.08)])
def test_an_image_in_counts_has_unit_gain(counts, peak, within):
    assert estimate_noise(counts(peak)).gain == pytest.approx(1, rel=within)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_the_gain_scales_with_the_unit_of_intensity_and_the_variance_with_its_square(counts, factor):
    image = counts(50)
    plain, scaled = estimate_noise(image), estimate_noise(factor * image)
    assert scaled.gain == pytest.approx(factor * plain.gain, rel=1e-6)
    assert scaled.read_variance == pytest.approx(factor**2 * plain.read_variance, rel=1e-6, abs=1e-9 * factor**2)
    assert scaled.pedestal == pytest.approx(factor * plain.pedestal, rel=1e-6)


@pytest.mark.parametrize("pedestal", [-500.0, 2000.0])
def test_a_pedestal_has_no_noise_of_its_own(counts, pedestal):
    image = counts(50)
    plain, raised = estimate_noise(image), estimate_noise(image + pedestal)
    assert raised.gain == pytest.approx(plain.gain, rel=1e-6)
    assert raised.pedestal == pytest.approx(plain.pedestal + pedestal, rel=1e-6)
    assert np.allclose(raised.variance(image + pedestal), plain.variance(image))


@pytest.mark.parametrize("peak", [20, 200])
def test_the_variance_of_dark_and_bright_pixels_is_that_which_was_drawn(rng, peak):
    expected = draw(square_lattice(SHAPE, 14), 2.5, SHAPE, height=peak, level=0.1 * peak)
    noise = estimate_noise(rng.poisson(expected) + rng.normal(0, 2, SHAPE))
    for level in (0.2 * peak, peak):
        assert noise.variance(np.array(level)) == pytest.approx(level + 4, rel=0.25)


@pytest.mark.parametrize("std", [0.5, 3.0])
def test_noise_that_does_not_depend_on_the_signal_has_no_gain(rng, std):
    image = draw(square_lattice(SHAPE, 16), 3.0, SHAPE, height=20, level=10) + rng.normal(0, std, SHAPE)
    noise = estimate_noise(image)
    assert noise.gain * 20 < 0.2 * std**2
    assert noise.read_variance == pytest.approx(std**2, rel=0.2)


@pytest.mark.parametrize("shape", [(40, 50), (1, 1), (3, 40)])
def test_a_constant_image_has_no_noise(shape):
    noise = estimate_noise(np.full(shape, 12.0))
    assert (noise.gain, noise.read_variance) == (0, 0)
    assert noise.pedestal == pytest.approx(12)


@pytest.mark.parametrize("value", [1e4, 65535.0, 1e8])
def test_a_hot_pixel_changes_little(counts, value):
    image = counts(50)
    plain = estimate_noise(image)
    image[117, 203] = value
    hot = estimate_noise(image)
    assert hot.gain == pytest.approx(plain.gain, rel=0.15)
    assert np.allclose(hot.variance(np.array([10.0, 50.0])), plain.variance(np.array([10.0, 50.0])), rtol=0.15)


def test_below_the_pedestal_the_variance_is_that_of_the_read_out(counts):
    noise = estimate_noise(counts(50))
    assert noise.variance(np.array([noise.pedestal - 30.0]))[0] == noise.read_variance
