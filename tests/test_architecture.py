"""Who may import whom, and what `import` may cost; the table is explained in CONTRIBUTING.md."""

import ast
import functools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import napari_atomseg

ROOT = Path(napari_atomseg.__file__).parent
LAYERS = (
    ("core",),
    ("optics", "specimens", "readers", "writers"),
    ("imaging", "noise", "networks", "localise", "analysis", "registration", "plots"),
    ("synthesis", "inference", "simulation"),
    ("training", "comparison"),
    ("workflows", "parameters"),
    ("sessions",),
    ("cli", "gui"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
EXCEPTIONS = {("cli", "gui")}  # `napari-atomseg open` starts the window
INTERFACES = ("cli", "gui")
BELOW_INTERFACES = {"core", "readers", "writers", "plots", "workflows", "parameters", "sessions"}
WINDOW = {"napari", "qtpy", "magicgui", "superqt", "PyQt6"}
HEAVY = WINDOW | {"torch", "abtem", "rsciio"}
MODULES = sorted(ROOT.rglob("*.py"))


def part_of(path):
    """Folder of the package, or module directly in it, that a file belongs to; empty for the package itself."""
    first = path.relative_to(ROOT).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def parts_used(path, types=True):
    """Folders of the package that a file imports from; with `types` false, not for annotations alone."""
    return {name.split(".")[1] for name in imports_of(path, types=types) if name.startswith("napari_atomseg.")}


def for_annotations(node):
    """Whether a statement is ``if TYPE_CHECKING``."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports_of(path, anywhere=True, types=True):
    """Dotted names that a file imports; without `anywhere` only those that run when it is imported, without `types` none that
    annotations alone need."""
    found = set()
    pending = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if not anywhere and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if not types and for_annotations(node):
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
        pending.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_layers_look_down_only(path):
    here = part_of(path)
    ours = {name for name in parts_used(path) if name in LEVEL and name != here}
    if here == "":
        assert not ours
        return
    assert here in LEVEL, f"{here} has no place in the table"
    upwards = {name for name in ours if LEVEL[name] >= LEVEL[here] and (here, name) not in EXCEPTIONS}
    assert not upwards


def module_name(path):
    """Dotted name of a file below the package; that of a folder for its ``__init__``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@functools.cache
def module_graph():
    """Modules of the package by name, and those that each imports: anywhere in its file, for annotations too."""
    known = {module_name(path): path for path in MODULES}
    graph = {}
    for name, path in known.items():
        used = {one.removeprefix("napari_atomseg.") for one in imports_of(path) if one.startswith("napari_atomseg.")}
        # `from folder import module` names both; the folder is not meant then.
        deepest = {one for one in used if not any(other.startswith(f"{one}.") and other in known for other in used)}
        graph[name] = {one for one in deepest if one in known and one != name}
    return graph


def circle_in(graph):
    """Names that lead back to the first of them; empty if nothing does."""
    done, way = set(), []

    def walk(name):
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        way.append(name)
        for other in sorted(graph.get(name, ())):
            if found := walk(other):
                return found
        way.pop()
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name))), [])


def test_a_circle_is_seen():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_modules_import_each_other_in_circles():
    graph = module_graph()
    assert not circle_in(graph)


FOLDERS = sorted({path.parent.relative_to(ROOT).as_posix() for path in MODULES})


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_lies_in_a_folder_forms_no_circle(folder):
    """Files and folders beside each other, each folder taken as one."""
    prefix = "" if folder == "." else folder.replace("/", ".") + "."
    children = {}
    for name, used in module_graph().items():
        if name.startswith(prefix) and name != prefix:
            child = name.removeprefix(prefix).split(".")[0]
            inside = {other.removeprefix(prefix).split(".")[0] for other in used if other.startswith(prefix)}
            children.setdefault(child, set()).update(inside - {child})
    assert not circle_in(children)


