"""Structures from files, and clear words for those that are none."""

import numpy as np
import pytest
from ase.io import write
from shared_files import shared

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.specimens.cif import read_crystal, read_structure
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


CUBIC = """data_x
_cell_length_a 4.0
_cell_length_b 4.0
_cell_length_c 4.0
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
"""


def cif(tmp_path, columns, rows, formula=None):
    """A cubic crystal with the given columns, without `_atom_site_`, and rows."""
    path = tmp_path / "x.cif"
    head = CUBIC + (f"_chemical_formula_sum '{formula}'\n" if formula else "")
    names = [f"_atom_site_{name}" for name in columns.split()]
    path.write_text("\n".join([head.rstrip(), "loop_", *names, *rows, ""]))
    return path


TYPED, LABELLED = "type_symbol label fract_x fract_y fract_z", "label fract_x fract_y fract_z"


@pytest.mark.parametrize(
    "symbol", ["NI", "FE", "CO", "SC", "PB", "SR", "SN", "SI", "CU", "CS", "OS", "HO", "NB", "IN", "YB", "BI"]
)
@pytest.mark.parametrize("with_formula", [True, False])
@pytest.mark.parametrize("columns", [TYPED, LABELLED])
def test_symbols_in_capitals_are_the_elements_meant(tmp_path, symbol, with_formula, columns):
    element = symbol.capitalize()
    first = f"{symbol} {symbol}1 0 0 0" if columns == TYPED else f"{symbol}1 0 0 0"
    second = "O O1 0.5 0.5 0.5" if columns == TYPED else "O1 0.5 0.5 0.5"
    found = read_structure(cif(tmp_path, columns, [first, second], f"{element} O" if with_formula else None))
    assert found.get_chemical_symbols() == [element, "O"]
    assert any(element in note for note in found.info["notes"])


@pytest.mark.parametrize(
    ("told", "elements"),
    [
        (("Sr2+", "O2-"), ["Sr", "O"]), (("SR2+", "O2-"), ["Sr", "O"]), (("Ti4+", "O-2"), ["Ti", "O"]), (("H", "D"), ["H", "H"]),
        (("Cval", "Siva"), ["C", "Si"]), (("FE3+", "FE2+"), ["Fe", "Fe"]),
    ],
)  # fmt: skip
def test_charges_isotopes_and_valences(tmp_path, told, elements):
    rows = [f"{symbol} A{row} {0.5 * row} 0 0" for row, symbol in enumerate(told)]
    assert read_structure(cif(tmp_path, TYPED, rows)).get_chemical_symbols() == elements


def test_the_formula_tells_a_carbonyl_from_cobalt(tmp_path):
    rows = ["CO1 0 0 0", "O1 0.3 0 0", "CA1 0.6 0 0"]
    found = read_structure(cif(tmp_path, LABELLED, rows, "C2 O"))
    assert found.get_chemical_symbols() == ["C", "O", "C"]


def test_a_truncated_symbol_is_mended_by_label_and_formula(tmp_path):
    found = read_structure(cif(tmp_path, TYPED, ["N NI1 0 0 0", "O O1 0.5 0 0"], "Ni O"))
    assert found.get_chemical_symbols() == ["Ni", "O"]
    assert any('"NI1" of type "N"' in note for note in found.info["notes"])


@pytest.mark.parametrize(
    ("columns", "rows", "formula", "words"),
    [
        (LABELLED, ["B1 0 0 0", "O1 0.5 0 0"], "Ni O", '"B1" would be B'),
        (TYPED, ["NI NI1 0 0 0", "O O1 0.5 0 0"], "Sr O", '"NI" would be Ni'),
        (LABELLED, ["T1 0 0 0", "O1 0.5 0 0"], None, '"T1" names no element'),
        (LABELLED, ["1 0 0 0", "2 0.5 0 0"], None, "_atom_site_type_symbol"),
        (TYPED, ["? ? 0 0 0", "O O1 0.5 0 0"], None, "is not given"),
        (TYPED, ["Xq A 0 0 0", "O O1 0.5 0 0"], None, '"Xq" names no element'),
    ],
)
def test_atoms_that_cannot_be_told_are_refused_by_name(tmp_path, columns, rows, formula, words):
    with pytest.raises(AtomsegError, match=words) as caught:
        read_structure(cif(tmp_path, columns, rows, formula))
    assert "x.cif" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_elements_beside_the_formula_are_told(tmp_path):
    found = read_structure(cif(tmp_path, TYPED, ["Mn A 0 0 0", "O O1 0.5 0 0"], "Ti O H2"))
    said = " ".join(found.info["notes"])
    assert found.get_chemical_symbols() == ["Mn", "O"]
    assert "Mn is not in the file's formula (Ti O H)" in said
    assert "no atom is Ti or H" in said


def test_the_last_of_several_structures_is_read_and_that_is_told(tmp_path):
    path = cif(tmp_path, TYPED, ["Ni A 0 0 0"])
    second = cif(tmp_path, TYPED, ["Cu A 0 0 0"]).read_text()
    path.write_text(cif(tmp_path, TYPED, ["Ni A 0 0 0"]).read_text() + second.replace("data_x", "data_y"))
    found = read_structure(path)
    assert found.get_chemical_symbols() == ["Cu"]
    assert "2 structures" in found.info["notes"][0]


