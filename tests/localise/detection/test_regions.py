import numpy as np
from spots import draw

from napari_atomseg.localise.detection.regions import measure_regions
from napari_atomseg.localise.detection.response import band_pass


def test_touching_columns_are_split_between_their_markers():
    true = np.array([[30.0, 30.0], [30.0, 38.0]])
    response = band_pass(draw(true, 3.0, (60, 70)), 3.0)
    regions = measure_regions(response, true.astype(int), 3.0)
    assert np.abs(regions.centre - true).max() < 0.7
    assert (regions.area > 5).all()


def test_centres_of_lone_columns_are_good_to_a_tenth_of_a_pixel():
    true = np.array([[30.3, 30.7]])
    regions = measure_regions(band_pass(draw(true, 3.0, (60, 60)), 3.0), np.round(true).astype(int), 3.0)
    assert np.abs(regions.centre - true).max() < 0.1


def test_no_markers_no_regions():
    assert len(measure_regions(np.zeros((5, 5)), np.zeros((0, 2), int), 2.0).area) == 0
