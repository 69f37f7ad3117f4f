import numpy as np
import pandas as pd
import pytest

from napari_atomseg.core.columns import Columns
from napari_atomseg.inference.cross_check import FEWEST, cross_check

SIZE = 0.2


def lattice(side=8, spacing=15.0):
    return spacing * (np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1).reshape(-1, 2) + 1.0)


def columns(positions, confidence=1.0):
    features = pd.DataFrame({"confidence": np.broadcast_to(confidence, len(positions)).astype(float)})
    return Columns(positions=np.asarray(positions, float), features=features, image_shape=(140, 140))


def test_what_both_see_is_left_as_it_is(rng):
    network = columns(lattice() + rng.normal(0, 0.3, (64, 2)), 0.55)
    checked = cross_check(network, columns(lattice()), SIZE)
    assert checked.columns is network
    assert checked.agreed
    assert not checked.verdict


def test_only_what_one_sees_and_is_unsure_of_is_left_out():
    between = lattice(2) + 7.0
    network = columns(np.concatenate([lattice(), between]), np.r_[np.full(64, 0.6), 0.7, 0.95, 0.75, 0.99])
    checked = cross_check(network, columns(lattice()), SIZE)
    assert len(checked.columns) == 66
    assert checked.columns.features["confidence"].iloc[-2:].tolist() == [0.95, 0.99]
    assert "2 columns left out" in checked.verdict


def test_where_the_two_contradict_the_image_is_believed():
    checked = cross_check(columns(lattice() + 7.0), columns(lattice(), 0.5), SIZE)
    np.testing.assert_array_equal(checked.columns.positions, lattice())
    assert not checked.agreed
    assert "classical" in checked.verdict


def test_a_network_that_finds_nothing_is_contradicted_too():
    assert len(cross_check(columns(np.zeros((0, 2))), columns(lattice()), SIZE).columns) == 64


@pytest.mark.parametrize("number", [0, 1, FEWEST - 1])
def test_few_columns_are_no_witness(number):
    network = columns(lattice(), 0.5)
    assert cross_check(network, columns(lattice()[:number] + 7.0), SIZE).columns is network


def test_a_finder_that_misses_half_says_nothing_about_the_rest():
    network = columns(lattice(), 0.6)
    checked = cross_check(network, columns(lattice()[::2]), SIZE)
    assert checked.columns is network
