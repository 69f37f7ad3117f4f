import numpy as np
import pytest

from napari_atomseg.localise.detection.map_columns import map_columns


def drawn(positions, heights, sigma=1.0, shape=(60, 80)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    for (row, column), height in zip(positions, heights, strict=True):
        image = np.maximum(image, height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma**2)))
    return image.astype(np.float32)


def test_places_and_confidences_come_back(rng):
    positions = np.stack(np.meshgrid(np.arange(8, 55, 8), np.arange(8, 75, 9), indexing="ij"), -1).reshape(-1, 2)
    positions = positions + rng.uniform(-0.5, 0.5, positions.shape)
    found = map_columns(drawn(positions, np.ones(len(positions))), 1.0)
    assert len(found.positions) == len(positions)
    distance = np.linalg.norm(found.positions[:, None] - positions, axis=2).min(axis=1)
    assert distance.max() < 0.03
    assert np.all(found.confidence > 0.95)
    assert np.all(found.spread < 0.3)


def test_the_integral_is_the_probability_however_wide_the_network_draws_it():
    # Half a chance of a column at either of two places half a sigma apart: one column, surely, but where?
    y, x = np.mgrid[:40, :40]
    wide = sum(0.5 * np.exp(-((y - 20) ** 2 + (x - 20 - shift) ** 2) / 2) for shift in (-0.7, 0.7))
    low = 0.4 * np.exp(-((y - 8) ** 2 + (x - 8) ** 2) / 2)
    found = map_columns(wide + low, 1.0)
    order = np.argsort(found.positions[:, 0])
    assert found.positions[order] == pytest.approx(np.array([[8, 8], [20, 20]]), abs=0.05)
    assert found.confidence[order[0]] == pytest.approx(0.4, abs=0.08)
    assert found.confidence[order[1]] > 0.9
    assert found.spread[order[1]] > found.spread[order[0]]


def test_touching_columns_are_split():
    found = map_columns(drawn([(20, 20), (20, 23.5)], [1, 0.8]), 1.0)
    assert len(found.positions) == 2


@pytest.mark.parametrize("image", [np.zeros((30, 30)), np.full((30, 30), np.nan), np.full((30, 30), 0.04), np.ones((1, 1)) * 0])
def test_an_empty_field_has_no_columns(image):
    assert len(map_columns(image, 1.0).positions) == 0


def test_a_faint_haze_has_no_sure_columns(rng):
    haze = np.clip(rng.normal(0.03, 0.03, (200, 200)), 0, 1)
    assert not np.any(map_columns(haze, 1.0).confidence > 0.5)
