"""Structures as Prismatic writes them."""

import numpy as np
import pytest

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.cif import read_crystal, read_structure

TEXT = """SrTiO3, one cell
    3.905  3.905  3.905
38  0.0  0.0  0.0  1.0  0.078
22  1.9525  1.9525  1.9525  0.75  0.069
8  0.0  1.9525  1.9525  1  0.09
8  1.9525  0.0  1.9525  1  0.09
8  1.9525  1.9525  0.0  1  0.09
-1
"""


def written(tmp_path, text):
    path = tmp_path / "sto.xyz"
    path.write_text(text)
    return path


def test_everything_is_read(tmp_path):
    found = read_crystal(written(tmp_path, TEXT))
    assert found.get_chemical_symbols() == ["Sr", "Ti", "O", "O", "O"]
    assert found.cell.cellpar() == pytest.approx([3.905] * 3 + [90] * 3)
    assert found.pbc.all()
    assert found.positions[1] == pytest.approx([1.9525] * 3)
    assert found.arrays["occupancy"] == pytest.approx([1, 0.75, 1, 1, 1])
    assert found.arrays["thermal"] == pytest.approx([0.078, 0.069, 0.09, 0.09, 0.09])
    assert "0.069 to 0.09 Å" in found.info["notes"][0]


def test_a_file_as_ase_writes_it(tmp_path):
    from ase.build import bulk
    from ase.io import write

    gold = bulk("Au", cubic=True)
    path = tmp_path / "gold.xyz"
    write(path, gold, format="prismatic", debye_waller_factors=0.62)
    found = read_crystal(path)
    assert found.get_chemical_formula() == "Au4"
    assert found.arrays["thermal"] == pytest.approx(np.sqrt(0.62 / (8 * np.pi**2)))
    assert found.positions == pytest.approx(gold.positions)


def test_still_atoms_get_the_usual_motion(tmp_path):
    still = "a\n4 4 4\n29 0 0 0 1 0\n-1\n"
    assert "thermal" not in read_structure(written(tmp_path, still)).arrays


def test_a_missing_end_is_told(tmp_path):
    found = read_structure(written(tmp_path, TEXT.replace("-1\n", "")))
    assert "does not end with -1" in found.info["notes"][0]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("22  1.9525", "0  1.9525", "line 4 begins with 0"),
        ("22  1.9525", "300  1.9525", "line 4 begins with 300"),
        ("22  1.9525", "22.5  1.9525", "line 4 begins with 22.5"),
        ("0.75  0.069", "1.75  0.069", "occupancy 1.75"),
        ("0.75  0.069", "0.75  9", "displacement 9 Å"),
        ("0.75  0.069", "0.75", "six numbers"),
        ("0.75  0.069", "0.75 abc", "six numbers"),
    ],
)
def test_wrong_rows_are_named(tmp_path, before, after, words):
    with pytest.raises(AtomsegError, match=words) as caught:
        read_structure(written(tmp_path, TEXT.replace(before, after)))
    assert "sto.xyz" in str(caught.value)


def test_without_atoms(tmp_path):
    with pytest.raises(AtomsegError, match="holds no atoms"):
        read_structure(written(tmp_path, "a\n4 4 4\n-1\n"))


def test_other_xyz_files_stay_what_they_are(tmp_path):
    plain = written(tmp_path, "2\n3.9 3.9 3.9\nPt 0 0 0\nPt 0 0 2\n")
    assert read_structure(plain).get_chemical_formula() == "Pt2"
    numbers = written(tmp_path, "2\nby number\n28 0 0 0\n8 0 0 2\n")
    assert read_structure(numbers).get_chemical_formula() == "NiO"
