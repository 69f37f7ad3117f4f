from __future__ import annotations

import numpy as np
import pytest
from lattices import KNOWN, scene
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.lattice import fit_lattice
from napari_atomseg.analysis.lattice.missing_sites import missing_sites


@pytest.mark.parametrize("name", KNOWN)
def test_vacancies_are_found_and_little_else(name):
    known = scene(name, side=600, jitter=0.06, vacancies=0.05, false=0.02, drift=6, seed=3)
    found = missing_sites(fit_lattice(known.columns), known.columns, known.shape)
    margin = 8 + known.nearest
    judged = np.all((known.vacancies > margin) & (known.vacancies < np.array(known.shape) - margin), axis=1)
    distance = cKDTree(found.positions).query(known.vacancies[judged])[0]
    near = distance < 0.3 * known.nearest
    assert np.mean(near) >= 0.95
    assert np.quantile(distance[near], 0.95) < 0.15 * known.nearest
    wrong = cKDTree(known.vacancies).query(found.positions)[0] > 0.3 * known.nearest
    assert np.count_nonzero(wrong) <= 0.01 * len(known.columns)


def test_nothing_is_suggested_beyond_the_edge_of_a_particle():
    known = scene("square", side=600, jitter=0.05, inside=lambda at: np.hypot(*(at - 300).T) < 200)
    assert len(missing_sites(fit_lattice(known.columns), known.columns, known.shape)) == 0


def test_nothing_is_suggested_beyond_the_image():
    known = scene("graphene", side=400, vacancies=0.1, jitter=0.05)
    found = missing_sites(fit_lattice(known.columns), known.columns, known.shape)
    assert len(found)
    assert np.all((found.positions > 0) & (found.positions < 399))
    assert found.features["confidence"].between(0.6, 1).all()
    assert found.features["around"].between(3, 8).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_image_tells_a_vacancy_from_a_column_overlooked(sign):
    known = scene("square", side=300)
    y, x = np.mgrid[:300, :300]
    overlooked, vacant = (int(np.argmin(np.hypot(*(known.columns.positions - at).T))) for at in ((100, 100), (200, 180)))
    image = np.zeros((300, 300), np.float32)
    for row, (cy, cx) in enumerate(known.columns.positions):
        if row != vacant:
            image += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 2.5**2))
    image[:3, :3] = np.nan
    columns = known.columns.remove(np.array([overlooked, vacant]))
    found = missing_sites(fit_lattice(columns), columns, known.shape, 100 + sign * image)
    assert len(found) == 2
    first = int(np.argmin(np.hypot(*(found.positions - known.columns.positions[overlooked]).T)))
    assert found.features["response"][first] == pytest.approx(1, abs=0.15)
    assert found.features["response"][1 - first] < 0.2


def test_without_an_image_the_response_is_unknown():
    known = scene("square", side=300, vacancies=0.05)
    found = missing_sites(fit_lattice(known.columns), known.columns, known.shape)
    assert len(found)
    assert found.features["response"].isna().all()
