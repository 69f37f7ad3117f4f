"""Structures from files, and clear words for those that are none."""

import numpy as np
import pytest
from ase.io import write

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.cif import read_crystal
from napari_atomseg.specimens.library import crystal
from napari_atomseg.specimens.zone_axis import projected_cell

MIXED = """data_alloy
_cell_length_a 3.9
_cell_length_b 3.9
_cell_length_c 3.9
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
A Sr 0 0 0 0.7
B Ba 0 0 0 0.3
C Ti 0.5 0.5 0.5 1.0
"""


@pytest.mark.parametrize("suffix", ["cif", "xyz", "vasp"])
def test_what_was_written_is_read(tmp_path, suffix):
    path = tmp_path / f"srtio3.{suffix}"
    write(path, crystal("SrTiO3"), format={"cif": "cif", "xyz": "extxyz", "vasp": "vasp"}[suffix])
    found = read_crystal(path)
    assert found.get_chemical_formula() == "O3SrTi"
    assert projected_cell(found, (0, 0, 1)).period == pytest.approx(3.905)


def test_mixed_sites_keep_the_share_of_each_element(tmp_path):
    path = tmp_path / "mixed.cif"
    path.write_text(MIXED)
    found = read_crystal(path)
    shares = dict(zip(found.get_chemical_symbols(), found.arrays["occupancy"], strict=True))
    assert shares == {"Sr": 0.7, "Ba": 0.3, "Ti": 1.0}
    cell = projected_cell(found, (0, 0, 1))
    assert np.sum(cell.occupancy) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken.cif", "data_x\nloop_\n_atom_site", "not readable|no atoms"),
        ("empty.cif", "", "not readable|no atoms"),
        ("noise.cif", "\x00\x01 nothing", "not readable|no atoms"),
        ("molecule.xyz", "1\n\nPt 0 0 0\n", "no unit cell"),
        ("alien.xyz", '1\nLattice="3 0 0 0 3 0 0 0 3"\nXq 0 0 0\n', "not readable"),
    ],
)
def test_what_is_no_crystal_is_refused_in_one_sentence(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(AtomsegError, match=message) as caught:
        read_crystal(path)
    assert name in str(caught.value)


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(AtomsegError, match="no such file"):
        read_crystal(tmp_path / "nowhere.cif")
