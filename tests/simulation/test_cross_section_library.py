import numpy as np
import pytest
from ase.build import bulk

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.simulation.cross_section_library import cross_section_library
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.cut_params import CutParams

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
