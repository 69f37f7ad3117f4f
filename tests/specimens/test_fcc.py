"""Which elements are fcc metals, and the side of their cell."""

import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.fcc import fcc_lattice_constant, fcc_metals


def test_the_metals_are_those_of_the_textbook():
    metals = fcc_metals()
    assert {"Al", "Ni", "Cu", "Rh", "Pd", "Ag", "Ir", "Pt", "Au", "Pb"} <= set(metals)
    assert not {"Ar", "Fe", "Co", "Ti", "W"} & set(metals)
    assert list(metals).index("Al") < list(metals).index("Au")
    assert metals["Au"] == pytest.approx(4.08, abs=0.01)


def test_what_is_given_stands_above_what_is_known():
    assert fcc_lattice_constant("Pt") == pytest.approx(3.92, abs=0.01)
    assert fcc_lattice_constant("Co", 3.54) == 3.54
    with pytest.raises(AtomsegError, match="hcp"):
        fcc_lattice_constant("Co")
    with pytest.raises(AtomsegError, match="no element"):
        fcc_lattice_constant("Xx", 4.0)
