"""Which directions detectors collect."""

from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import fields_of
from napari_atomseg.imaging.detectors import DetectorParams, detector_regions

ANGLES = np.arange(-120.0, 121.0, 7.3)


def test_a_ring_begins_with_its_inner_angle_and_ends_before_its_outer_one():
    ring = detector_regions(DetectorParams(inner_angle=50, outer_angle=100), np.array([0.0]), np.array([49.9, 50, 99.9, 100]))
    assert ring.tolist() == [[[False, True, True, False]]]


def test_a_disc_holds_the_beam():
    disc = detector_regions(DetectorParams(kind="bright_field", outer_angle=20), ANGLES, np.arange(-30.0, 31.0))[0]
    assert np.array_equal(disc, np.hypot(ANGLES[:, None], np.arange(-30.0, 31.0)) < 20)


@pytest.mark.parametrize("rotation", [0.0, 0.3, -2.0])
@pytest.mark.parametrize("segments", [1, 4, 7])
def test_segments_make_up_the_ring(segments, rotation):
    shape = {"inner_angle": 30.0, "outer_angle": 100.0}
    parts = detector_regions(DetectorParams(kind="segmented", segments=segments, rotation=rotation, **shape), ANGLES, ANGLES)
    assert parts.shape == (segments, len(ANGLES), len(ANGLES))
    assert np.array_equal(parts.sum(axis=0), detector_regions(DetectorParams(**shape), ANGLES, ANGLES)[0])


def test_segments_turn_from_x_to_y():
    detector = DetectorParams(kind="segmented", inner_angle=10, outer_angle=100, segments=4, rotation=-np.pi / 4)
    angles = np.array([-50.0, 0.0, 50.0])
    right, down, left, up = detector_regions(detector, angles, angles)
    assert right[1, 2]
    assert down[2, 1]
    assert left[1, 0]
    assert up[0, 1]


def test_number_of_images():
    assert DetectorParams().images == 1
    assert DetectorParams(kind="segmented", segments=6).images == 6


def test_a_ring_without_width_is_refused():
    with pytest.raises(AtomsegError, match="collects nothing"):
        DetectorParams(inner_angle=80, outer_angle=80)
    assert DetectorParams(kind="bright_field", inner_angle=80, outer_angle=10).images == 1


def test_params_are_documented():
    assert all(field.help for field in fields_of(DetectorParams))
