"""``make-library`` writes a table that counting reads."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from commands import call

from napari_atomseg.analysis.intensities.library import read_library
from napari_atomseg.simulation.cross_section_library import cross_section_library
from napari_atomseg.simulation.params import SimulationParams
from napari_atomseg.specimens.cut_params import CutParams


@pytest.fixture
def crystal(tmp_path):
    path = tmp_path / "Pt.cif"
    write(path, bulk("Pt", cubic=True, a=3.92))
    return path


@pytest.mark.parametrize("name", ["Pt.txt", "Pt.csv"])
def test_the_table_is_that_of_the_simulation(crystal, tmp_path, name):
    target = tmp_path / name
    arguments = ["--quick", "--atoms", 3, "--zone-axis", "1,1,0", "--inner", 60, "-q"]
    assert call("make-library", crystal, "-o", target, *arguments) == 0
    usual = SimulationParams(method="convolution", cut=CutParams(zone_axis="1,1,0"))
    found = read_library(target)
    assert len(found) == 3
    assert (np.diff(found) > 0).all()
    # The angles of the detector have a say.
    assert found != pytest.approx(cross_section_library(bulk("Pt", a=3.92, cubic=True), usual, atoms=3), rel=1e-3)
    assert call("make-library", crystal, "-o", target, *arguments) == 1


def test_options_without_effect_are_refused(crystal, tmp_path, capsys):
    assert call("make-library", crystal, "-o", tmp_path / "Pt.txt", "--quick", "--configurations", 3) == 2
    assert "no effect" in capsys.readouterr().err
