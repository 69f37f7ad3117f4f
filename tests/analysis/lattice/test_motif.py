from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.analysis.lattice.motif import fold, recell, superlattice

BASIS = np.array([[0, 20.0], [-20.0, 0]])
CELLS = np.stack(np.meshgrid(np.arange(12), np.arange(12), indexing="ij"), -1).reshape(-1, 2)
ONE_SITE = np.zeros(len(CELLS), int)


def test_sites_are_where_columns_gather():
    sites = np.array([[0.02, 0.97], [0.4, 0.5]])
    fractional = (CELLS[:, None] + sites).reshape(-1, 2)
    motif = fold(fractional, BASIS, fractional @ BASIS, 0.3)
    found = motif.sites % 1.0
    np.testing.assert_allclose(found[np.argsort(found[:, 0])], sites, atol=1e-9)
    assert motif.counts.tolist() == [144, 144]


def test_a_larger_cell_has_more_sites_at_the_same_places():
    matrix = np.array([[1, 1], [-1, 1]])
    indices, site, offset = recell(CELLS, ONE_SITE, matrix)
    np.testing.assert_allclose((indices + offset) @ matrix, CELLS)
    assert set(site) == {0, 1}


@pytest.mark.parametrize(("pattern", "multiple"), [((1, 1, 2), 2), ((1, 0, 3), 3), ((0, 0, 2), 1)])
def test_sites_of_different_intensity_enlarge_the_cell(pattern, multiple):
    one, two, period = pattern
    rng = np.random.default_rng(0)
    bright = (CELLS @ [one, two]) % period == 0
    intensity = np.where(bright, 1.0, 0.5) * (1 + 0.05 * rng.normal(size=len(CELLS)))
    matrix = superlattice(CELLS @ BASIS, CELLS, ONE_SITE, intensity, BASIS)
    assert abs(round(np.linalg.det(matrix))) == multiple


def test_a_gradient_of_intensity_enlarges_nothing():
    matrix = superlattice(CELLS @ BASIS, CELLS, ONE_SITE, 1.0 + CELLS[:, 0] * 0.1, BASIS)
    np.testing.assert_array_equal(matrix, np.eye(2))
