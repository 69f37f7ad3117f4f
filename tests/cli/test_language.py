"""What users read: plain words of the field, and helps that name units and defaults by the library's own means."""

import ast
import re
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from napari_atomseg.cli.app import app
from napari_atomseg.cli.param_options import whole_command

SOURCE = Path(__file__).parents[2] / "src" / "napari_atomseg"
ODD = re.compile(r"\b(told|asked|judge[sd]?|alike|strayed|drawn by chance)\b", re.IGNORECASE)
KEYS_OF_CARDS = ("judge f1_of_map", "judge f1_judged")
COMMANDS = {name: whole_command(command) for name, command in typer.main.get_command(app).commands.items() if not command.hidden}


def help_of(name):
    found = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert found.exit_code == 0
    return found.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_is_in_plain_words_and_shows_defaults(name):
    text = help_of(name)
    assert not ODD.findall(text)
    for option in COMMANDS[name].params:
        if option.param_type_name != "option" or option.name == "help":
            continue
        assert option.help, f"{name} {option.opts[0]} explains nothing"
        assert option.help[0].isupper(), option.help
        assert option.help.rstrip().endswith((".", "]")), option.help
        no_subject = re.match(r"(Of|For|In|As|That|At|To|With)\b", option.help)
        assert not no_subject, f"{name} {option.opts[0]}: {option.help}"
        if option.default not in (None, False, (), "") and not callable(option.default) and not option.is_flag:
            assert option.show_default or "[default:" in option.help, f"{name} {option.opts[0]} hides its default"


def documentation(tree):
    """Nodes that are docstrings, of modules, classes, functions and attributes."""
    found = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                found.add(statement.value)
    return found


def sentences(path):
    """Texts of a module that people may read: all but docstrings, and those of parameters, from which tooltips are made."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = documentation(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in hidden and " " in node.value.strip():
            yield node.value
        if isinstance(node, ast.ClassDef) and node.name.endswith("Params"):
            lines = (ast.get_docstring(node) or "").splitlines()
            yield from (line for line in lines if line.startswith("    "))


def test_no_message_label_or_tooltip_speaks_in_words_of_the_project():
    bad = [
        f"{path.relative_to(SOURCE)}: {text.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        for text in sentences(path)
        if text not in KEYS_OF_CARDS and ODD.search(text)
    ]
    assert not bad, "\n".join(bad)
