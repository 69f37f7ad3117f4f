"""Columns where there are columns, and nowhere else."""

from __future__ import annotations

import tracemalloc

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from scipy.spatial import cKDTree
from spots import draw, offsets, square_lattice

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.detection import find
from napari_atomseg.localise.detection.find import find_columns
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.refinement.refine import refine_columns
from napari_atomseg.readers.registry import read

SHAPE = (240, 251)
SIGMA = 2.5
MOST_PER_PIXEL = 1e-4


def found_in(image, region=None, **params):
    return run(find_columns(image, ClassicalParams(**params), region))


def crystal(rng, spacing=14, shape=SHAPE, noise=3.0, **look):
    true = square_lattice(shape, spacing)
    return draw(true, SIGMA, shape, **look) + rng.normal(0, noise, shape), true


def inner(positions, shape=SHAPE, margin=8):
    return positions[np.all((positions > margin) & (positions < np.array(shape) - 1 - margin), axis=1)]


def test_all_columns_of_a_crystal_and_no_other(rng):
    image, true = crystal(rng)
    columns = found_in(image)
    assert np.abs(offsets(columns.positions, inner(true))).max() < 0.5
    assert np.abs(offsets(true, inner(columns.positions))).max() < 0.5
    assert set(columns.features["origin"]) == {"classical"}
    assert columns.features["confidence"].between(0, 1).all()
    assert columns.features["intensity"].median() == pytest.approx(100, rel=0.35)
    assert columns.image_shape == SHAPE


@pytest.mark.parametrize(("gain", "offset"), [(1, 5000), (1e-3, 0), (250, -1e4)])
def test_the_unit_of_intensity_does_not_matter(rng, gain, offset):
    image, _ = crystal(rng)
    plain, other = found_in(image), found_in(gain * image + offset)
    assert len(plain) == len(other)
    assert np.abs(offsets(other.positions, plain.positions)).max() < 0.02


def test_dark_columns_stand_where_the_bright_ones_of_the_inverted_image_do(rng):
    image, _ = crystal(rng)
    bright, dark = found_in(image), found_in(-image)
    assert len(bright) == len(dark)
    assert np.abs(offsets(dark.positions, bright.positions)).max() < 0.05
    assert (bright.features["intensity"] > 0).all()
    assert (dark.features["intensity"] < 0).all()


def test_a_wrong_polarity_finds_the_gaps_and_not_the_columns(rng):
    image, true = crystal(rng)
    gaps = found_in(image, polarity="dark")
    assert len(gaps) == 0 or np.median(np.hypot(*offsets(true, gaps.positions).T)) > 3


def test_a_block_of_invalid_pixels_costs_only_the_columns_in_it(rng):
    image, true = crystal(rng)
    image[100:140, 90:140] = np.nan
    image[10, 10] = np.inf
    columns = found_in(image)
    away = inner(true)
    away = away[~((away[:, 0] > 90) & (away[:, 0] < 150) & (away[:, 1] > 80) & (away[:, 1] < 150))]
    assert np.abs(offsets(columns.positions, away)).max() < 0.6
    in_block = (columns.positions > (103, 93)).all(1) & (columns.positions < (136, 136)).all(1)
    assert not in_block.any()


def test_columns_at_the_border_are_flagged(rng):
    image, _ = crystal(rng)
    columns = found_in(image, border=10)
    edge = np.min([*columns.positions.T, *(np.array(SHAPE) - 1 - columns.positions).T], axis=0)
    assert ((columns.features["fit"] == "border") == (edge < 10)).all()


@pytest.mark.parametrize(("distance", "noise"), [(2.7, 1.0), (2.5, 0.1)])
def test_touching_columns_are_split_and_then_fitted_without_bias(rng, distance, noise):
    pairs = square_lattice(SHAPE, 26, margin=12)
    true = np.concatenate([pairs, pairs + np.array([0, distance * SIGMA])])
    columns = found_in(draw(true, SIGMA, SHAPE) + rng.normal(0, noise, SHAPE), column_sigma=SIGMA)
    assert np.hypot(*offsets(columns.positions, inner(true)).T).max() < 1.5
    fitted = run(refine_columns(draw(true, SIGMA, SHAPE), columns))
    assert np.abs(offsets(fitted.positions, inner(true, margin=20))).max() < 0.02


