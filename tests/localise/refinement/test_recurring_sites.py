"""Where unseen neighbours recur, and how high they are expected to be."""

from __future__ import annotations

import numpy as np
import pytest
from spots import square_lattice

from napari_atomseg.localise.refinement.recurring_sites import Sites, expected_heights, recurring_sites, tallest_apart
from napari_atomseg.localise.refinement.shape import HEIGHT, SIGMA, X, Y, blank_model

APART = np.array([0.0, 9.0])


def model_at(places, height=1.0, sigma=3.0):
    model = blank_model(len(places))
    model[:, [Y, X]], model[:, SIGMA], model[:, HEIGHT] = places, sigma, height
    return model


def test_a_vector_that_some_columns_have_is_looked_at_beside_all_of_their_height():
    strong, weak = square_lattice((200, 200), 40, margin=20), square_lattice((200, 200), 40, margin=40)
    there = np.concatenate([model_at(strong), model_at(weak, height=0.4)])
    found = model_at(strong[::2] + APART, height=0.1)
    sites = recurring_sites(there, found)
    assert len(sites.places) == len(strong)
    assert np.allclose(np.sort(sites.places, axis=0), np.sort(strong + APART, axis=0))


def test_few_or_scattered_neighbours_make_no_kind(rng):
    there = model_at(square_lattice((200, 200), 40, margin=20))
    assert len(recurring_sites(there, model_at(there[:4, :2] + APART)).places) == 0
    turned = rng.uniform(0, 2 * np.pi, len(there))
    scattered = there[:, :2] + 9.0 * np.stack([np.sin(turned), np.cos(turned)], axis=1)
    assert len(recurring_sites(there, model_at(scattered)).places) < len(there)
    assert len(recurring_sites(there, blank_model(0)).places) == 0


def test_of_two_sites_that_clash_the_taller_stays():
    sites = Sites(places=np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 20.0]]), kind=np.zeros(3, int))
    assert tallest_apart(sites, np.array([0.1, 0.3, 0.2]), 5.0).tolist() == [1, 2]


def test_heights_are_drawn_together_and_empty_sites_stay_empty(rng):
    present = np.arange(200) < 120
    error = np.full(200, 0.02)
    measured = np.where(present, 0.12, 0.0) + rng.normal(0, 0.02, 200)
    expected = expected_heights(measured, error, np.zeros(200, int))
    truth = np.where(present, 0.12, 0.0)
    assert np.sqrt(np.mean((expected - truth) ** 2)) < 0.75 * np.sqrt(np.mean((measured - truth) ** 2))
    assert expected[~present].mean() < 0.02
    assert expected.min() >= 0


@pytest.mark.parametrize("mean", [0.0, -0.1])
def test_nothing_stays_nothing(rng, mean):
    expected = expected_heights(mean + rng.normal(0, 0.01, 60), np.full(60, 0.01), np.zeros(60, int))
    assert expected.max() < 0.03
