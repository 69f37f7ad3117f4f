import numpy as np
import pytest
from ase.build import bulk

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.simulation.cross_section_library import cross_section_library, distance_along
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.cut_params import CutParams
from napari_atomseg.specimens.direction import parse_zone_axis

HOW = SimulationParams(method="convolution", pixel_size=0.2, cut=CutParams(zone_axis="0,0,1"))


def test_what_does_not_channel_grows_with_the_atoms():
    library = cross_section_library(bulk("Pt", cubic=True, a=3.92), HOW, atoms=3, atom_distance=3.92)
    assert library == pytest.approx(library[0] * np.arange(1, 4), rel=1e-3)


def test_it_does_not_matter_which_cell_the_crystal_has():
    one = cross_section_library(bulk("Pt", cubic=True, a=3.92), HOW, atoms=2, atom_distance=3.92)
    two = cross_section_library(bulk("Pt", cubic=True, a=3.92).repeat((2, 1, 1)), HOW, atoms=2, atom_distance=3.92)
    assert one == pytest.approx(two, rel=0.01)


def test_alloys_are_refused():
    with pytest.raises(AtomsegError, match="one element"):
        cross_section_library(bulk("NaCl", "rocksalt", a=5.6, cubic=True), HOW, atom_distance=5.6)


@pytest.mark.parametrize(("zone", "apart"), [("0,0,1", 3.92), ("1,1,0", 3.92 / 2**0.5), ("1,1,1", 3.92 * 3**0.5)])
def test_the_distance_along_the_beam_is_the_crystals(zone, apart):
    assert distance_along(bulk("Pt", a=3.92, cubic=True), parse_zone_axis(zone)) == pytest.approx(apart)


def test_columns_that_differ_need_a_distance():
    crystal = bulk("Pt", cubic=True, a=3.92).repeat((1, 1, 2))
    del crystal[0]
    with pytest.raises(AtomsegError, match="give the distance"):
        cross_section_library(crystal, HOW)
