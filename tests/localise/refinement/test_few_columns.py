"""Few columns, clean ones, crowded ones, weak ones beside strong ones, and what is a column nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from spots import draw, offsets, square_lattice

from napari_atomseg.core.jobs import run
from napari_atomseg.localise.detection.find import find_columns
from napari_atomseg.localise.detection.params import ClassicalParams

SIGMA = 3.0


def found_in(image, region=None, **params):
    return run(find_columns(image, ClassicalParams(**params), region))


def scattered(number, rng, side):
    """Places without order, none nearer to another than they can be told apart."""
    places: list[np.ndarray] = []
    while len(places) < number:
        place = rng.uniform(3 * SIGMA, side - 3 * SIGMA, 2)
        if all(np.hypot(*(place - other)) > 5 * SIGMA for other in places):
            places.append(place)
    return np.array(places)


def conditions(clean, rng):
    yield clean
    yield ndimage.gaussian_filter(rng.poisson(300 * clean + 6).astype(float), 0.6 * SIGMA)
    for counts in (30, 1e6):
        yield rng.poisson(counts * (clean + 0.02)).astype(float)


@pytest.mark.parametrize("number", [1, 2, 3, 7, 12, 20, 50])
def test_spots_without_order_are_found_at_any_dose(rng, number):
    side = int(max(120, 8 * SIGMA * np.sqrt(number)))
    true = scattered(number, rng, side)
    clean = draw(true, SIGMA, (side, side), height=rng.uniform(0.5, 1, number)) - draw(true[:0], SIGMA, (side, side))
    for image in conditions(clean, rng):
        found = found_in(image)
        assert len(found) == number
        assert np.abs(offsets(found.positions, true)).max() < SIGMA


@pytest.mark.parametrize("number", [2, 3, 5])
def test_crops_of_few_columns(rng, number):
    spacing = 5 * SIGMA
    row = spacing * (np.arange(-3, number + 3) + 0.5)
    everywhere = np.stack(np.meshgrid(row, row, indexing="ij"), axis=-1).reshape(-1, 2)
    shape = (int(number * spacing), int(number * spacing))
    clean = draw(everywhere, SIGMA, shape, height=1.0) - draw(everywhere[:0], SIGMA, shape)
    for image in conditions(clean, rng):
        assert len(found_in(image)) == number**2


@pytest.mark.parametrize("apart", [2.7, 3.0])
def test_both_atoms_of_dumbbells_are_found(rng, apart):
    first = np.array([(22.0 * i, 31.0 * j + 6) for i in range(1, 12) for j in range(8)])
    true = np.concatenate([first, first + np.array([0, apart * SIGMA])])
    image = rng.poisson(300 * (draw(true, SIGMA, (264, 270), height=1.0) - draw(true[:0], SIGMA, (264, 270)) + 0.1))
    found = found_in(image.astype(float))
    inner = true[((true > 10) & (true < 254)).all(axis=1)]
    assert np.hypot(*offsets(found.positions, inner).T).max() < 0.5 * apart * SIGMA


def test_a_faint_crystal_beside_a_bright_one_is_found(rng):
    bright = np.array([(4 + 16.0 * i, 4 + 16.0 * j) for i in range(20) for j in range(10)])
    faint = np.array([(5 + 13.0 * i, 170 + 13.0 * j) for i in range(24) for j in range(11)])
    height = np.concatenate([np.full(len(bright), 1.0), np.full(len(faint), 0.2)])
    true = np.concatenate([bright, faint])
    clean = draw(true, 2.6, (320, 320), height=height) - draw(true[:0], 2.6, (320, 320)) + 0.15
    found = found_in(rng.poisson(200 * clean).astype(float))
    inner = true[((true > 8) & (true < 312)).all(axis=1)]
    assert np.mean(np.hypot(*offsets(found.positions, inner).T) < 3) > 0.98


def test_a_steep_support_does_not_widen_the_columns(rng):
    true = square_lattice((320, 320), 16)
    steep = 200 * np.exp(-np.arange(320) / 60) + draw(true, SIGMA, (320, 320), height=1.0)
    found = found_in(rng.poisson(300 * (steep - steep.min())).astype(float))
    assert found.features["sigma_px"].median() == pytest.approx(SIGMA, rel=0.15)
    assert len(found) > 0.95 * len(true)


def test_a_region_is_searched_as_well_as_the_whole(rng):
    true = square_lattice((300, 300), 14)
    image = draw(true, SIGMA, (300, 300), height=20) + rng.normal(0, 5, (300, 300))
    region = np.zeros((300, 300), bool)
    region[110:170, 100:190] = True
    inside = found_in(image).positions
    inside = inside[region[tuple(np.rint(inside).astype(int).T)]]
    assert np.abs(offsets(found_in(image, region).positions, inside)).max() < 0.5


def test_the_crest_of_an_edge_is_no_row_of_columns():
    y, x = np.mgrid[:320, :320]
    edge = np.where(x + 0.3 * y > 192, 40, 4)
    counts = [len(found_in(np.random.default_rng(seed).poisson(edge).astype(float))) for seed in range(100, 104)]
    assert max(counts) < 5
