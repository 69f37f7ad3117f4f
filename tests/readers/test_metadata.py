from __future__ import annotations

import numpy as np
import pytest

from napari_atomseg.readers.metadata import common, facts, flattened, frame_time_s, lookup, plain


def instrument(**values):
    return {"Acquisition_instrument": {"TEM": values}}


@pytest.mark.parametrize(
    ("title", "mode", "stem", "modality"),
    [
        ("HAADF", "", "", "haadf"), ("STEM HAADF 2", "STEM", "", "haadf"), ("ADF", "", "", "adf"), ("DF4", "STEM", "", "adf"),
        ("LAADF", "", "", "adf"), ("ABF", "", "", "abf"), ("BF", "STEM", "", "bf"), ("BF", "TEM", "", "hrtem"),
        ("TEM, BrightField", "TEM", "", "hrtem"), ("", "TEM", "", "hrtem"), ("", "", "x_HAADFscan", "haadf"),
        ("subfolder", "", "", ""), ("", "", "", ""), ("", "STEM", "", ""),
    ],
)  # fmt: skip
def test_modality(title, mode, stem, modality):
    merged = {"General": {"title": title}, **instrument(acquisition_mode=mode)}
    known = facts(merged, {}, stem)
    assert known.modality == modality
    assert bool(known.note) == bool(stem)


def test_a_scanning_microscope():
    assert facts({"Acquisition_instrument": {"SEM": {"beam_energy": 5.0}}}, {}, "").modality == "sem"


def test_numbers_come_in_house_units():
    known = facts(instrument(beam_energy="200", dwell_time=4e-6, dose=1200), {}, "")
    assert (known.energy, known.dwell_time_us, known.dose) == (200e3, pytest.approx(4), 1200)
    nothing = facts(instrument(beam_energy=0, dwell_time="x"), {}, "")
    assert (nothing.energy, nothing.dwell_time_us, nothing.dose) == (None, None, None)


def test_mapped_values_are_found_and_odd_ones_skipped():
    original = {"Optics": {"Voltage": "300000"}, "Bad": {"Tag": "?"}}
    mapping = {
        "Optics.Voltage": ("Acquisition_instrument.TEM.beam_energy", lambda text: float(text) / 1e3),
        "Bad.Tag": ("General.number", float),
        "Not.There": ("General.absent", None),
    }
    merged = common({"General": {"title": "t"}}, original, mapping)
    assert merged == {"General": {"title": "t"}, "Acquisition_instrument": {"TEM": {"beam_energy": 300.0}}}


@pytest.mark.parametrize(("units", "seconds"), [("s", 2.0), ("ms", 2e-3), ("min", 120.0), ("nm", None), (None, None)])
def test_frame_time(units, seconds):
    assert frame_time_s({"scale": 2, "units": units}) == (None if seconds is None else pytest.approx(seconds))


def test_plain_values_only():
    tree = {
        "a": np.float32(1.5), "b": np.arange(4), "c": np.arange(100), "d": b"bytes", "e": [1, (2, "x")], "f": {"g": {}}, 3: True,
        "h": "x" * 1000, "i": list(range(99)), "j": 1j, "k": None,
    }  # fmt: skip
    found = plain(tree)
    assert found == {"a": 1.5, "b": [0, 1, 2, 3], "e": [1, [2, "x"]], "3": True, "h": "x" * 400}
    assert dict(flattened({"a": {"b": 1}, "c": 2})) == {"a.b": 1, "c": 2}


def test_a_tree_without_end_is_cut():
    tree: dict[str, object] = {"value": 1}
    tree["again"] = tree
    assert plain(tree)["again"]["value"] == 1


def test_lookup():
    assert lookup({"a": {"b": 1}, "c.d": 2}, "a.b") == 1
    assert lookup({"a": {"b": 1}, "c.d": 2}, "c.d") == 2
    assert lookup({"a": 1}, "a.b") is None
