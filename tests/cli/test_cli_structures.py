"""What the command line says of structures, and how it repeats them."""

import json

import numpy as np
import pytest
from commands import call
from shared_files import shared

from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import SimulationParams, is_structure_file, read, read_structure, simulate_again

SMALL = ["--width", "12A", "--pixel-size", "0.2A"]


@pytest.fixture
def structures(tmp_path):
    folder = tmp_path / "structures"
    folder.mkdir()
    crystal("NiO").write(folder / "nio.cif")
    crystal("MoS2").write(folder / "mos2.vasp")
    particle = cluster(ClusterParams(diameter=10))
    particle.write(folder / "pt.xyz")
    particle.set_cell([25, 25, 25])
    particle.pbc = True
    particle.write(folder / "POSCAR", format="vasp")
    return {path.stem: path for path in folder.iterdir()}


def test_info_of_structures_for_programs(structures, capsys):
    assert call("info", "--json", *(structures[name] for name in ("nio", "mos2", "pt", "POSCAR"))) == 0
    nio, mos2, particle, boxed = json.loads(capsys.readouterr().out)
    assert {"formula", "atoms", "density_g_cm3", "cell_angstrom", "repeated", "notes"} <= set(nio)
    assert (nio["formula"], nio["atoms"], nio["repeated"]) == ("Ni4O4", 8, ["a", "b", "c"])
    assert nio["density_g_cm3"] == pytest.approx(6.81, abs=0.01)
    assert nio["cell_angstrom"] == pytest.approx([4.177] * 3)
    assert mos2["repeated"] == ["a", "b"]
    assert "empty slab" in mos2["notes"][0]
    assert particle["cell_angstrom"] is None
    assert boxed["repeated"] == []
    assert boxed["atoms"] == particle["atoms"]


def test_info_of_structures_for_people(structures, capsys):
    assert call("info", structures["nio"], structures["mos2"]) == 0
    said = capsys.readouterr().out
    assert "Ni4O4, 8 atoms, 6.81 g/cm³" in said
    assert "empty slab of 16.9 Å along c" in said


def test_a_structure_that_cannot_be_read_does_not_keep_others_from_being_told(structures, tmp_path, capsys):
    bad = tmp_path / "bad.cif"
    bad.write_text("data_x\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nT1 0 0 0\n")
    assert call("info", bad, structures["nio"]) == 1
    told = capsys.readouterr()
    assert "Ni4O4" in told.out
    assert len(told.err.strip().splitlines()) == 1
    assert '"T1" names no element' in told.err


@pytest.mark.parametrize(
    ("name", "yes"),
    [("a.cif", True), ("a.XYZ", True), ("POSCAR", True), ("CONTCAR_relaxed", True), ("a.vasp", True), ("POSCAR.png", False),
     ("a.tif", False), ("poscar_image.dm4", False)],
)  # fmt: skip
def test_structures_by_their_names(name, yes):
    assert is_structure_file(name) == yes


def scattered(path):
    image = read(path)[0]
    return float(np.asarray(image.data, dtype=float).sum() * np.prod(image.pixel_size))


def test_a_monolayer_is_one_layer_and_repeat_overrules(structures, tmp_path, capsys):
    assert call("simulate", structures["mos2"], "-o", tmp_path / "one.tif", *SMALL) == 0
    said = capsys.readouterr()
    assert "MoS2, 3 atoms" in said.out
    assert "repeated along a, b" in said.out
    assert "empty slab" in said.err
    beside = json.loads((tmp_path / "one.json").read_text())["structure"]
    assert (beside["formula"], beside["atoms"], beside["repeated"]) == ("MoS2", 3, ["a", "b"])
    assert beside["density_g_cm3"] is None
    assert "empty slab" in beside["notes"][0]
    assert call("simulate", structures["mos2"], "-o", tmp_path / "thick.tif", *SMALL, "--thickness", "20nm") == 0
    assert "whatever the thickness" in capsys.readouterr().err
    one, thick = scattered(tmp_path / "one.tif"), scattered(tmp_path / "thick.tif")
    assert thick == pytest.approx(one, rel=1e-6)
    area = np.linalg.norm(np.cross(*crystal("MoS2").cell.array[:2]))
    assert call("simulate", structures["mos2"], "-o", tmp_path / "flake.tif", "--pixel-size", "0.2A", "--repeat", "3,3,1") == 0
    assert call("simulate", structures["mos2"], "-o", tmp_path / "three.tif", "--pixel-size", "0.2A", "--repeat", "3,3,3") == 0
    flake, three = scattered(tmp_path / "flake.tif"), scattered(tmp_path / "three.tif")
    assert flake / one == pytest.approx(9 * area / 144, rel=0.05)
    assert three == pytest.approx(3 * flake, rel=0.01)


def test_a_particle_in_a_box_is_one_particle(structures, tmp_path):
    assert call("simulate", structures["pt"], "-o", tmp_path / "free.tif", "--pixel-size", "0.2A") == 0
    assert call("simulate", structures["POSCAR"], "-o", tmp_path / "boxed.tif", "--pixel-size", "0.2A") == 0
    assert scattered(tmp_path / "boxed.tif") == pytest.approx(scattered(tmp_path / "free.tif"), rel=1e-3)


@pytest.mark.parametrize("text", ["3", "0,1,1", "some", "1,1"])
def test_a_wrong_repetition_is_wrong_use(structures, tmp_path, capsys, text):
    assert call("simulate", structures["nio"], "-o", tmp_path / "a.tif", "--repeat", text) == 2
    assert "auto, none, or three numbers" in " ".join(capsys.readouterr().err.split())


def test_what_was_read_is_carried_by_the_image_and_made_again(tmp_path):
    path = tmp_path / "prismatic.xyz"
    path.write_text("one cell\n3.9 3.9 3.9\n38 0 0 0 1 0.05\n22 1.95 1.95 1.95 1 0.1\n-1\n")
    from napari_atomseg.imaging.convolution import ConvolutionParams
    from napari_atomseg.specimens.cut_params import CutParams
    from napari_atomseg.workflows import simulate

    params = SimulationParams(pixel_size=0.2, cut=CutParams(width_y=8, width_x=8), convolution=ConvolutionParams(psf="probe"))
    found = simulate(read_structure(path), params)
    assert "0.05 to 0.1 Å" in found.notes[0]
    again = simulate_again(found)
    assert again.notes == found.notes
    np.testing.assert_allclose(again.data, found.data, rtol=1e-5)
    still = simulate(
        read_structure(path),
        SimulationParams.from_json(
            {**found.metadata["simulation"]["params"], "cut": {**found.metadata["simulation"]["params"]["cut"], "thermal": 0.0}}
        ),
    )
    assert still.data.max() > 1.01 * found.data.max()


@pytest.mark.parametrize(
    ("name", "elements"), [("nio_uppercase.cif", "Ni4O4"), ("label_only_uppercase.cif", "SrTiO3"), ("occ_question.cif", "SrTiO3")]
)
def test_cases_from_reports_are_told_as_they_are_meant(name, elements, capsys):
    assert call("info", "--json", shared(f"../cases/{name}")) == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert told["formula"] == elements
    assert told["notes"]
