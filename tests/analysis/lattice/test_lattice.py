from __future__ import annotations

import numpy as np
import pytest
from lattices import KNOWN, SQUARE, scene

from napari_atomseg.analysis.lattice.lattice import fit_lattice
from napari_atomseg.analysis.lattice.params import LatticeParams
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError


def same_lattice(basis, other, tolerance=0.01):
    """Each is an integer combination of the other."""
    matrix = np.asarray(basis) @ np.linalg.inv(other)
    return np.abs(matrix - np.rint(matrix)).max() < tolerance and abs(abs(np.linalg.det(matrix)) - 1) < tolerance


@pytest.mark.parametrize("name", KNOWN)
def test_a_perfect_lattice_comes_back(name):
    known = scene(name, side=400)
    lattice = fit_lattice(known.columns)
    assert len(lattice.motif) == KNOWN[name][3]
    if name != "one element":
        assert same_lattice(lattice.basis, known.basis, 1e-6)
    # Eight cells from border to border say little of how the lattice bends there.
    assert lattice.explained > (0.99 if name == "eight" else 0.9999)
    # What is left is what the local averages make of sites that are not spread evenly.
    assert lattice.rms_residual < 0.04 * known.nearest
    rebuilt = lattice.predicted(lattice.indices, lattice.site, lattice.displacement) + lattice.residual
    on = lattice.site >= 0
    np.testing.assert_allclose(rebuilt[on], known.columns.positions[on], atol=1e-9)


@pytest.mark.parametrize("name", KNOWN)
def test_scatter_drift_vacancies_and_false_columns_do_no_harm(name):
    known = scene(name, jitter=0.1, vacancies=0.05, false=0.05, drift=6)
    lattice = fit_lattice(known.columns)
    assert len(lattice.motif) == KNOWN[name][3]
    if name != "one element":
        assert same_lattice(lattice.basis, known.basis, 0.03)
    off = lattice.site < 0
    assert np.mean(off[~known.false]) < 0.03
    assert np.mean(off[known.false]) > 0.85
    assert lattice.rms_residual == pytest.approx(0.1 * known.nearest, rel=0.15)
    np.testing.assert_allclose(lattice.occupancy, 1.0 if len(lattice.motif) == 1 else 0.95, atol=0.1)


def test_errors_are_those_of_the_scatter():
    deviations = []
    for seed in range(8):
        known = scene("square", side=300, jitter=0.1, seed=seed, angle=0)
        lattice = fit_lattice(known.columns)
        deviations.append((lattice.basis - known.basis) / lattice.basis_std)
    assert 0.4 < np.std(deviations) < 2.2


def test_the_brightest_site_is_the_origin():
    lattice = fit_lattice(scene("perovskite", jitter=0.05).columns)
    np.testing.assert_array_equal(lattice.motif[0], [0, 0])
    np.testing.assert_allclose(lattice.motif[1], [0.5, 0.5], atol=0.01)
    np.testing.assert_allclose(lattice.intensity, [1, 0.5], rtol=0.03)


def test_intensities_may_be_left_out_of_account():
    lattice = fit_lattice(scene("perovskite").columns, LatticeParams(by_intensity=False))
    assert len(lattice.motif) == 1


def test_of_two_grains_the_larger_is_described():
    left = scene("square", jitter=0.05, angle=3, inside=lambda at: at[:, 1] < 320)
    right = scene("square", jitter=0.05, angle=28, inside=lambda at: at[:, 1] > 330)
    lattice = fit_lattice(left.columns.joined(right.columns))
    on = lattice.site >= 0
    assert np.mean(on[: len(left.columns)]) > 0.95
    assert np.mean(on[len(left.columns) :]) < 0.05
    assert lattice.explained == pytest.approx(np.mean(on))


@pytest.mark.parametrize("count", [12, 100, 1500])
def test_random_points_are_no_lattice(count):
    with pytest.raises(AtomsegError, match="no lattice"):
        fit_lattice(Columns(positions=np.random.default_rng(1).uniform(0, 500, (count, 2))))


def test_too_few_columns_one_line_and_several_frames_are_refused():
    for count in (0, 1, 9):
        with pytest.raises(AtomsegError, match="at least 10"):
            fit_lattice(Columns(positions=np.arange(2.0 * count).reshape(-1, 2)))
    line = np.stack([np.arange(30.0), 2 * np.arange(30.0)], axis=1)
    with pytest.raises(AtomsegError, match="one line"):
        fit_lattice(Columns(positions=line))
    with pytest.raises(AtomsegError, match="one place"):
        fit_lattice(Columns(positions=np.ones((30, 2))))
    with pytest.raises(AtomsegError, match="several frames"):
        fit_lattice(Columns(positions=line, frame=np.arange(30) % 2))


def test_columns_of_unknown_position_fit_no_site():
    columns = scene("square", side=200).columns
    positions = columns.positions.copy()
    positions[5] = np.nan
    lattice = fit_lattice(Columns(positions=positions))
    assert lattice.site[5] == -1
    assert np.isnan(lattice.residual[5]).all()
    assert np.count_nonzero(lattice.site < 0) == 1
    assert np.isnan(lattice.intensity).all()


def test_the_basis_is_reduced_and_turned_as_promised():
    for angle in range(0, 360, 70):
        for name in ("square", "oblique", "graphene", "silicon"):
            first, second = fit_lattice(scene(name, side=200, angle=angle).columns).basis
            assert first[1] > 0
            assert first[0] * second[1] - first[1] * second[0] > 0
            assert np.hypot(*first) <= 1.02 * np.hypot(*second)
            assert abs(first @ second) <= 0.52 * (first @ first)


def test_a_displaced_column_is_reported():
    columns = scene("square", side=300, angle=0, jitter=0.01).columns
    positions = columns.positions.copy()
    row = int(np.argmin(np.hypot(*(positions - 150).T)))
    positions[row] += (0, 0.12 * SQUARE[0][1])
    lattice = fit_lattice(Columns(positions=positions))
    assert int(np.nanargmax(np.hypot(*lattice.residual.T))) == row
    assert lattice.residual[row, 1] == pytest.approx(0.12 * 14, abs=0.3)


def test_a_lattice_of_seventeen_thousand_columns():
    columns = scene("square", shape=(1500, 1400), scale=11 / 14, jitter=0.08, vacancies=0.05, false=0.03, drift=8).columns
    assert len(columns) > 16_000
    lattice = fit_lattice(columns)
    assert lattice.explained > 0.95