@pytest.mark.parametrize(
    ("text", "share"), [("?", 1), (".", 1), ("1.", 1), ("0.98(2)", 0.98), ("0.5", 0.5), ("1.0004", 1), ("0", 0)]
)
def test_occupancies_as_files_write_them(tmp_path, text, share):
    found = read_structure(cif(tmp_path, f"{TYPED} occupancy", [f"Ti Ti1 0 0 0 {text}", "O O1 0.5 0 0 1"]))
    assert found.arrays["occupancy"] == pytest.approx([share, 1])
    assert any("occupancy of Ti1 is not known and taken for 1" in note for note in found.info["notes"]) == (text in "?.")


@pytest.mark.parametrize("text", ["1.5", "-0.1", "full", "n/a"])
def test_occupancies_that_are_none_are_refused(tmp_path, text):
    with pytest.raises(AtomsegError, match="occupancy of Ti1 is"):
        read_structure(cif(tmp_path, f"{TYPED} occupancy", [f"Ti Ti1 0 0 0 {text}", "O O1 0.5 0 0 1"]))


def test_a_missing_occupancy_needs_no_word(tmp_path):
    found = read_structure(cif(tmp_path, TYPED, ["Ti Ti1 0 0 0"]))
    assert found.arrays["occupancy"] == [1]
    assert found.info["notes"] == ()


POSCAR = "{title}\n1.0\n4 0 0\n0 4 0\n0 0 4\n{symbols}1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n"


@pytest.mark.parametrize(
    ("title", "symbols", "elements"),
    [
        ("a", "NI O\n", ["Ni", "O"]), ("a", "Ni O\n", ["Ni", "O"]), ("a", "Ni_pv O_s\n", ["Ni", "O"]), ("NI O", "", ["Ni", "O"]),
        ("Ni O", "", ["Ni", "O"]), ("a", "PB SE ! made by hand\n", ["Pb", "Se"]), ("CO O", "", ["Co", "O"]),
    ],
)  # fmt: skip
def test_symbols_of_a_poscar(tmp_path, title, symbols, elements):
    path = tmp_path / "POSCAR"
    path.write_text(POSCAR.format(title=title, symbols=symbols))
    assert read_structure(path).get_chemical_symbols() == elements


def test_a_poscar_without_symbols_is_refused_with_advice(tmp_path):
    path = tmp_path / "CONTCAR"
    path.write_text(POSCAR.format(title="my best structure", symbols=""))
    with pytest.raises(AtomsegError, match="write their symbols into a line"):
        read_structure(path)


@pytest.mark.parametrize("head", ["a comment", 'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3'])
@pytest.mark.parametrize(
    ("told", "element"),
    [("NI", "Ni"), ("Ni1", "Ni"), ("Ni2+", "Ni"), ("O2-", "O"), ("28", "Ni"), ("D", "H"), ("SR", "Sr"), ("cu", "Cu")],
)
def test_symbols_of_xyz_files(tmp_path, head, told, element):
    path = tmp_path / "a.xyz"
    path.write_text(f"2\n{head}\n{told} 0 0 0\nO 0 0 2\n")
    assert read_structure(path).get_chemical_symbols() == [element, "O"]


def test_the_last_frame_of_an_xyz_file(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("1\n\nNI 0 0 0\n2\n\nCU 0 0 0\nO 0 0 2\n")
    assert read_structure(path).get_chemical_symbols() == ["Cu", "O"]


@pytest.mark.parametrize(
    ("name", "elements"),
    [("nio_uppercase.cif", {"Ni", "O"}), ("label_only_uppercase.cif", {"Sr", "Ti", "O"}), ("occ_question.cif", {"Sr", "Ti", "O"}),
     ("MoS2_monolayer.vasp", {"Mo", "S"})],
)  # fmt: skip
def test_cases_from_reports(name, elements):
    found = read_structure(shared(f"../cases/{name}"))
    assert set(found.get_chemical_symbols()) == elements
    assert found.arrays["occupancy"] == pytest.approx(1)


def test_an_atom_without_a_place_is_named(tmp_path):
    with pytest.raises(AtomsegError, match='the place of A is "\\?"'):
        read_structure(cif(tmp_path, TYPED, ["Ni A 0 ? 0", "O B 0.5 0 0"]))


@pytest.mark.parametrize(
    ("shares", "fine"), [(("0.7", "0.3"), True), (("0.67", "0.34"), True), (("0.7", "0.7"), False), (("?", "?"), False)]
)
def test_a_site_holds_one_atom(tmp_path, shares, fine):
    path = cif(tmp_path, f"{TYPED} occupancy", [f"Sr A 0 0 0 {shares[0]}", f"Ba B 0 0 0 {shares[1]}", "Ti C 0.5 0.5 0.5 1"])
    if fine:
        assert len(read_structure(path)) == 3
        return
    with pytest.raises(AtomsegError, match="fill one site"):
        read_structure(path)


def test_occupancies_that_a_pdb_file_left_at_zero_are_whole_atoms(tmp_path):
    path = tmp_path / "a.pdb"
    path.write_text(
        "HETATM    1 NI    NI A   1       0.000   0.000   0.000  0.00  0.00          NI\n"
        "HETATM    2  O    NI A   1       2.000   2.000   2.000  0.00  0.00           O\nEND\n"
    )
    found = read_structure(path)
    assert found.get_chemical_symbols() == ["Ni", "O"]
    assert found.arrays["occupancy"] == pytest.approx(1)


def test_a_symbol_that_ase_does_not_know_is_named_in_a_sentence(tmp_path):
    path = tmp_path / "a.gen"
    path.write_text("2 C\nQQ O\n1 1 0 0 0\n2 2 0 0 2\n")
    with pytest.raises(AtomsegError, match="'QQ' names no element") as caught:
        read_structure(path)
    assert "a.gen" in str(caught.value)
