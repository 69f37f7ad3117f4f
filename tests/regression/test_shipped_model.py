"""What the network that comes with the plugin does, on scenes of our own that it never saw, and on published images."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.networks.zoo import list_models, load_model, shipped_folder
from napari_atomseg.readers.registry import read
from napari_atomseg.workflows import NetworkParams, default_network, locate, maps

ROOT = Path(__file__).parents[2]
PIXEL = 0.12
"""Angstrom."""


def beliefs():
    spec = importlib.util.spec_from_file_location("beliefs", ROOT / "benchmarks" / "beliefs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["beliefs"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def name():
    return default_network()


def test_it_is_there_and_whole():
    shipped = [name for name, folder in list_models().items() if folder.parent == shipped_folder()]
    assert shipped
    for name in shipped:
        card = load_model(name).card
        assert card.sha256
        assert card.licence
        assert card.scores
        assert (shipped_folder() / name / "weights.safetensors").stat().st_size < 10e6


def film(rng, shape, grain, thickness):
    """Carbon: blurred noise on a slope, counted."""
    texture = ndimage.gaussian_filter(rng.normal(size=shape), grain)
    slope = np.linspace(0.7, 1.3, shape[1])
    return rng.poisson(np.clip(thickness * slope * (1 + 0.15 * texture / texture.std()), 0, None)).astype(float)


EMPTY = {
    "counts, few": lambda rng, shape: rng.poisson(0.05, shape),
    "counts": lambda rng, shape: rng.poisson(5, shape),
    "white": lambda rng, shape: rng.normal(100, 3, shape),
    "constant": lambda rng, shape: np.full(shape, 7.0),
    "slope": lambda rng, shape: np.add.outer(np.arange(shape[0]), 0.3 * np.arange(shape[1])),
    "step": lambda rng, shape: rng.poisson(np.where(np.arange(shape[1]) < shape[1] // 2, 5.0, 40.0) * np.ones(shape)),
    "pink": lambda rng, shape: ndimage.gaussian_filter(rng.normal(size=shape), 12) * 50 + rng.normal(size=shape),
    "fine film": lambda rng, shape: film(rng, shape, 3.0, 30),
    "film": lambda rng, shape: film(rng, shape, 5.0, 100),
    "coarse film": lambda rng, shape: film(rng, shape, 12.0, 20),
    "rows": lambda rng, shape: rng.normal(size=shape) + 3 * rng.normal(size=(shape[0], 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", EMPTY)
def test_where_there_are_no_columns_hardly_any_are_found(name, kind):
    found, area = false_columns(name, kind)
    assert 1000 * found / area < 1, f"{found} false columns in {area:.0f} square Angstrom"


def false_columns(name, kind):
    """Columns found in scenes without any, and the area of the scenes, square Angstrom."""
    found = area = 0
    for seed in (1, 2):
        image = np.asarray(EMPTY[kind](np.random.default_rng(seed), (400, 500)), np.float32)
        for size in (PIXEL, 0.2):
            found += len(locate(Micrograph(data=image, pixel_size=(size, size)), model=name, refined=False))
            area += image.size * size**2
    return found, area


@pytest.mark.slow
@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_what_it_believes_does_not_erase_what_is_there(name, jitter):
    module = beliefs()
    for scene in module.scenes():
        image = module.recorded(scene, jitter, 11)
        values = module.judged(scene, (locate(image, model=name).positions + 0.5) * module.PIXEL)
        assert values["invented"] == 0, scene.name
        assert values["missed"] == 0, scene.name
        assert not values["filled"] > 0, scene.name
        if scene.moved.any():
            assert values["shift"] == pytest.approx(1.0, abs=0.25 if jitter else 0.1), scene.name


def test_the_map_s_own_places_keep_most_of_a_shift_too(name):
    module = beliefs()
    for scene in module.scenes():
        if scene.moved.any():
            found = locate(module.recorded(scene, 0.2, 11), model=name, refined=False)
            assert module.judged(scene, (found.positions + 0.5) * module.PIXEL)["shift"] > 0.65, scene.name


def test_the_image_without_background_shows_vacancies_as_they_are(name):
    """Averaging over places that look alike must not fill them."""
    module = beliefs()
    scene = next(scene for scene in module.scenes() if scene.name == "vacancies")
    clean = maps(module.recorded(scene, 0.2, 11), model=name, tasks=("background",))["background"].frame()
    inside = [np.rint(places / module.PIXEL - 0.5).astype(int) for places in (scene.empty, scene.positions)]
    empty, full = (
        clean[tuple(places[np.all((places > 20) & (places < np.array(clean.shape) - 20), axis=1)].T)] for places in inside
    )
    assert len(empty) > 3
    assert np.median(empty) < 0.2 * np.median(full)
    assert empty.max() < 0.5 * np.median(full)


def test_displaced_rows_are_put_back(name):
    module = beliefs()
    scene = module.dislocation()
    image = module.recorded(scene, 0.2, 11)
    rms = [
        module.judged(scene, (locate(image, model=name, refined=False, network=asked).positions + 0.5) * module.PIXEL)["rms_pm"]
        for asked in (NetworkParams(), NetworkParams(straighten=False))
    ]
    assert rms[0] < 0.85 * rms[1]


def test_the_fit_measures_as_scanned_and_the_network_keeps_its_own_positions(name):
    module = beliefs()
    image = module.recorded(module.dislocation(), 0.2, 11)
    table = locate(image, model=name)
    plain = locate(image, model=name, network=NetworkParams(straighten=False))
    inner = np.all((table.positions > 10) & (table.positions < np.array(image.shape) - 11), axis=1)
    apart = cKDTree(plain.positions).query(table.positions[inner])[0]
    assert apart.max() < 2
    assert np.median(apart) < 0.1
    believed = table.features[["network_y_px", "network_x_px"]].to_numpy()
    assert np.median(np.hypot(*(believed - table.positions).T)) > 0.2
    assert table.features["scan_shift_y_px"].isna().all()


def test_maps_come_back_on_the_image_s_pixels(name):
    module = beliefs()
    image = module.recorded(module.twin(), 0.0, 3)
    found = maps(image, model=name)
    assert {task: one.shape for task, one in found.items()} == dict.fromkeys(found, image.shape)
    clean = found["background"].frame()
    assert abs(np.percentile(clean, 2)) < 0.1 * np.percentile(clean, 99)
    assert "belief" in found["columns"].notes[0]


@pytest.mark.parametrize(("stem", "size"), [("Si110_5nmX25us_03_none_none", 0.0977), ("Grain_boundry_gold_512px", None)])
def test_the_columns_of_the_published_network_are_found(name, shared_data, stem, size):
    theirs = np.load(shared_data(f"truth/atomsegnet_{stem}.npz"))["positions_yx_px"].astype(float)
    (micrograph,) = read(shared_data(f"micrographs/{stem}.png"))
    network = NetworkParams(pixel_size=size, straighten=False)
    found = locate(micrograph, model=name, refined=False, network=network).positions
    reach = 0.3 * np.median(cKDTree(theirs).query(theirs, k=2)[0][:, 1])
    assert np.mean(cKDTree(found).query(theirs)[0] < reach) >= 0.99
