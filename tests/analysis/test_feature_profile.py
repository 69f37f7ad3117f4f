"""Profiles through an interface and maps between columns, of features that are known everywhere."""

import numpy as np
import pytest

from napari_atomseg.analysis.feature_map import feature_map
from napari_atomseg.analysis.feature_profile import feature_profile
from napari_atomseg.core.errors import AtomsegError

ANGLE = np.radians(30)
PLACES = 4.0 * np.stack(np.mgrid[:40, :40], -1).reshape(-1, 2)
ALONG = PLACES @ np.array([np.sin(ANGLE), np.cos(ANGLE)])


def test_a_wall_stands_where_it_is_and_errors_of_means_are_those_that_are_made():
    rng = np.random.default_rng(0)
    middle = ALONG.mean()
    pulls = []
    for _ in range(30):
        values = np.where(middle < ALONG, 1.0, -1.0) + rng.normal(0, 0.5, len(ALONG))
        table = feature_profile(PLACES, values, ANGLE)
        far = (np.abs(table["distance_angstrom"] - middle + ALONG.min()) > 5) & (table["columns"] > 25)
        truth = np.where(table["distance_angstrom"] + ALONG.min() > middle, 1.0, -1.0)
        pulls.append(((table["mean"] - truth) / table["mean_std"])[far])
    # Of eight parts or fewer: Student's distribution, about 65 % within one.
    assert np.mean(np.abs(np.concatenate(pulls)) < 1) == pytest.approx(0.65, abs=0.05)
    assert table["columns"].sum() == len(PLACES)


def test_a_map_of_a_slope_is_that_slope_between_the_columns_and_unknown_far_away():
    places = 10.0 * np.stack(np.mgrid[1:6, 1:6], -1).reshape(-1, 2)
    plane = feature_map(places, places[:, 1] * 0.1, (120, 120))
    y, x = 33, 27
    assert plane[y, x] == pytest.approx(2.7, abs=1e-5)
    assert np.isnan(plane[100, 100])


def test_features_that_nothing_has_are_refused():
    with pytest.raises(AtomsegError, match="measure it first"):
        feature_profile(PLACES, np.full(len(PLACES), np.nan), 0.0)
    with pytest.raises(AtomsegError, match="one row"):
        feature_map(np.stack([np.arange(9.0), np.arange(9.0)], axis=1), np.ones(9), (10, 10))