@pytest.mark.parametrize("folder", INTERFACES)
def test_interfaces_are_thin(folder):
    """Window and command line use the workflows and what reads and writes; types of values may be named in annotations."""
    for path in (ROOT / folder).rglob("*.py"):
        deeper = parts_used(path, types=False) & set(LEVEL) - BELOW_INTERFACES - set(INTERFACES)
        assert not deeper, f"{path.relative_to(ROOT)}: {deeper}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_window_knows_napari(path):
    if part_of(path) != "gui":
        assert not WINDOW & {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("folder", ["core", "localise", "analysis"])
def test_measuring_needs_no_network(folder):
    for path in (ROOT / folder).rglob("*.py"):
        assert "torch" not in {name.split(".")[0] for name in imports_of(path, anywhere=False)}, path


def loaded_by(statement):
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    return {name.split(".")[0] for name in output.split()}


def test_importing_the_package_costs_nothing():
    assert not (HEAVY | {"numpy", "scipy", "pandas"}) & loaded_by("import napari_atomseg")


def test_parameters_are_light():
    """The help of a command is made from them."""
    assert not (HEAVY | {"scipy", "pandas", "ase", "skimage"}) & loaded_by("import napari_atomseg.parameters")


def test_importing_the_workflows_loads_nothing_heavy():
    if not ((ROOT / "workflows.py").exists() or (ROOT / "workflows").is_dir()):
        pytest.skip("there are no workflows yet")
    assert not HEAVY & loaded_by("import napari_atomseg.workflows")


def test_the_page_of_the_house_shows_the_same_rows():
    page = Path(__file__).parents[1] / "docs" / "architecture.md"
    shown, row = {}, -1
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 3 or not cells[1].startswith("`"):
            continue
        row = int(cells[0]) if cells[0] else row
        shown.setdefault(row, set()).update(re.findall(r"`(\w+)`", cells[1]))
    assert shown == {level: set(names) for level, names in enumerate(LAYERS)}


# -- the window --------------------------------------------------------------------------------------------------------

GUI_LAYERS = (
    ("settings", "preferences", "foot", "host", "jobs"),
    ("layers",),
    ("widgets",),
    ("documents",),
    ("contract",),
    ("docks", "dialogs"),
    ("pages",),
    ("shell",),
    ("contributions", "launch"),
)
GUI_LEVEL = {name: level for level, names in enumerate(GUI_LAYERS) for name in names}


def gui_part_of(name):
    """Folder or module below ``gui`` that a dotted name lies in; empty for others."""
    words = name.split(".")
    return words[2] if words[:2] == ["napari_atomseg", "gui"] and len(words) > 2 else ""


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part_of(path) == "gui"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_parts_of_the_window_look_down_only(path):
    here = path.relative_to(ROOT / "gui").parts[0].removesuffix(".py")
    if here == "__init__":
        return
    used = {gui_part_of(name) for name in imports_of(path)} - {"", here}
    assert here in GUI_LEVEL, f"gui/{here} has no place in the table"
    assert not {name for name in used if name in GUI_LEVEL and GUI_LEVEL[name] >= GUI_LEVEL[here]}


def test_the_panel_knows_no_page_and_no_dock():
    for path in (ROOT / "gui" / "shell").rglob("*.py"):
        pages = {name for name in imports_of(path) if name.startswith("napari_atomseg.gui.pages.")}
        assert all(name.startswith("napari_atomseg.gui.pages.listed") for name in pages), path


@pytest.mark.parametrize("folder", ["docks", "dialogs"])
def test_docks_and_dialogs_know_no_page(folder):
    for path in (ROOT / "gui" / folder).rglob("*.py"):
        assert not {name for name in imports_of(path) if name.startswith("napari_atomseg.gui.pages")}, path


def test_what_the_window_is_declared_to_need_it_imports():
    project = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[>=<\[ ]", one)[0] for one in project["dependencies"]} & WINDOW
    imported = {name.split(".")[0] for path in MODULES for name in imports_of(path)}
    assert declared
    assert declared <= imported
