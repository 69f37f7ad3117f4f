import json

import numpy as np
import pytest
from drawn_pairs import draw_pair, draw_pairs

from napari_atomseg.core.errors import UnreadableFileError
from napari_atomseg.workflows import CorrectionParams, fit_correction, read_correction, write_correction


@pytest.fixture(scope="module")
def corrections():
    pairs = draw_pairs(2, pixel_size=0.1)
    options = {"elements": ["Pt"], "thickness": (5.0, 40.0), "optics": {"energy": 200e3}}
    return [
        fit_correction(pairs, CorrectionParams(repeats=1, **form), **options)
        for form in (
            {"form": "paper", "side": 3},
            {"patch": 7, "components": 12},
            {"form": "better", "patch": 7, "components": 12},
        )
    ]


def test_a_correction_comes_back_as_it_was(corrections, tmp_path):
    image = draw_pair(5).convolution
    for correction in corrections:
        write_correction(correction, tmp_path / "one.json")
        back = read_correction(tmp_path / "one.json")
        np.testing.assert_array_equal(back.predict(image), correction.predict(image))
        assert back.params == correction.params
        assert back.fitted_on == correction.fitted_on
        assert back.cross_validation == correction.cross_validation
        assert back.offset == correction.offset


def test_the_file_holds_what_is_promised(corrections, tmp_path):
    write_correction(corrections[0], tmp_path / "one.json")
    tree = json.loads((tmp_path / "one.json").read_text())
    assert (tree["side"], tree["degree"], tree["log"], tree["interactions"]) == (3, 2, True, True)
    assert {"one_minus_r2", "frms", "split", "folds", "repeats"} <= set(tree["cross_validation"])
    assert len(tree["coefficients"]) == 66
    assert tree["elements"] == ["Pt"]
    assert tree["optics"] == {"energy": 200e3}
    assert tree["pixel_size"] == 0.1
    assert len(tree["intensity_range"]) == 2
    assert {"centring", "scaling"} <= set(tree["inputs"])


def spoil(tree, path, value):
    *way, last = path
    for name in way:
        tree = tree[name]
    if value is KeyError:
        del tree[last]
    else:
        tree[last] = value


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["format"], "something", "holds no correction"),
        (["coefficients"], KeyError, "coefficients is missing"),
        (["coefficients"], [1.0, 2.0], "2 coefficients"),
        (["coefficients", 0], None, "not finite|wrong kind"),
        (["coefficients", 0], "x", "wrong kind"),
        (["coefficients", 0], 1e999, "not finite"),
        (["inputs", "scaling"], [[1.0]], "groups"),
        (["inputs", "scaling", 0], [1.0], "wrong kind"),
        (["inputs", "centring"], [1.0], "variables"),
        (["inputs", "scale"], -1, "above zero"),
        (["inputs", "groups"], [], "groups"),
        (["inputs"], 3, "wrong kind"),
        (["side"], 1.5, "whole number"),
        (["side"], 5, "in one place"),
        (["params", "form"], "other", "must be one of"),
        (["params", "colour"], 1, "no parameter"),
        (["intensity_range"], [1.0], "two numbers"),
        (["pixel_size"], 0, "above zero"),
        (["optics"], [1], "wrong kind"),
        (["cross_validation"], {}, "one_minus_r2 is missing"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_sentence(corrections, tmp_path, path, value, said):
    file = tmp_path / "one.json"
    write_correction(corrections[0], file)
    tree = json.loads(file.read_text())
    spoil(tree, path, value)
    file.write_text(json.dumps(tree))
    with pytest.raises(UnreadableFileError, match=said) as error:
        read_correction(file)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"3", b"[" * 100_000])
def test_what_is_no_correction_is_refused(tmp_path, content):
    file = tmp_path / "one.json"
    file.write_bytes(content)
    with pytest.raises(UnreadableFileError):
        read_correction(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_correction(tmp_path / "none.json")
