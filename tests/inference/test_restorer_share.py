"""Shares of two networks in the mean of their answers."""

import numpy as np
import pytest

from napari_atomseg.inference.restorer_share import restorer_share


def test_the_share_grows_with_the_noise(rng):
    y, x = np.mgrid[:128, :128]
    true = np.cos(2 * np.pi * x / 16) * np.cos(2 * np.pi * y / 16)
    shares = [restorer_share(true + true.std() * noise * rng.normal(size=true.shape), true) for noise in (0.1, 1.0, 3.0, 30.0)]
    assert shares == pytest.approx([0.35, 0.59, 0.78, 0.97], abs=0.03)


def test_what_is_not_known_is_left_out(rng):
    true = np.outer(np.ones(64), np.sin(np.arange(64) / 3))
    image = true + rng.normal(size=true.shape)
    holes, answer = image.copy(), true.copy()
    holes[:10, :10] = answer[:10, :10] = np.nan
    assert restorer_share(holes, answer) == pytest.approx(restorer_share(image, true), abs=0.05)


def test_without_contrast_the_network_for_columns_does_not_count(rng):
    assert restorer_share(rng.normal(size=(32, 32)), np.zeros((32, 32))) == 1.0
    assert restorer_share(np.full((32, 32), np.nan), np.ones((32, 32))) == 1.0
