"""Unseen neighbours and the columns' own profile are taken off, so that neither draws a column."""

from __future__ import annotations

import numpy as np
import pytest
from spots import draw, square_lattice

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import run
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import refine_columns

SHAPE, SIGMA = (260, 260), 3.0
APART = np.array([0.0, 9.3])
"""Of a light neighbour, px: 3.1 sigma."""


def refined(image, true, rng, **params):
    start = Columns(positions=true + rng.normal(0, 0.8, true.shape)).with_features(sigma_px=SIGMA)
    return run(refine_columns(image, start, RefineParams(**params)))


def inner(true):
    return np.all((true > 20) & (true < np.array(SHAPE) - 20), axis=1)


def dumbbells(rng, share=0.12):
    """Heavy columns, each with a light one at its side that nobody asks for."""
    heavy = square_lattice(SHAPE, 26, margin=18) + rng.uniform(-2, 2, (1, 2))
    image = draw(heavy, SIGMA, SHAPE, height=100.0, level=5.0) + draw(heavy + APART, SIGMA, SHAPE, height=100 * share, level=0.0)
    return image, heavy


def test_a_light_neighbour_that_nobody_asked_for_draws_no_column(rng):
    clean, heavy = dumbbells(rng)
    image = rng.poisson(clean).astype(float)
    plain = refined(image, heavy, rng, beyond_gaussians=False)
    freed = refined(image, heavy, rng)
    rows = inner(heavy)
    drawn = [np.mean((found.positions - heavy)[rows, 1]) for found in (plain, freed)]
    assert drawn[0] > 0.06, "the neighbour draws"
    assert abs(drawn[1]) < 0.25 * drawn[0]
    assert freed.provenance["fit"]["unseen_neighbours"] >= 0.9 * rows.sum()


def test_what_the_neighbours_draw_is_in_the_error_bars_if_they_are_left(rng):
    clean, heavy = dumbbells(rng)
    found = refined(rng.poisson(clean).astype(float), heavy, rng, beyond_gaussians=False)
    rows = inner(heavy)
    error = (found.positions - heavy)[rows]
    std = found.features[["y_std_px", "x_std_px"]].to_numpy()[rows]
    assert np.mean(np.abs(error) < std) > 0.55


def test_tails_that_reach_the_neighbours_are_learnt(rng):
    """Columns with a broad foot, in rows of pairs: each one's foot draws the other."""
    left = square_lattice(SHAPE, 28, margin=20)
    true = np.concatenate([left, left + np.array([0.0, 11.0])])
    clean = draw(true, SIGMA, SHAPE, height=100.0, level=5.0) + draw(true, 2 * SIGMA, SHAPE, height=12.0, level=0.0)
    rows = inner(true)
    towards = np.where(np.arange(len(true)) < len(left), 1.0, -1.0)[rows]
    drawn = []
    for beyond in (False, True):
        errors = [
            np.mean(towards * (refined(rng.poisson(4 * clean) / 4, true, rng, beyond_gaussians=beyond).positions - true)[rows, 1])
            for _ in range(3)
        ]
        drawn.append(abs(float(np.mean(errors))))
    assert drawn[1] < 0.6 * drawn[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_gaussian_columns_are_left_as_they_are(rng, sign):
    true = square_lattice(SHAPE, 17, margin=12)
    image = 300 + sign * rng.poisson(draw(true, SIGMA, SHAPE, height=60.0, level=6.0)).astype(float)
    plain, freed = (refined(image, true, np.random.default_rng(1), beyond_gaussians=beyond) for beyond in (False, True))
    errors = [np.sqrt(np.mean((found.positions - true)[inner(true)] ** 2)) for found in (plain, freed)]
    assert errors[1] < 1.05 * errors[0]
    assert freed.provenance["fit"]["unseen_neighbours"] <= 0.05 * len(true)
    assert not freed.provenance["fit"]["learnt_profile"]


def test_heights_and_widths_stay_those_of_the_gaussians(rng):
    clean, heavy = dumbbells(rng)
    image = rng.poisson(clean).astype(float)
    plain, freed = (refined(image, heavy, np.random.default_rng(1), beyond_gaussians=beyond) for beyond in (False, True))
    assert np.allclose(plain.features["sigma_px"], freed.features["sigma_px"])
    assert np.allclose(plain.features["intensity"], freed.features["intensity"])
