"""Grains turned by a few degrees are told apart where they meet at a boundary; a bend of as much stays one grain."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.grains import find_grains
from napari_atomseg.core.columns import Columns

A, HALF = 39.0, 16


def columns_of(places, noise, seed):
    places = places + np.random.default_rng(seed).normal(0, noise, places.shape)
    features = pd.DataFrame({"intensity": 1.0}, index=range(len(places)))
    return Columns(positions=places - places.min(axis=0) + 50, features=features)


def boundary(degrees, noise=0.4, seed=0):
    """Two crystals turned by half the angle to either side, without columns that would stand in each other's way."""
    cells = np.stack(np.mgrid[-2 * HALF : 2 * HALF, -2 * HALF : 2 * HALF], -1).reshape(-1, 2) * A
    sides = []
    for sign in (-1, 1):
        turn = sign * np.radians(degrees) / 2
        side = cells @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).T
        sides.append(side[(np.abs(side).max(axis=1) < HALF * A) & (sign * side[:, 1] > 0)])
    places, side = np.concatenate(sides), np.repeat([0, 1], [len(one) for one in sides])
    close = cKDTree(places).query_pairs(0.6 * A, output_type="ndarray")
    kept = np.setdiff1d(np.arange(len(places)), close[:, 1]) if len(close) else np.arange(len(places))
    return columns_of(places[kept], noise, seed), side[kept]


def bend(degrees, kind, noise=0.4, seed=0):
    """A crystal whose rotation changes by so much from left to right."""
    cells = np.stack(np.mgrid[-HALF:HALF, -HALF:HALF], -1).reshape(-1, 2) * A
    x, width, turn = cells[:, 1], HALF * A, np.radians(degrees)
    moved = turn * x**2 / (4 * width) if kind == "even" else -turn / 2 * width / np.pi * np.cos(np.pi * x / width)
    return columns_of(cells + np.stack([moved, 0 * x], axis=1), noise, seed)


@pytest.mark.parametrize("degrees", [2, 4, 6, 8, 10])
def test_a_boundary_of_a_few_degrees_parts_two_grains(degrees):
    columns, side = boundary(degrees)
    first, second = find_grains(columns)
    turn = [np.degrees(np.arctan2(one.basis[0, 0], one.basis[0, 1])) for one in (first, second)]
    assert abs(turn[0] - turn[1]) == pytest.approx(degrees, abs=0.15)
    for grain in (first, second):
        mine = side[grain.site >= 0]
        assert np.bincount(mine).max() / len(mine) > 0.98
        assert np.hypot(*grain.basis.T) == pytest.approx(A, abs=0.1)
    assert np.mean((first.site >= 0) | (second.site >= 0)) > 0.93


@pytest.mark.parametrize("kind", ["even", "wave"])
@pytest.mark.parametrize("degrees", [0, 3, 6])
def test_a_bend_stays_one_grain(degrees, kind):
    grains = find_grains(bend(degrees, kind))
    assert len(grains) == 1
    assert np.mean(grains[0].site >= 0) > 0.98


def test_a_displaced_scan_row_is_no_boundary():
    columns = bend(0, "even")
    below = columns.positions[:, 0] > np.median(columns.positions[:, 0])
    moved = columns.positions + np.where(below[:, None], [0.0, 4.0], 0.0)
    assert len(find_grains(Columns(positions=moved, features=columns.features[["intensity"]]))) == 1
