"""Names of features stand in one list; code and documents use no others."""

import ast
import re
from pathlib import Path

import pytest

import napari_atomseg
from napari_atomseg.core.columns import ALWAYS, FEATURE_NAMES, FEATURES, FILE_NAMES, POSITION_NAMES, SOMETIMES

SOURCE = Path(napari_atomseg.__file__).parent
FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


def literal_names(tree):
    """Names of features that stand as text in a module: of `features[...]`, `features.get(...)` and `with_features(...=)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "features":
            inside = node.slice.elts if isinstance(node.slice, (ast.List, ast.Tuple)) else [node.slice]
            yield from (part.value for part in inside if isinstance(part, ast.Constant) and isinstance(part.value, str))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "with_features":
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def test_every_name_stands_once():
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES) == len(ALWAYS) + len(SOMETIMES)
    assert not set(FEATURE_NAMES) & {*POSITION_NAMES, "frame"}
    assert (*POSITION_NAMES, *FEATURES, "frame") == FILE_NAMES


@pytest.mark.parametrize("feature", [*ALWAYS, *SOMETIMES], ids=lambda feature: feature.name)
def test_every_name_says_what_it_is_and_who_writes_it(feature):
    assert feature.meaning
    assert feature.written_by


def test_the_code_uses_no_other_names():
    used = {name for path in SOURCE.rglob("*.py") for name in literal_names(ast.parse(path.read_text(encoding="utf-8")))}
    assert "intensity" in used
    assert used <= set(FEATURE_NAMES)


def test_the_names_that_single_steps_add_stand_nowhere_else_as_text():
    """Outside the window, whose docks choose among the names of a table."""
    added = "|".join(name for name in (feature.name for feature in SOMETIMES) if "_" in name)
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0] != "gui" and path != SOURCE / "core" / "columns.py":
            assert not re.search(f'"(?:{added})"', path.read_text(encoding="utf-8")), path


def test_the_document_names_all_of_them():
    table = FORMATS.read_text(encoding="utf-8")
    missing = [name for name in (*POSITION_NAMES, *FEATURE_NAMES, "frame") if f"`{name}`" not in table]
    assert not missing
