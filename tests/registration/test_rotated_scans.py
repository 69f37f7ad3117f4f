"""Scans in several directions, put together, have no drift."""

import numpy as np
import pytest
from series_scenes import lattice, turned_scan

from napari_atomseg.core.jobs import run
from napari_atomseg.registration.rotated_scans import register_rotated

SIDE = 160


@pytest.mark.parametrize("rotations", [(0, 90), (0, 37, 90)])
def test_drift_comes_back(rotations):
    rng = np.random.default_rng(2)
    places, heights = lattice(rng, SIDE, second=21.0, angle=np.radians(86))
    middle = np.arange(SIDE)[:, None] - (SIDE - 1) / 2
    steady, drifts = rng.normal(0, 0.02, 2), []
    for _ in rotations:
        walk = np.cumsum(rng.normal(0, 0.06, (SIDE, 2)), axis=0)
        drifts.append(middle * steady + walk - walk.mean(axis=0))
    scans = [turned_scan(rng, places, heights, SIDE, one, drift) for one, drift in zip(rotations, drifts, strict=True)]
    found = run(register_rotated(scans, rotations))
    wrong = found.drifts - np.array(drifts)
    # A crystal does not tell whole periods between two scans.
    wrong -= wrong.mean(axis=1, keepdims=True)
    assert np.sqrt(np.mean(wrong**2)) < 0.3
    # Stretching and shearing of the average, in parts of its size.
    trend = (wrong * middle).sum(axis=1) / (middle**2).sum()
    assert np.abs(trend[0]).max() < 0.003
    assert found.agreement > found.agreement_before
