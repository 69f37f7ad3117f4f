"""``open``: napari with the panel docked."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from napari_atomseg.cli.console import Console, Debug
from napari_atomseg.core.errors import AtomsegError

DEFAULT_SAMPLE = "perovskite"


class OpenCommand(TyperCommand):
    """A command whose ``--sample`` may stand without a name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare ``--sample`` the name of the default one."""
        return super().parse_args(ctx, with_sample_named(args))


def with_sample_named(args: list[str]) -> list[str]:
    """The arguments with a name after every ``--sample``; what looks like a file or an option is not taken for one."""
    named = []
    for index, word in enumerate(args):
        following = args[index + 1] if index + 1 < len(args) else "-"
        bare = following.startswith("-") or bool(Path(following).suffix) or Path(following).exists()
        named.append(f"{word}={DEFAULT_SAMPLE}" if word == "--sample" and bare else word)
    return named


def open_files(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE ...]", help="Images to open.")] = None,
    sample: Annotated[
        str | None, typer.Option(metavar="[NAME]", help=f"Open a sample of the plugin's own; {DEFAULT_SAMPLE} if not named.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Start napari with the panel docked and the files open."""
    if sample is not None:
        from napari_atomseg.workflows import SAMPLES

        if sample not in SAMPLES:
            raise typer.BadParameter(f'there is no sample "{sample}"; choose one of {", ".join(SAMPLES)}', param_hint="--sample")
    console = Console(debug=debug)
    present = []
    for file in files or []:
        if file.exists():
            present.append(file)
        else:
            console.problem(file, AtomsegError("there is no such file; check its name and folder"))
    if console.failures and not present and sample is None:
        raise typer.Exit(1)
    if not has_display():
        typer.echo("napari-atomseg: there is no display here; use `locate` or `demo`, which need none", err=True)
        raise typer.Exit(1)
    from napari_atomseg.gui.launch import open_window

    open_window(present, sample)
    if console.failures:
        raise typer.Exit(1)


def has_display() -> bool:
    """False on a Linux machine without a screen; a Qt platform that was chosen by hand is believed."""
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
