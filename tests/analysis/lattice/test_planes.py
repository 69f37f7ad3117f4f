"""Planes of a lattice seen edge-on."""

import numpy as np
import pandas as pd
import pytest

from napari_atomseg.analysis.lattice.planes import DIRECTIONS, on_same_planes
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError


@pytest.fixture
def columns():
    """Two sublattices of a 5 x 6 lattice, and a column on none."""
    sites = np.stack(np.mgrid[:5, :6], -1).reshape(-1, 2)
    places = np.concatenate([10.0 * sites, 10.0 * sites + 5, [[200.0, 200.0]]])
    index = np.concatenate([sites, sites, [[np.nan, np.nan]]])
    features = pd.DataFrame({"site_u": index[:, 0], "site_v": index[:, 1], "grain": 0, "sublattice": 0})
    features.loc[30:, "sublattice"] = 1
    features.loc[60, ["grain", "sublattice"]] = -1
    return Columns(positions=places, features=features)


@pytest.mark.parametrize(("direction", "number"), [("a", 5), ("b", 6), ("a + b", 5), ("a − b", 4), ("2a + b", 2), ("a + 2b", 3)])
def test_a_plane_runs_along_its_direction(columns, direction, number):
    start = 6 * 1 + 2  # site (1, 2)
    found = on_same_planes(columns, np.array([start]), DIRECTIONS[direction])
    assert start in found
    assert len(found) == number
    away = columns.positions[found] - columns.positions[start]
    u, v = DIRECTIONS[direction]
    assert np.allclose(away[:, 0] * v, away[:, 1] * u)


def test_several_columns_give_several_planes_of_their_sublattices(columns):
    found = on_same_planes(columns, np.array([0, 31, 60]), (0, 1))
    assert found.tolist() == [*range(6), *range(30, 36)]


def test_what_is_on_no_lattice_has_no_plane(columns):
    with pytest.raises(AtomsegError, match="select a column of the lattice"):
        on_same_planes(columns, np.array([60]), (1, 0))
    with pytest.raises(AtomsegError, match="measure sublattices"):
        on_same_planes(Columns(positions=columns.positions), np.array([0]), (1, 0))
