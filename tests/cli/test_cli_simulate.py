"""``simulate`` on the command line."""

import json

import numpy as np
import pytest
from commands import call

from napari_atomseg.specimens.clusters import ClusterParams, cluster
from napari_atomseg.specimens.library import crystal
from napari_atomseg.workflows import read


@pytest.fixture
def structures(tmp_path):
    cif, xyz = tmp_path / "sto.cif", tmp_path / "pt.xyz"
    crystal("SrTiO3").write(cif)
    cluster(ClusterParams(diameter=10)).write(xyz)
    return cif, xyz


def test_many_structures_into_a_folder(structures, tmp_path, capsys):
    options = ["--zone-axis", "1,1,0", "--width", "12A,1.5nm", "--pixel-size", "20pm", "--cs", "1.2um", "--thickness", "2nm"]
    assert call("simulate", *structures, "-o", tmp_path / "out/", *options) == 0
    found = read(tmp_path / "out" / "sto.tif")[0]
    assert found.shape == (60, 75)
    assert found.pixel_size == pytest.approx((0.2, 0.2))
    assert (tmp_path / "out" / "pt.tif").exists()
    told = json.loads((tmp_path / "out" / "sto.json").read_text())
    assert told["params"]["stem"]["Cs"] == pytest.approx(1.2e4)
    assert "60 x 75 px" in capsys.readouterr().out


def test_multislice_of_a_still_cell(structures, tmp_path):
    options = ["--method", "multislice", "--configurations", "0", "--thickness", "4A", "--width", "4A", "--pixel-size", "0.2A"]
    assert call("simulate", structures[0], "-o", tmp_path / "ms.tif", *options) == 0
    assert np.isfinite(read(tmp_path / "ms.tif")[0].data).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--zone-axis", "0,0,0"], "zone axis is [0 0 0]"),
        (["--thickness", "0"], "thickness must lie in"),
        (["--thickness", "5 apples"], "is not a length"),
        (["--method", "magic"], "no method"),
        (["--extrapolate"], "belongs to --method corrected"),
        (["--correction", "a.json"], "belongs to --method corrected"),
        (["--width", "1,2,3"], "one or two values"),
        (["--tilt", "a"], "a number was expected"),
    ],
)
def test_wrong_use_says_how_it_is_meant(structures, tmp_path, capsys, options, words):
    assert call("simulate", structures[0], "-o", tmp_path / "a.tif", *options) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "a.tif").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing of the kind", "not readable as a structure"),
        ("1\n\nQq 0 0 0\n", "not readable as a structure"),
        ("", "not readable"),
    ],
)
def test_bad_structures_fail_in_a_sentence(tmp_path, capsys, text, words):
    path = tmp_path / "bad.xyz"
    path.write_text(text)
    assert call("simulate", path, "-o", tmp_path / "a.tif") == 1
    said = capsys.readouterr().err
    assert "not readable as a structure" in said
    assert len(said.strip().splitlines()) == 1


def test_nothing_is_overwritten_silently(structures, tmp_path, capsys):
    target = tmp_path / "a.tif"
    target.write_bytes(b"mine")
    assert call("simulate", structures[0], "-o", target) == 1
    assert target.read_bytes() == b"mine"
    assert call("simulate", structures[0], "-o", target, "--force") == 0
