import dask.array as da
import numpy as np
import pytest
import torch

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.inference import network_tiles
from napari_atomseg.inference import predict as predict_module
from napari_atomseg.inference.grid import native_grid
from napari_atomseg.inference.normalise import FARTHEST, contrast_of, normalised
from napari_atomseg.inference.predict import predict
from napari_atomseg.networks.architectures.unet import Unet, UnetParams
from napari_atomseg.networks.card import ModelCard, ModelError
from napari_atomseg.networks.zoo import Model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    params = UnetParams(width=4, depth=3, stem=2, row_context=3)
    network = Unet(params).eval()
    for block in network.rows:
        torch.nn.init.normal_(block.after.weight, std=0.1)
    return Model(ModelCard(name="untrained", sampling_range=(0.01, 0.3)), network)


@pytest.fixture
def image(rng):
    return rng.poisson(20, (150, 211)).astype(np.float32)


def test_tiles_give_what_the_whole_gives(model, image, monkeypatch):
    whole = run(predict(model, image, (0.2, 0.2)))
    monkeypatch.setattr(network_tiles, "WHOLE", 10)
    monkeypatch.setattr(network_tiles, "TILE", 24)
    tiled = run(predict(model, image, (0.2, 0.2)))
    for task, values in whole.maps.items():
        scale = np.abs(values).max()
        assert np.abs(tiled.maps[task] - values).max() < 2e-5 * scale, task


@pytest.mark.parametrize("pixel_size", [(0.2, 0.2), (0.15, 0.15), (0.1, 0.1), (0.05, 0.08), (0.27, 0.27)])
def test_bands_of_a_lazy_image_give_what_the_whole_gives(model, image, monkeypatch, pixel_size):
    whole = run(predict(model, image, pixel_size, ("denoise",)))
    monkeypatch.setattr(predict_module, "BAND", 16)
    lazy = da.from_array(image, chunks=(40, 50))
    banded = run(predict(model, lazy, pixel_size, ("denoise",)))
    assert banded.maps["denoise"].shape == banded.grid.native_shape
    difference = np.abs(banded.maps["denoise"] - whole.maps["denoise"]).max()
    assert difference < 1e-4 * np.abs(whole.maps["denoise"]).max()
    assert whole.on_image("denoise").shape == image.shape


def test_gain_and_offset_go_straight_through(model, image):
    plain = run(predict(model, image, (0.2, 0.2)))
    other = run(predict(model, 7 * image + 1000, (0.2, 0.2)))
    assert other.maps["columns"] == pytest.approx(plain.maps["columns"], abs=1e-4)
    assert other.maps["denoise"] == pytest.approx(7 * plain.maps["denoise"] + 1000, rel=1e-4)
    assert other.maps["background"] == pytest.approx(7 * plain.maps["background"], abs=7e-3)


def test_dark_columns_are_bright_ones_turned_over(model, image):
    bright = run(predict(model, image, (0.2, 0.2)))
    dark = run(predict(model, -image, (0.2, 0.2), sign=-1.0))
    assert dark.maps["columns"] == pytest.approx(bright.maps["columns"], abs=1e-5)
    assert dark.maps["denoise"] == pytest.approx(-bright.maps["denoise"], abs=1e-3)


def test_positions_of_the_native_grid_lie_on_the_image_where_they_should():
    grid = native_grid((300, 300), (0.1, 0.05), 0.2)
    assert grid.native_shape == (150, 75)
    # The middle of the first native pixel is the middle of 2 image pixels along y, and of 4 along x.
    assert grid.to_image(np.array([[0.0, 0.0]])) == pytest.approx(np.array([[0.5, 1.5]]))


def test_a_gaussian_keeps_its_place_through_the_resampling():
    from napari_atomseg.inference.predict import _native_image

    y, x = np.mgrid[:160, :160]
    image = np.exp(-((y - 70.3) ** 2 + (x - 90.8) ** 2) / (2 * 6**2)).astype(np.float32)
    for size in (0.05, 0.08, 0.15, 0.2, 0.23):
        grid = native_grid(image.shape, (size, size), 0.2)
        native = run(_native_image(image, grid, 1.0))[0, 0].numpy()
        rows, columns = np.mgrid[: native.shape[0], : native.shape[1]]
        centre = np.array([[(native * rows).sum(), (native * columns).sum()]]) / native.sum()
        assert grid.to_image(centre) == pytest.approx(np.array([[70.3, 90.8]]), abs=0.03)


@pytest.mark.parametrize("size", [0.05, 0.087, 0.15, 0.2, 0.23])
def test_maps_come_back_to_where_they_belong(size):
    from napari_atomseg.inference.predict import Prediction, _native_image

    y, x = np.mgrid[:157, :163]
    image = np.exp(-((y - 122.3) ** 2 + (x - 125.8) ** 2) / (2 * (0.5 / size) ** 2)).astype(np.float32)
    grid = native_grid(image.shape, (size, size), 0.2)
    native = run(_native_image(image, grid, 1.0))[0, 0].numpy()
    back = Prediction(grid=grid, maps={"denoise": native}).on_image("denoise")
    assert back.shape == image.shape
    assert np.abs(back - image).max() < 0.02
    for axis in (y, x):
        assert (back * axis).sum() / back.sum() == pytest.approx((image * axis).sum() / image.sum(), abs=0.03)


def test_normalisation_ignores_hot_pixels(rng):
    image = rng.poisson(30, (1, 1, 256, 256)).astype(np.float32)
    dark, contrast = contrast_of(torch.from_numpy(image))
    image.reshape(-1)[rng.integers(0, image.size, 20)] = 1e6
    hot_dark, hot_contrast = contrast_of(torch.from_numpy(image))
    assert float(hot_dark) == pytest.approx(float(dark), rel=0.05)
    assert float(hot_contrast) == pytest.approx(float(contrast), rel=0.15)


def test_flat_and_broken_images_give_finite_maps(model):
    for image in (np.zeros((64, 64), np.float32), np.full((64, 64), np.nan, np.float32), np.full((64, 64), 5.0, np.float32)):
        found = run(predict(model, image, (0.2, 0.2)))
        assert all(np.isfinite(values).all() for values in found.maps.values())


def test_averaging_gives_a_spread_that_is_zero_only_for_one_image(model, image):
    found = run(predict(model, image, (0.2, 0.2), ("columns", "denoise"), averaged=True))
    assert set(found.spread) == {"columns", "denoise"}
    assert found.spread["denoise"].max() > 0


def test_cancel_stops_at_the_next_tile(model, image, monkeypatch):
    monkeypatch.setattr(network_tiles, "WHOLE", 10)
    monkeypatch.setattr(network_tiles, "TILE", 24)
    steps = predict(model, image, (0.2, 0.2))
    assert next(steps).total > 10
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.parametrize(
    ("shape", "size", "words"),
    [((64, 64), 1.5, "check the pixel size"), ((64, 64), 0.001, "check the pixel size"), ((20, 20), 0.02, "needs 16")],
)
def test_images_that_do_not_fit_the_model_are_refused(model, shape, size, words):
    with pytest.raises(ModelError, match=words):
        run(predict(model, np.zeros(shape, np.float32), (size, size)))


def test_an_unknown_map_is_refused(model):
    with pytest.raises(AtomsegError, match="no map"):
        run(predict(model, np.zeros((64, 64), np.float32), (0.2, 0.2), ("colour",)))


def test_nothing_lies_far_beyond_the_contrast():
    image = torch.zeros(1, 1, 8, 8)
    image[..., 3, 3] = 1e9
    found = normalised(image, torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    assert float(found.max()) == FARTHEST
