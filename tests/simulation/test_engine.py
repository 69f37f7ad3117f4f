"""Images of structures, from the structure to the micrograph that carries how it was made."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.imaging.convolution import ConvolutionParams
from napari_atomseg.imaging.detectors import DetectorParams
from napari_atomseg.imaging.multislice.params import MultisliceParams
from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import SimulationParams, StemParams, on_grid_of, projected_atoms, simulate, simulate_again

SMALL = SimulationParams(
    cut=CutParams(thickness=4, width_y=6, width_x=5), pixel_size=0.2, multislice=MultisliceParams(configurations=0)
)


def test_a_convolution_knows_its_field_and_its_scale():
    found = simulate(crystal("SrTiO3"), SMALL)
    assert found.shape == (30, 25)
    assert found.pixel_size == (0.2, 0.2)
    assert found.modality == "haadf"
    assert found.energy == 200e3
    assert 0 < found.data.max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("symbol", "close"), [("C", 0.03), ("Si", 0.04)])
def test_light_atoms_scatter_as_much_by_convolution_as_by_multislice(symbol, close):
    one = Atoms(symbol, positions=[[0, 0, 0]])
    # A source takes nothing from the sum, which so few probes give as well.
    few = {"stem": StemParams(source_size=1.0), "multislice": replace(SMALL.multislice, scan_step=0.4)}
    params = replace(SMALL, cut=CutParams(width_y=10, width_x=10), pixel_size=0.1, **few)
    slow, fast = (simulate(one, replace(params, method=method)).data.sum() for method in ("multislice", "convolution"))
    assert slow == pytest.approx(fast, rel=close)


def test_multislice_of_a_period_fills_the_field_and_agrees_with_the_convolution():
    params = replace(SMALL, cut=CutParams(thickness=20, width_y=9, width_x=8), method="multislice")
    seen = []
    steps = simulate.steps(crystal("SrTiO3"), params)
    try:
        while True:
            seen.append(next(steps))
    except StopIteration as end:
        found = end.value
    assert found.shape == (45, 40)
    partial = [one.partial for one in seen if one.partial is not None]
    assert np.isnan(partial[0].data).any()
    assert np.isfinite(partial[-1].data).all()
    fast = simulate(crystal("SrTiO3"), replace(params, method="convolution")).data
    assert np.corrcoef(found.data.ravel(), fast.ravel())[0, 1] > 0.95


def test_an_image_can_be_made_again_from_what_it_carries():
    mixed = crystal("SrTiO3")
    mixed.set_array("occupancy", np.array([0.8, 1, 1, 1, 1]))
    found = simulate(mixed, replace(SMALL, cut=replace(SMALL.cut, zone_axis="1,1,0", vacancies=0.1, seed=5)))
    again = simulate_again(found)
    assert np.array_equal(found.data, again.data)
    assert SimulationParams.from_json(found.metadata["simulation"]["params"]) == replace(
        SMALL, cut=replace(SMALL.cut, zone_axis="1,1,0", vacancies=0.1, seed=5)
    )
    with pytest.raises(AtomsegError, match="carries no simulation"):
        simulate_again(Micrograph(data=found.data))


def test_the_grid_of_an_experiment():
    image = Micrograph(data=np.zeros((40, 60)), pixel_size=(0.15, 0.15))
    found = simulate(crystal("Si"), on_grid_of(SMALL, image))
    assert (found.shape, found.pixel_size) == (image.shape, image.pixel_size)
    with pytest.raises(AtomsegError, match="square"):
        on_grid_of(SMALL, Micrograph(data=np.zeros((4, 4)), pixel_size=(0.1, 0.2)))


def test_projected_atoms_stand_once_for_a_column():
    places, numbers = projected_atoms(crystal("SrTiO3"), replace(SMALL, cut=CutParams(thickness=40, width_y=7.81, width_x=7.81)))
    assert sorted(np.unique(numbers)) == [8, 22, 38]
    assert np.sum(numbers == 38) == 4
    assert places.max() < 7.81


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (replace(SMALL, detector=DetectorParams(kind="bright_field")), "bright field detector; take an annular one"),
        (replace(SMALL, detector=DetectorParams(inner_angle=10), stem=StemParams(semiangle=24)), "inside the beam of 24 mrad"),
        (replace(SMALL, method="corrected"), "make pairs of such structures"),
    ],
)
def test_what_a_convolution_cannot_show_is_refused(params, words):
    with pytest.raises(AtomsegError, match=words):
        simulate(crystal("Si"), params)


def test_a_particle_without_a_cell(tmp_path):
    path = tmp_path / "pt.xyz"
    cluster(ClusterParams(diameter=12)).write(path)
    found = simulate(path, replace(SMALL, cut=CutParams(zone_axis="1,1,0")))
    assert found.name == "pt | convolution"
    assert found.data[0].max() < 1e-3 * found.data.max()


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (replace(SMALL, stem=StemParams(defocus=100, Cs=1e4)), "stem.defocus, stem.Cs: not in this image"),
        (replace(SMALL, cut=replace(SMALL.cut, thermal=0.1)), "cut.thermal: not in this image"),
        (replace(SMALL, method="hrtem", stem=StemParams(defocus=100)), "belonging to the methods convolution, corrected, prism"),
        (replace(SMALL, method="hrtem", cut=replace(SMALL.cut, thermal=0.1)), "frozen phonons"),
        (replace(SMALL, stem=StemParams(energy=80e3, semiangle=20)), ""),
        (replace(SMALL, stem=StemParams(defocus=100), convolution=ConvolutionParams(psf="probe")), ""),
    ],
)
def test_what_was_set_and_is_not_in_the_image_is_told(params, told):
    notes = " ".join(simulate(crystal("SrTiO3"), params).notes)
    assert told in notes
    assert bool(told) == ("not in this image" in notes)


def test_what_was_read_is_in_the_image_s_own_words():
    found = simulate(crystal("MoS2"), SMALL)
    told = found.metadata["simulation"]["structure"]
    assert (told["formula"], told["atoms"], told["repeated"], told["density_g_cm3"]) == ("MoS2", 3, ["a", "b"], None)
    assert "empty slab" in found.notes[0]
    assert simulate_again(found).notes == found.notes


def test_a_sheet_is_calculated_as_its_period_by_multislice():
    """One rectangle of MoS2 is a ninth of the field, and its image is that of the whole field but for the edges."""
    seen_by = {"stem": StemParams(semiangle=14), "detector": DetectorParams(inner_angle=40, outer_angle=80)}
    params = replace(SMALL, cut=CutParams(width_y=11, width_x=9.48), pixel_size=0.3, method="multislice", **seen_by)
    whole = simulate(crystal("MoS2"), replace(params, cut=replace(params.cut, rotation_deg=360))).data
    period = simulate(crystal("MoS2"), params).data
    assert whole.shape == period.shape
    assert np.corrcoef(whole.ravel(), period.ravel())[0, 1] > 0.999
