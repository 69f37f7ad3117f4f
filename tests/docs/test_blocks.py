"""What README and docs show is understood: every command line is parsed, every script is Python; the first one is run."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest
import typer.main

from napari_atomseg.cli.app import app
from napari_atomseg.cli.param_options import whole_command

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NAMES = {"image.dm4": "image.tif"}
"""Files of the pages that a sample stands for."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language):
    for page in PAGES:
        for kind, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if kind == language:
                yield page.name, text


def command_lines():
    for page, text in blocks(""):
        for line in text.replace("\\\n", " ").splitlines():
            # What may be left out stands in brackets.
            words = shlex.split(re.sub(r"\[(--[^\]]+)\]", r"\1", line), comments=True)
            if words[:1] == ["napari-atomseg"] and len(words) > 1 and "..." not in words:
                yield pytest.param(words[1:], id=f"{page}: {' '.join(words[1:])}"[:90])


@pytest.mark.parametrize("words", command_lines())
def test_every_command_line_is_understood(words):
    commands = typer.main.get_command(app).commands
    assert words[0] in commands, words
    try:
        whole_command(commands[words[0]]).make_context(words[0], list(words[1:]))
    except click.exceptions.Exit:  # --help
        return


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """A folder with an image of the plugin's own."""
    from napari_atomseg.synthesis.samples import draw_sample
    from napari_atomseg.writers.micrograph_tiff import write_tiff

    micrograph, _ = draw_sample("perovskite")
    write_tiff(replace(micrograph, data=micrograph.data[:256, :256]), tmp_path / "image.tif")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_first_steps_in_python_run(sample):
    text = next(text for page, text in blocks("python") if page == "README.md")
    for written, there in NAMES.items():
        text = text.replace(written, there)
    found = {}
    exec(compile(text, "README.md", "exec"), found)
    assert len(found["columns"]) > 50


def test_every_script_is_python():
    scripts = list(blocks("python"))
    assert len(scripts) > 3
    for page, text in scripts:
        compile(text, page, "exec")


def test_a_script_that_trains_has_the_guard_of_its_processes():
    scripts = [text for _, text in blocks("python") if re.search(r"\btrain\(", text)]
    assert scripts
    assert all('if __name__ == "__main__":' in text for text in scripts)
