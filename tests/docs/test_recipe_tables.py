"""The tables of docs/recipes.md say of every parameter what it is, in what unit, and where its numbers come from."""

from __future__ import annotations

import importlib
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from napari_atomseg.core.params import fields_of
from napari_atomseg.synthesis.recipe import presets, read_recipe

DOCS = Path(__file__).parents[2] / "docs"
RECIPE = """
# After Nobody et al., J. Nowhere 3 (1999) 12: "paper" is its Table 1.
name: tiny
image:
  size: 64                                   # px; paper: from 32 to 64
  pixel_size: {uniform: [0.1, 0.2]}          # A (ours; the paper has none)
specimens:
  - kind: crystal
    name: "P#t"                              # A; paper
    thickness: 5
imaging:
  probe:                                     # ours: guessed
    energy: 80000
    semiangle: 20                            # mrad; code
peak: 3                                      # ours, as in the paper
noise:
  - thermal: {probability: 0.5, sigma: {uniform: [0, 1]}}   # paper
  - zingers: {points: 3, factor: 2}          # paper: 3 points
  - clipping: {upper: 6}                     # not for SEM: paper
"""


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module("make_recipe_tables")
    for name in ("make_recipe_tables", "recipe_sources"):
        sys.modules.pop(name, None)


@pytest.fixture
def sources(tables):
    return tables.recipe_sources.sources(RECIPE)


@pytest.mark.parametrize("name", [name for name in presets() if not read_recipe(name).parts])
def test_every_parameter_has_a_meaning_a_unit_a_range_and_a_source(tables, name):
    rows = list(tables.rows(read_recipe(name), tables.text_of(name)))
    assert len(rows) > 15
    for row in rows:
        missing = [field.name for field in fields(row) if not getattr(row, field.name) and field.name != "unit"]
        assert not missing, row
        assert row.source.startswith(("ours", "Lin et al. (2021)", "Lobato et al. (2024)", "Madsen et al. (2018)")), row
        assert "None" not in row.range
        assert "[[" not in row.range
    # What has no unit is a number, a share, a name or a count: its class gives no unit either, or there is no class.
    lens = {field.name: field.quantity.unit for cls in tables.OPTICS.values() for field in fields_of(cls)}
    assert all(row.unit == lens[row.name] for row in rows if row.part in tables.OPTICS)


def test_the_tables_in_the_docs_are_those_of_the_presets(tables):
    written = (DOCS / "recipes.md").read_text(encoding="utf-8")
    for name in presets():
        assert "\n".join(tables.table(read_recipe(name), tables.text_of(name))) in written, "run docs/make_recipe_tables.py"


@pytest.mark.parametrize(
    ("place", "source"),
    [
        (("image", "size"), "Nobody et al. (1999); from 32 to 64"),
        (("image", "pixel_size"), "ours; the paper has none"),
        (("specimens", 0, "name"), "Nobody et al. (1999)"),
        (("specimens", 0, "thickness"), "ours"),
        (("imaging", "probe", "energy"), "ours; guessed"),
        (("imaging", "probe", "semiangle"), "Nobody et al. (1999), code"),
        (("peak",), "ours; as in the paper"),
        (("noise", 0, "thermal", "sigma"), "Nobody et al. (1999)"),
        (("noise", 1, "zingers", "factor"), "ours; paper: 3 points"),
        (("noise", 2, "clipping", "upper"), "ours; not for SEM: paper"),
    ],
)
def test_sources_are_read_from_the_comments(sources, place, source):
    assert sources[place] == source


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, ("3", "constant")),
        (0.1 + 0.2, ("0.3", "constant")),
        ([-130, 0, 130], ("-130, 0, 130", "constant")),
        ({"log_uniform": [1e-3, 2]}, ("0.001 to 2", "log-uniform")),
        ({"normal": [0, 0.5]}, ("0 ± 0.5", "normal")),
        ({"choice": [["Pt", [1, 1, 0]], ["TiO2", [0, 0, 1]]]}, ("Pt [110], TiO2 [001]", "choice")),
        ({"choice": [None, None, None, 0.4]}, ("none (75 %), 0.4 (25 %)", "choice")),
        ({"choice": ["none", "none", "rod", "half_space"]}, ("none (50 %), rod, half space (25 % each)", "choice")),
        ({"choice": [["grains", "cracks"], ["bands"]]}, ("grains + cracks, bands", "choice")),
        ({"choice": [True, False]}, ("yes, no", "choice")),
    ],
)
def test_ranges_are_in_words(tables, given, words):
    assert tables.spread(given) == words
