"""The commands by name, the entry point, and the last net under errors that nobody foresaw."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from napari_atomseg import __version__
from napari_atomseg.cli.align import align_frames
from napari_atomseg.cli.columns import locate, refine
from napari_atomseg.cli.compare import compare
from napari_atomseg.cli.console import unforeseen
from napari_atomseg.cli.correction import fit_correction
from napari_atomseg.cli.demo import demo
from napari_atomseg.cli.exit_waves import make_exit_waves
from napari_atomseg.cli.files import info, models
from napari_atomseg.cli.library import make_library
from napari_atomseg.cli.maps import map_images
from napari_atomseg.cli.measure import measure
from napari_atomseg.cli.option_groups import spread_groups
from napari_atomseg.cli.pairs import make_pairs
from napari_atomseg.cli.param_options import CommandsWithParams
from napari_atomseg.cli.restore import restore_images
from napari_atomseg.cli.run import run_workflow
from napari_atomseg.cli.sequence import sequence
from napari_atomseg.cli.simulate import simulate
from napari_atomseg.cli.synthesise import synthesise
from napari_atomseg.cli.train import train
from napari_atomseg.cli.train_classifier import train_classifier
from napari_atomseg.cli.window import OpenCommand, open_files

app = typer.Typer(
    name="napari-atomseg",
    cls=CommandsWithParams,
    help="Atomic columns from electron micrographs: find, correct, measure, with error bars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # The rich library alone takes longer to load than everything else that help needs.
    rich_markup_mode=None,
)
app.command("open", cls=OpenCommand)(open_files)
app.command()(spread_groups(demo))
app.command()(info)
app.command()(locate)
app.command()(refine)
app.command()(measure)
app.command("align")(align_frames)
app.command()(sequence)
app.command("run")(spread_groups(run_workflow))
app.command("map")(map_images)
app.command("restore")(restore_images)
app.command()(train)
app.command()(train_classifier)
app.command("judge", hidden=True)(train_classifier)  # its name until 2026
app.command()(models)
app.command()(simulate)
app.command()(compare)
app.command()(synthesise)
app.command()(make_pairs)
app.command()(fit_correction)
app.command()(make_exit_waves)
app.command()(make_library)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(f"napari-atomseg {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Atomic columns from electron micrographs: find, correct, measure, with error bars."""


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 all done, 1 some input failed, 2 wrong use, 130 stopped by Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        # A file name or unit that the terminal's encoding lacks is shown escaped instead of ending the run.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else list(arguments)
    if arguments is None:
        # A queue of a cluster ends a job so; whole files and a checkpoint are left as by Ctrl-C.
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(words, prog_name="napari-atomseg")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the door to the outside: a sentence instead of a traceback
        if "--debug" in words:
            traceback.print_exc()
        typer.echo(f"napari-atomseg: {unforeseen(error)}", err=True)
        sys.exit(1)
