"""Displaced rows are seen in the columns that they cross, and the fit with them is better."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.problem import prepare
from napari_atomseg.localise.refinement.refine import refine_columns
from napari_atomseg.localise.refinement.row_shifts import estimate_row_shifts
from napari_atomseg.localise.refinement.shape import HEIGHT, LEVEL, SIGMA

SHAPE = (160, 180)
WIDTH = 3.0


def displaced(image, shifts):
    """The image as if each row (Y, 2) had been written elsewhere."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(float)
    return ndimage.map_coordinates(image, [y - shifts[:, :1], x - shifts[:, 1:]], order=3, mode="nearest")


@pytest.fixture
def true():
    return square_lattice(SHAPE, 17, margin=12)


def shifts_in(image, true):
    columns = Columns(positions=true).with_features(sigma_px=WIDTH)
    problem = prepare(image.astype(np.float32), columns, RefineParams())
    model = problem.start.copy()
    model[:, HEIGHT], model[:, LEVEL], model[:, SIGMA] = 100 / problem.unit, (10 - problem.zero) / problem.unit, WIDTH
    canvas = np.zeros(SHAPE)
    problem.add(canvas, model)
    return estimate_row_shifts(problem, canvas, model)


def test_small_displacements_of_single_rows_are_measured(rng, true):
    shifts = rng.normal(0, 0.2, (SHAPE[0], 2))
    image = rng.poisson(20 * displaced(draw(true, WIDTH, SHAPE, height=100, level=10), shifts)) / 20
    found = shifts_in(image, true)
    crossed = np.min(np.abs(np.arange(SHAPE[0])[:, None] - true[:, 0]), axis=1) < 2 * WIDTH
    assert np.corrcoef(found[crossed, 1], shifts[crossed, 1])[0, 1] > 0.97
    assert np.std(found[crossed, 1] - shifts[crossed, 1]) < 0.06
    # Near the crest of a column the image has no slope along y, and nothing can be told there.
    assert np.corrcoef(found[crossed, 0], shifts[crossed, 0])[0, 1] > 0.6


def test_noise_alone_displaces_nothing(rng, true):
    image = rng.poisson(draw(true, WIDTH, SHAPE, height=100, level=10))
    assert not shifts_in(image, true).any()


def test_columns_of_a_shaken_image_are_found_better(rng, true):
    plain, aware = [], []
    for _ in range(4):
        shifts = rng.normal(0, 0.8, (SHAPE[0], 2)) * np.array([0.0, 1.0])
        image = rng.poisson(displaced(draw(true, WIDTH, SHAPE, height=400, level=10), shifts)).astype(np.float32)
        start = Columns(positions=true + rng.uniform(-1, 1, true.shape)).with_features(sigma_px=WIDTH)
        for errors, row_jitter in ((plain, False), (aware, True)):
            found = run(refine_columns(image, start, RefineParams(row_jitter=row_jitter)))
            errors.append((found.positions - true)[:, 1])
    assert np.std(np.concatenate(aware)) < 0.9 * np.std(np.concatenate(plain))


def test_without_columns_nothing_is_said():
    columns = Columns(positions=[[20.0, 20.0]]).with_features(sigma_px=WIDTH)
    problem = prepare(np.zeros((40, 40), np.float32), columns, RefineParams())
    assert not estimate_row_shifts(problem, np.zeros((40, 40)), problem.start).any()
