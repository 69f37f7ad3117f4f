from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from napari_atomseg.analysis.diffractogram import Spots, diffractogram, find_spots, lattice_spacing


def wave(shape, *frequencies):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return sum(np.cos(2 * np.pi * (fy * y + fx * x)) for fy, fx in frequencies)


@pytest.mark.parametrize("shape", [(64, 64), (65, 80), (1, 1), (1, 9)])
def test_power_is_that_of_the_fourier_transform(shape):
    image = np.random.default_rng(0).normal(size=shape)
    spectrum = diffractogram(image, window="none")
    centred = image - image.mean()
    span = np.abs(centred).max()
    expected = np.abs(np.fft.fftshift(np.fft.fft2(centred / span if span else centred))) ** 2
    np.testing.assert_allclose(spectrum.power, expected, rtol=1e-3, atol=1e-4 * expected.max() + 1e-12)
    assert spectrum.power.dtype == np.float32
    assert spectrum.frequency_step == (1 / shape[0], 1 / shape[1])
    assert spectrum.frequency((shape[0] // 2, shape[1] // 2)).tolist() == [0, 0]


def test_a_wrong_window_and_a_stack_are_wrong_use():
    with pytest.raises(ValueError, match='"hann" or "none"'):
        diffractogram(np.zeros((4, 4)), window="blackman")
    with pytest.raises(ValueError, match="an image has shape"):
        diffractogram(np.zeros((2, 4, 4)))


@pytest.mark.parametrize("frequency", [(0.0731, 0.0213), (0.05, 0.0), (0.0, 0.1234), (0.033, -0.21), (0.31, 0.17)])
def test_a_wave_is_found_to_a_fraction_of_a_pixel(frequency):
    image = wave((300, 420), frequency) + np.random.default_rng(1).normal(size=(300, 420))
    spots = find_spots(diffractogram(image))
    assert len(spots.strengths) == 1
    np.testing.assert_allclose(spots.frequencies[0], frequency, atol=0.03 / 300)
    assert spots.strengths[0] == 1


def test_the_strongest_comes_first_and_the_limit_holds():
    frequencies = [(0.1, 0.02), (0.03, 0.13), (0.2, 0.2)]
    image = sum(weight * wave((256, 256), frequency) for weight, frequency in zip((1, 3, 2), frequencies, strict=True))
    image = image + np.random.default_rng(2).normal(size=image.shape)
    spots = find_spots(diffractogram(image))
    np.testing.assert_allclose(spots.frequencies, [frequencies[i] for i in (1, 2, 0)], atol=2e-4)
    assert len(find_spots(diffractogram(image), limit=2).strengths) == 2


@pytest.mark.parametrize("size", [64, 256, 700])
def test_noise_has_no_spots(size):
    for seed in range(3):
        image = np.random.default_rng(seed).poisson(5, (size, size))
        assert lattice_spacing(image).spacing is None


def test_lines_borders_and_slopes_have_no_spots():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:300, :300]
    noise = rng.normal(size=y.shape)
    rows = 5 * rng.normal(size=(300, 1))
    assert not find_spots(diffractogram(noise + rows)).strengths.size
    assert not find_spots(diffractogram(noise + 0.5 * y + 0.2 * x)).strengths.size
    particle = 20 * (np.hypot(y - 140, x - 160) < 90)
    assert not find_spots(diffractogram(noise + particle)).strengths.size


def test_a_lattice_along_the_scan_is_found_among_line_noise():
    rng = np.random.default_rng(4)
    image = 3 * wave((300, 300), (0.08, 0), (0, 0.08)) + rng.normal(size=(300, 300)) + 2 * rng.normal(size=(300, 1))
    spots = find_spots(diffractogram(image))
    np.testing.assert_allclose(np.sort(spots.spacings[:2]), [12.5, 12.5], rtol=2e-3)


@pytest.mark.parametrize("value", [0.0, 7.5, np.nan, np.inf])
def test_a_constant_image_is_empty(value):
    found = lattice_spacing(np.full((128, 128), value))
    assert found.spacing is None
    assert found.spots.strengths.size == found.others.size == 0


def test_spots_of_nothing():
    assert Spots().spacings.shape == (0,)
    assert not find_spots(diffractogram(np.ones((3, 3)))).strengths.size


@pytest.mark.parametrize("dtype", ["float16", "uint8", "int32", "bool", "float64", ">u2"])
def test_numbers_of_any_kind(dtype):
    image = 60 + 50 * wave((200, 200), (0.1, 0.04))
    image = (image > 60 if dtype == "bool" else image).astype(dtype)
    assert lattice_spacing(image).spacing == pytest.approx(1 / np.hypot(0.1, 0.04), rel=2e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_intensities_of_any_size(scale):
    image = scale * wave((200, 200), (0.1, 0.04))
    assert lattice_spacing(image).spacing == pytest.approx(1 / np.hypot(0.1, 0.04), rel=2e-3)


def test_missing_pixels_are_bridged():
    image = wave((256, 256), (0.1, 0.04))
    image[60:90, 100:140] = np.nan
    image[3, 3] = np.inf
    assert lattice_spacing(image).spacing == pytest.approx(1 / np.hypot(0.1, 0.04), rel=2e-3)


def test_equivalent_spots_are_averaged_and_others_listed():
    angles = np.deg2rad([10, 70, 130])
    hexagon = [(0.1 * np.sin(angle), 0.1 * np.cos(angle)) for angle in angles]
    image = wave((256, 256), *hexagon) + 0.5 * wave((256, 256), (0.17, 0.03))
    found = lattice_spacing(image + 0.5 * np.random.default_rng(5).normal(size=image.shape))
    assert found.spacing == pytest.approx(10, rel=1e-3)
    assert len(found.spots.strengths) == 3
    np.testing.assert_allclose(found.others[:1], 1 / np.hypot(0.17, 0.03), rtol=2e-3)


def test_a_large_image_is_cut_not_binned():
    strip = wave((300, 3000), (0.03, 0.45))
    found = lattice_spacing(strip)
    assert diffractogram(strip).power.shape == (300, 2048)
    assert found.spacing == pytest.approx(1 / np.hypot(0.03, 0.45), rel=1e-3)


def test_strontium_titanate():
    root = Path(os.environ.get("ATOMSEG_SHARED", Path(__file__).parents[3] / "shared"))
    path = root / "data/micrographs/test_ADF_cropped.hdf5"
    if not path.exists():
        pytest.skip("the micrograph is not here")
    from napari_atomseg.readers.registry import read

    found = lattice_spacing(read(path)[0].data)
    assert found.spacing is not None
    # {110} planes, 2.761 A, at 9.326 pm per pixel.
    assert found.spacing * 0.09326 == pytest.approx(2.761, rel=0.015)
