"""Pairs made here, and the correction fitted to them."""

from dataclasses import replace

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.correction.scores import Scores
from napari_atomseg.imaging.correction.validation import predict_pair
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.readers.image_pairs import read_pairs
from napari_atomseg.simulation.correction_pairs import pairs_cost
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import (
    SimulationParams,
    StemParams,
    fit_correction,
    make_pairs,
    simulate,
    simulation_cost,
    write_pairs,
)

QUICK = SimulationParams(
    pixel_size=0.25,
    cut=CutParams(thickness=12, width_y=10, width_x=10),
    stem=StemParams(source_size=1.0, semiangle=20),
    detector=DetectorParams(inner_angle=40, outer_angle=80),
    multislice=MultisliceParams(configurations=0, slice_thickness=4.0, scan_step=0.65),
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("pairs") / "kept"


@pytest.fixture(scope="module")
def pairs(kept):
    return make_pairs(crystal("SrTiO3"), QUICK, number=3, keep=kept)


def test_each_pair_is_kept_as_soon_as_it_is_made(pairs, kept):
    again = read_pairs(kept)
    assert [pair.name for pair in again] == [f"{pair.name}.npz" for pair in pairs]
    assert np.array_equal(again[2].multislice, pairs[2].multislice)


def test_the_cost_of_pairs_is_that_of_all_of_them():
    one = simulation_cost(crystal("SrTiO3"), replace(QUICK, method="multislice"))
    # Thicknesses lie between a quarter of that which was given and all of it.
    assert pairs_cost(crystal("SrTiO3"), QUICK, 4).seconds == pytest.approx(4 * 0.625 * one.seconds)


def test_pairs_of_a_crystal_grow_with_its_thickness(pairs):
    assert [pair.convolution.shape for pair in pairs] == [(40, 40)] * 3
    for role in ("convolution", "multislice"):
        brightness = [getattr(pair, role).mean() for pair in pairs]
        assert brightness[0] < brightness[1] < brightness[2]


def test_pairs_are_written_and_read(pairs, tmp_path):
    write_pairs(pairs, tmp_path / "pairs")
    again = read_pairs(tmp_path / "pairs")
    assert np.array_equal(again[1].multislice, pairs[1].multislice)
    assert again[0].pixel_size == 0.25


def test_a_correction_describes_its_pairs_better_than_a_line(pairs):
    correction = fit_correction(pairs)
    line, polynomial = Scores(), Scores()
    fast, slow = (np.concatenate([getattr(pair, role).ravel() for pair in pairs]) for role in ("convolution", "multislice"))
    gain, offset = np.polyfit(fast, slow, 1)
    for pair in pairs:
        line.add(gain * pair.convolution + offset, pair.multislice)
        polynomial.add(predict_pair(correction, pair), pair.multislice)
    assert polynomial.one_minus_r2 < 0.5 * line.one_minus_r2
    # Three thicknesses tell a form that sees the atoms more than one that sees their image.
    assert correction.params.form == "structure"
    assert np.isfinite(correction.apply(pairs[0].convolution, pixel_size=0.25)).all()


def test_corrected_images_say_what_leaves_the_range(pairs):
    correction = fit_correction(pairs)
    inside = replace(QUICK, method="corrected")
    assert simulate(crystal("SrTiO3"), inside, correction=correction).shape == (40, 40)
    beyond = replace(inside, cut=replace(QUICK.cut, thickness=60), stem=replace(QUICK.stem, energy=80e3))
    with pytest.raises(AtomsegError, match=r"knows nothing of Pt.*thickness of .*outside 1.95 to 11.7 Å.*energy is 80000"):
        simulate(crystal("Pt"), beyond, correction=correction)
    said = " ".join(simulate(crystal("Pt"), beyond, correction=correction, extrapolate=True).notes)
    assert "Pt" in said
    assert "leave the range" in said


def test_pairs_tell_what_they_show(pairs):
    told = fit_correction(pairs).fitted_on
    assert told.elements == ("O", "Sr", "Ti")
    assert told.untold == ()
    assert told.off_scale == ()
    assert told.optics["inner_angle"] == 40


def test_particles_are_turned(monkeypatch):
    particle = cluster(ClusterParams(diameter=8))
    found = make_pairs(particle, QUICK, number=2)
    assert found[0].convolution.shape != found[1].convolution.shape or not np.allclose(found[0].convolution, found[1].convolution)


def test_one_pair_is_refused():
    with pytest.raises(AtomsegError, match="needs 2 at least"):
        make_pairs(crystal("Si"), QUICK, number=1)
