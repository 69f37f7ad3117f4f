"""Atoms of a simulated particle, counted by the network that ships: in a series, in one image, displaced, in another order."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from napari_atomseg.core.columns import ATOM_COUNT, COUNT_PROBABILITY, probability_of_atoms, std_of
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.workflows import NetworkParams, draw_sample, join_series, locate

MODEL = "hrtem-particles"


@pytest.fixture(scope="module")
def sample():
    return draw_sample("gold-series")


@pytest.fixture(scope="module")
def counted(sample):
    return locate(sample[0], model=MODEL, series=True)


def errors(found, truth):
    """Atoms too many of every true column; NaN for those that were not found."""
    distance, nearest = cKDTree(found.positions).query(truth.positions)
    error = found.features[ATOM_COUNT].to_numpy(float)[nearest] - truth.features[ATOM_COUNT].to_numpy(float)
    return np.where(distance * truth.pixel_size[0] < 1.0, error, np.nan)


def test_every_column_is_found_and_counted_within_one(sample, counted):
    error = errors(counted, sample[1])
    assert len(counted) == len(sample[1])
    assert np.mean(np.abs(error) <= 1) >= 0.95
    assert np.mean(error == 0) >= 0.7


def test_probabilities_of_all_numbers_sum_to_one(counted):
    table = counted.features
    each = table[[probability_of_atoms(number) for number in range(1, 15)]].to_numpy()
    assert np.allclose(each.sum(axis=1), 1)
    assert np.allclose(each.max(axis=1), table[COUNT_PROBABILITY])
    assert np.array_equal(each.argmax(axis=1) + 1, table[ATOM_COUNT])
    assert (table[std_of(ATOM_COUNT)] >= 0).all()
    assert probability_of_atoms(15) not in table


def test_a_single_image_is_less_sure(sample, counted):
    alone = locate(sample[0], model=MODEL, frames=1)
    error = errors(alone, sample[1])
    assert np.mean(np.abs(error) <= 2) > 0.9
    assert alone.features[std_of(ATOM_COUNT)].mean() > counted.features[std_of(ATOM_COUNT)].mean()


def test_a_mirrored_series_is_counted_alike(sample, counted):
    image = sample[0]
    mirrored = locate(replace(image, data=image.data[:, ::-1].copy()), model=MODEL, series=True)
    back = np.array([image.shape[-2] - 1, 0]) + [-1, 1] * mirrored.positions
    distance, nearest = cKDTree(back).query(counted.positions)
    assert distance.max() * image.pixel_size[0] < 0.2
    each = [probability_of_atoms(number) for number in range(1, 15)]
    apart = mirrored.features[each].to_numpy()[nearest] - counted.features[each].to_numpy()
    assert np.abs(apart).max() < 0.2
    assert counted.provenance["network"]["averaged"]


def test_the_order_is_told_by_the_foci(sample, counted):
    reversed_one = replace(sample[0], data=sample[0].data[::-1].copy())
    told = locate(reversed_one, model=MODEL, series=True, network=NetworkParams(foci="90,-40,-170", register=False))
    plain = locate(sample[0], model=MODEL, series=True, network=NetworkParams(register=False))
    assert np.array_equal(told.features[ATOM_COUNT], plain.features[ATOM_COUNT])
    assert told.provenance["network"]["order"] == [2, 1, 0]
    assert "ordered by the foci" in told.provenance["network"]["series"]
    with pytest.raises(AtomsegError, match="knows steps of 130 and 130"):
        locate(sample[0], model=MODEL, series=True, network=NetworkParams(foci="0,10,20"))


def test_a_wrong_order_is_doubted(sample, counted):
    assert "doubt" not in counted.provenance["network"]
    swapped = replace(sample[0], data=sample[0].data[::-1].copy())
    found = locate(swapped, model=MODEL, series=True, network=NetworkParams(register=False))
    assert "in the order 3, 2, 1, overfocus first" in found.provenance["network"]["doubt"]


def test_displaced_images_are_laid_on_the_middle_one(sample):
    shifts = np.array([[9.0, -14.0], [0.0, 0.0], [-6.0, 11.0]])
    moved = [
        ndimage.shift(plane, shift, order=3, mode="constant", cval=float(plane.mean()))
        for plane, shift in zip(sample[0].data, shifts, strict=True)
    ]
    found = locate(replace(sample[0], data=np.stack(moved)), model=MODEL, series=True)
    measured = np.array(found.provenance["network"]["series_shifts_px"])
    assert np.allclose(measured, shifts, atol=0.2 / sample[0].pixel_size[0])
    assert np.nanmean(np.abs(errors(found, sample[1])) <= 1) > 0.9


@pytest.mark.parametrize("place", [0, 2])
def test_a_displacement_by_a_period_of_the_lattice_is_noticed(sample, place):
    image, truth = sample
    middle = np.argmin(np.hypot(*(truth.positions - np.array(image.shape[-2:]) / 2).T))
    away = truth.positions - truth.positions[middle]
    period = away[np.argsort(np.hypot(*away.T))[1]]
    data = image.data.copy()
    data[place] = ndimage.shift(data[place], period, order=3, mode="constant", cval=float(data[place].mean()))
    found = locate(replace(image, data=data), model=MODEL, series=True, network=NetworkParams(foci="-170,-40,90"))
    measured = np.array(found.provenance["network"]["series_shifts_px"])
    assert np.allclose(measured[place], period, atol=0.2 / image.pixel_size[0])
    assert not np.delete(measured, place, axis=0).any()
    assert "doubt" not in found.provenance["network"]
    assert np.nanmean(np.abs(errors(found, truth)) <= 1) > 0.9


def test_the_network_of_a_series_is_chosen_by_its_number_of_images(sample, counted):
    found = locate(sample[0], series=True)
    assert found.provenance["model"] == MODEL
    assert "focal series of 3 images" in found.provenance["model_chosen_because"]
    assert np.array_equal(found.features[ATOM_COUNT], counted.features[ATOM_COUNT])
    with pytest.raises(AtomsegError, match="no network that comes with the plugin takes a focal series of 2"):
        locate(replace(sample[0], data=sample[0].data[:2]), series=True)


def test_what_is_no_series_is_refused_in_a_sentence(sample):
    image = sample[0]
    single = replace(image, data=image.data[0])
    with pytest.raises(AtomsegError, match="is one image, and a focal series is a stack"):
        locate(single, model=MODEL, series=True)
    with pytest.raises(AtomsegError, match=r"holds 2 images.*takes a focal series of 3"):
        locate(replace(image, data=image.data[:2]), model=MODEL, series=True)
    with pytest.raises(AtomsegError, match="foci belong to the images of a focal series"):
        locate(image, model=MODEL, frames=0, network=NetworkParams(foci="-170,-40,90"))
    with pytest.raises(AtomsegError, match="one shape, and b has 250 x 200 px where a has 250 x 250"):
        join_series([replace(single, name="a"), replace(single, name="b", data=single.data[:, :200])])
    with pytest.raises(AtomsegError, match="one pixel size"):
        join_series([single, single.calibrated((0.3, 0.3), "typed")])
    assert join_series([single, single, single]).shape == image.shape