def test_only_the_region_is_searched(rng):
    image, _ = crystal(rng)
    region = np.zeros(SHAPE, bool)
    region[60:180, 50:120] = True
    inside, everywhere = found_in(image, region), found_in(image)
    assert 0 < len(inside) < len(everywhere)
    assert region[tuple(np.round(inside.positions).astype(int).T)].mean() > 0.95
    assert len(found_in(image, np.zeros(SHAPE, bool))) == 0


def test_faint_columns_between_bright_ones_are_found(rng):
    bright = square_lattice(SHAPE, 20)
    faint = bright + 10 * np.array([np.cos(0.1) + np.sin(0.1), np.cos(0.1) - np.sin(0.1)])[::-1]
    heights = np.concatenate([np.full(len(bright), 100.0), np.full(len(faint), 25.0)])
    true = np.concatenate([bright, faint])
    columns = found_in(draw(true, SIGMA, SHAPE, height=heights) + rng.normal(0, 4, SHAPE))
    assert np.mean(np.hypot(*offsets(columns.positions, inner(true)).T) < 1.5) > 0.98


def pink(rng, shape):
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None])
    frequency[0, 0] = 1
    return np.fft.ifft2(np.fft.fft2(rng.normal(size=shape)) / frequency).real


EMPTY = {
    "white": lambda rng, shape: rng.normal(size=shape),
    "poisson 0.05": lambda rng, shape: rng.poisson(0.05, shape),
    "poisson 1": lambda rng, shape: rng.poisson(1, shape),
    "poisson 10": lambda rng, shape: rng.poisson(10, shape),
    "blurred 1": lambda rng, shape: ndimage.gaussian_filter(rng.normal(size=shape), 1),
    "blurred 3": lambda rng, shape: ndimage.gaussian_filter(rng.normal(size=shape), 3),
    "rows": lambda rng, shape: rng.normal(size=shape) + 2 * rng.normal(size=(shape[0], 1)),
    "pink": pink,
    "constant": lambda rng, shape: np.full(shape, 7.0),
    "zero": lambda rng, shape: np.zeros(shape),
    "gradient": lambda rng, shape: np.add.outer(np.linspace(0, 1, shape[0]), np.linspace(0, 2, shape[1])),
    "steps": lambda rng, shape: np.floor(np.broadcast_to(np.linspace(0, 30, shape[1]), shape)),
    "slanted steps": lambda rng, shape: np.floor(np.add.outer(np.linspace(0, 9, shape[0]), np.linspace(0, 30, shape[1]))),
    "edge": lambda rng, shape: np.broadcast_to(np.arange(shape[1]) > shape[1] // 2, shape) * 100.0,
    "noisy edge": lambda rng, shape: rng.poisson(np.broadcast_to(np.arange(shape[1]) > shape[1] // 2, shape) * 20 + 2),
    "nan": lambda rng, shape: np.full(shape, np.nan),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "kind",
    list(EMPTY),
)
def test_there_are_no_columns_where_there_are_none(kind, seed):
    shape = (320, 320)
    image = EMPTY[kind](np.random.default_rng(seed), shape)
    assert len(found_in(image)) < MOST_PER_PIXEL * np.prod(shape)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (11, 300), (13, 13)])
def test_tiny_images_are_searched_without_ado(shape, rng):
    assert len(found_in(rng.normal(size=shape))) <= 2


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24),
        elements=st.floats(allow_nan=True, allow_infinity=True, width=64),
        fill=st.sampled_from([0.0, 1.0, -1e30]),
    )
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_numbers_make_it_fall(image):
    columns = found_in(image)
    run(refine_columns(image, columns))
    assert np.isfinite(columns.positions).all()


