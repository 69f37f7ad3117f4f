import numpy as np
import pytest
from torch import nn

from napari_atomseg.core.columns import Columns
from napari_atomseg.inference.grid import native_grid
from napari_atomseg.inference.postprocess.scan_rows import row_shifts, straightened
from napari_atomseg.inference.predict import Prediction


def lattice(side=150, cell=11.0):
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    sites = np.stack(np.meshgrid(*[np.arange(-20, 20)] * 2, indexing="ij"), -1).reshape(-1, 2) @ turn * cell + side / 2
    return sites[np.all((sites > 3) & (sites < side - 4), axis=1)]


def strayed(rows, rng, size):
    """Displacements of rows that remember each other over a column's width."""
    noise = rng.normal(0, 1, (rows + 40, 2))
    kernel = np.exp(-0.5 * (np.arange(-20, 21) / 3.0) ** 2)
    return size * np.stack([np.convolve(part, kernel / np.sqrt((kernel**2).sum()), "valid") for part in noise.T], axis=1)


def found_columns(true, shift, rng):
    at = np.stack([np.interp(true[:, 0], np.arange(len(shift)), part) for part in shift.T], axis=1)
    return Columns(positions=true + at + rng.normal(0, 0.05, true.shape)).with_features(sigma_px=2.2, intensity=1.0)


def test_rows_that_strayed_are_told_from_the_lattice(rng):
    true = lattice()
    shift = strayed(150, rng, np.array([0.5, 1.0]))
    found = row_shifts(found_columns(true, shift, rng), 150)
    assert found is not None
    inner = slice(15, 135)
    rest = (found - shift)[inner] - (found - shift)[inner].mean(axis=0)
    assert np.all(rest.std(axis=0) < 0.6 * shift[inner].std(axis=0))


def test_even_rows_are_left_alone(rng):
    assert row_shifts(found_columns(lattice(), np.zeros((150, 2)), rng), 150) is None


def test_without_a_lattice_nothing_is_believed(rng):
    places = rng.uniform(0, 150, (120, 2))
    assert row_shifts(Columns(positions=places).with_features(sigma_px=2.2, intensity=1.0), 150) is None
    assert row_shifts(Columns(positions=np.zeros((0, 2))), 150) is None


def test_maps_and_columns_move_back_together(rng):
    y, x = np.mgrid[:90, :100]
    shift = np.stack([0.8 * np.sin(np.arange(90) / 9), 1.5 * np.cos(np.arange(90) / 11)], axis=1)
    scene = np.exp(-((y - 40.2) ** 2 + (x - 50.7) ** 2) / (2 * 3.0**2))
    seen = np.exp(-((y - shift[:, :1] - 40.2) ** 2 + (x - shift[:, 1:] - 50.7) ** 2) / (2 * 3.0**2)).astype(np.float32)
    grid = native_grid((90, 100), (0.2, 0.2), 0.2)
    back = straightened(Prediction(grid=grid, maps={"denoise": seen}), shift)
    assert back.shifts is shift
    assert np.abs(back.maps["denoise"] - scene).max() < 0.1 * np.abs(seen - scene).max() + 0.05


@pytest.mark.parametrize("turned", [0, 1])
def test_shifts_are_kept_with_the_columns(turned):
    from napari_atomseg.inference.detection.columns import as_columns, network_columns
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.networks.zoo import Model

    y, x = np.mgrid[:60, :60]
    columns = np.exp(-((y - 30.0) ** 2 + (x - 31.0) ** 2) / 2).astype(np.float32)
    shift = np.full((60, 2), 0.0)
    shift[:, turned] = 0.75
    grid = native_grid((120, 120), (0.1, 0.1), 0.2)
    maps = {"columns": columns, "denoise": columns, "background": columns}
    seen = Prediction(grid=grid, maps=maps, shifts=shift)
    card = ModelCard(name="m")
    found = as_columns(network_columns(seen, Model(card, nn.Identity())), seen, card, 0.5)
    assert found.positions == pytest.approx(np.array([[60.5, 62.5]]), abs=0.02)
    kept = found.features[["scan_shift_y_px", "scan_shift_x_px"]].to_numpy()
    assert kept[0] == pytest.approx([1.5, 0.0] if turned == 0 else [0.0, 1.5])
