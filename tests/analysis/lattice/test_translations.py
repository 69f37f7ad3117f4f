from __future__ import annotations

import numpy as np
import pytest
from lattices import scene

from napari_atomseg.analysis.lattice.translations import find_basis, reduce_basis


@pytest.mark.parametrize("matrix", [[[1, 0], [0, 1]], [[3, 1], [2, 1]], [[1, -4], [0, 1]], [[0, 1], [-1, 7]]])
def test_every_basis_of_a_lattice_reduces_to_one(matrix):
    basis = np.array([[1.0, 13.0], [-17.0, 4.0]])
    reduced, made_by = reduce_basis(np.array(matrix) @ basis)
    np.testing.assert_allclose(reduced, reduce_basis(basis)[0])
    np.testing.assert_allclose(made_by @ np.array(matrix) @ basis, reduced)
    assert abs(round(np.linalg.det(made_by))) == 1


def test_motifs_do_not_count_as_translations():
    known = scene("eight", jitter=0.1, vacancies=0.05)
    basis, share = find_basis(known.columns.positions)
    assert abs(np.linalg.det(basis)) == pytest.approx(abs(np.linalg.det(known.basis)), rel=0.03)
    assert share > 0.3


def test_columns_in_one_place_share_nothing():
    assert find_basis(np.random.default_rng(0).uniform(0, 500, (2000, 2)))[1] < 0.05
