"""Displacements that rows have in common are found where they are, and where they are not nothing is changed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_atomseg.analysis.lattice.lattice import fit_lattice
from napari_atomseg.analysis.scan_rows import estimate_scan_rows, straighten_rows
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.workflows import straighten_rows as job

SIGMA = 3.0


def crystal(rng, turn=0.0, noise=0.0, side=22, spacing=16.0):
    """Two sublattices; positions (N, 2), which of the two, and the position without noise."""
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2) * spacing
    both = np.concatenate([grid, grid + spacing / 2])
    cosine, sine = np.cos(turn), np.sin(turn)
    true = both @ np.array([[cosine, -sine], [sine, cosine]]) + 200
    return true + rng.normal(0, noise, true.shape), np.repeat([0, 1], len(grid)), true


def columns_at(positions, sort, std=0.05):
    heights = np.where(sort == 0, 100.0, 60.0) * np.random.default_rng(5).normal(1, 0.04, len(sort))
    return Columns(positions=positions).with_features(sigma_px=SIGMA, intensity=heights, fit="ok", y_std_px=std, x_std_px=std)


def shaken(rng, positions, size, length=SIGMA):
    """A random displacement (N, 2) that columns at the same height share."""
    rows = np.arange(-100, 900)
    white = rng.normal(size=(len(rows), 2))
    kernel = np.exp(-(np.arange(-20, 21) ** 2) / (2 * (length / np.sqrt(2)) ** 2))
    smooth = np.stack([np.convolve(white[:, axis], kernel, mode="same") for axis in (0, 1)], axis=1)
    smooth *= size / smooth.std(axis=0)
    return np.stack([np.interp(positions[:, 0], rows, smooth[:, axis]) for axis in (0, 1)], axis=1)


@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_most_of_a_displacement_of_rows_is_taken_off(rng, turn):
    measured, sort, true = crystal(rng, turn, noise=0.15)
    displaced = measured + shaken(rng, true, 0.5)
    freed, rows = straighten_rows(columns_at(displaced, sort))
    assert (rows.evidence > 50).all()
    assert (rows.share > 0.6).all()
    # What changes slowly over several cells stays, as a bend of the lattice; so steps to the neighbours are compared.
    neighbours = cKDTree(true).query_pairs(17, output_type="ndarray")
    before, after = (np.diff((found - true)[neighbours], axis=1).std() for found in (displaced, freed.positions))
    assert before > 0.45
    assert after < 0.6 * before
    shift = freed.features[["scan_shift_y_px", "scan_shift_x_px"]].to_numpy()
    assert np.allclose(freed.positions + shift, displaced)
    assert (freed.features["x_std_px"] > 0.05).all()


@pytest.mark.parametrize("noise", [0.03, 0.3])
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_errors_that_rows_do_not_share_stay(rng, noise, turn):
    """Also along y, where a column's own error could choose the height that is asked to explain it."""
    measured, sort, _ = crystal(rng, turn, noise=noise)
    freed, rows = straighten_rows(columns_at(measured, sort))
    assert np.array_equal(freed.positions, measured)
    assert not rows.rms.any()


def test_a_polar_domain_is_not_taken_for_the_scan(rng):
    """One sublattice is shifted one way above the wall and the other way below it, along and across the rows."""
    measured, sort, true = crystal(rng, noise=0.05)
    polar = np.where(true[:, 0] > np.median(true[:, 0]), 1.0, -1.0)[:, None] * np.where(sort == 1, 1.0, 0.0)[:, None]
    displaced = measured + 0.8 * polar * np.array([1.0, 1.0])
    freed, _ = straighten_rows(columns_at(displaced, sort))
    moved = freed.positions - true
    wall = np.abs(true[:, 0] - np.median(true[:, 0])) < 96
    for side in (-1.0, 1.0):
        domain = (np.sign(polar.sum(axis=1)) == side) & (sort == 1) & ~wall
        others = (sort == 0) & ~wall & (np.sign(true[:, 0] - np.median(true[:, 0])) == side)
        shift = moved[domain].mean(axis=0) - moved[others].mean(axis=0)
        assert shift == pytest.approx(side * np.array([0.8, 0.8]), rel=0.2)


def test_the_size_of_the_displacement_is_told(rng):
    measured, sort, true = crystal(rng, turn=0.3, noise=0.1)
    displacement = shaken(rng, true, 0.6)
    columns = columns_at(measured + displacement, sort)
    rows = estimate_scan_rows(columns, fit_lattice(columns))
    assert rows.rms == pytest.approx(displacement.std(axis=0), rel=0.25)
    assert [np.corrcoef(rows.shift[:, axis], displacement[:, axis])[0, 1] for axis in (0, 1)] > [0.85, 0.85]


def test_too_few_columns_and_no_lattice_are_refused(rng):
    measured, sort, _ = crystal(rng, side=3)
    few = columns_at(measured, sort)
    with pytest.raises(AtomsegError, match="find more"):
        straighten_rows(few)
    with pytest.raises(AtomsegError, match="no lattice"):
        straighten_rows(columns_at(rng.uniform(0, 300, (200, 2)), np.zeros(200)))


def test_the_job_works_frame_by_frame_and_only_once(rng):
    parts = []
    for frame in (0, 1):
        measured, sort, true = crystal(rng, noise=0.1, side=12)
        parts.append(columns_at(measured + frame * shaken(rng, true, 0.6), sort))
    stack = parts[0].joined(parts[1])
    stack = type(stack)(positions=stack.positions, frame=np.repeat([0, 3], len(parts[0])), features=stack.features)
    freed, found = run(job.steps(stack))
    assert not found[0].rms.any()
    assert found[1].rms.all()
    assert np.array_equal(freed.frame, stack.frame)
    with pytest.raises(AtomsegError, match="already"):
        run(job.steps(freed))