def test_tiles_give_the_same_as_the_whole(rng, monkeypatch):
    shape = (1500, 1500)
    image, _ = crystal(rng, spacing=25, shape=shape)
    monkeypatch.setattr(find, "TILE_SIDE", 1500)
    whole = found_in(image, column_sigma=SIGMA)
    monkeypatch.setattr(find, "TILE_SIDE", 400)
    tiled = found_in(image, column_sigma=SIGMA)
    assert len(whole) == len(tiled) > 3000
    assert np.abs(offsets(tiled.positions, whole.positions)).max() < 0.01


@pytest.mark.slow
def test_a_lazy_image_of_any_size_needs_little_memory():
    side, block = 6000, 1000
    wave = np.cos(2 * np.pi * np.arange(block) / 50)
    tile = (200 * np.outer(wave**8, wave**8) + 5).astype(np.uint16)
    lazy = da.map_blocks(lambda: tile, chunks=((block,) * (side // block),) * 2, dtype=np.uint16)
    tracemalloc.start()
    try:
        columns = found_in(lazy, column_sigma=2.8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(columns) == pytest.approx((side / 25) ** 2, rel=0.05)
    # The image itself would take 144 MB as float32, and every filtered copy of it as much again.
    assert peak < 300e6


def test_closing_the_job_stops_it(rng):
    steps = find_columns(crystal(rng)[0])
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_progress_never_goes_backwards(rng):
    done = [step.done / step.total for step in find_columns(crystal(rng)[0]) if step.total]
    assert done == sorted(done)
    assert max(done) <= 1


def test_parameters_out_of_range_are_refused():
    with pytest.raises(AtomsegError, match="contrast"):
        ClassicalParams(contrast=2)
    with pytest.raises(AtomsegError, match="polarity"):
        ClassicalParams(polarity="grey")


def test_strontium_titanate_has_its_lattice_constant(shared_data):
    (micrograph,) = read(shared_data("micrographs/16_STOimage_1.ser"))
    columns = found_in(micrograph.data)
    fitted = run(refine_columns(micrograph.frame(), columns))
    positions = fitted.positions[(fitted.features["fit"] == "ok").to_numpy()] * micrograph.pixel_size
    nearest = cKDTree(positions).query(positions, k=2)[0][:, 1]
    assert np.median(nearest) == pytest.approx(2.76, rel=0.01)
    assert nearest.min() > 2.0


@pytest.mark.parametrize("name", ["Si110_5nmX25us_03_none_none", "Grain_boundry_gold_512px"])
def test_real_images_give_the_columns_that_a_published_network_saw(shared_data, name):
    (micrograph,) = read(shared_data(f"micrographs/{name}.png"))
    truth = np.load(shared_data(f"truth/atomsegnet_{name}.npz"))
    true = truth[next(key for key in truth.files if truth[key].ndim == 2 and truth[key].shape[1] == 2)]
    positions = found_in(micrograph.data).positions
    true_inside, found_inside = inner(true, micrograph.shape, 10), inner(positions, micrograph.shape, 10)
    assert np.mean(cKDTree(positions).query(true_inside)[0] < 3) >= 0.97
    assert np.mean(cKDTree(true).query(found_inside)[0] >= 3) <= 0.03


def test_the_fainter_sublattice_of_a_real_image_is_found(shared_data):
    """Barium titanate: a sublattice at a tenth of the other one's height, three widths away from it."""
    (micrograph,) = read(shared_data("micrographs/BTO_crystal_1.dm4"))
    assert 2260 <= len(found_in(micrograph.frame())) <= 2290


def test_an_image_of_something_else_has_no_columns(shared_data):
    (micrograph,) = read(shared_data("formats/ncem_After_HAADF_130mm_1.ser"))
    assert len(found_in(micrograph.data)) < MOST_PER_PIXEL * micrograph.data.size
