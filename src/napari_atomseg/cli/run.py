"""``run``: recorded steps done again on other images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.columns import Out, note_finding, require_scale, summary
from napari_atomseg.cli.console import Console, Debug, Quiet, run_for_each
from napari_atomseg.cli.measure import table_paths, write_tables
from napari_atomseg.cli.options import Dataset, Force, ImagesIn, PixelSize, open_image, pixel_size_of
from napari_atomseg.cli.output_paths import files_of, refuse_existing, targets_of, write
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run


def run_workflow(
    workflow: Annotated[
        Path, typer.Argument(metavar="WORKFLOW", help="Recorded steps: the .json beside a table of columns that was saved.")
    ],
    inputs: ImagesIn,
    out: Out,
    pixel_size: PixelSize = None,
    dataset: Dataset = None,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Repeat recorded steps on images: find, keep the confident ones, refine, straighten rows, measure; not edits by hand."""
    from napari_atomseg.sessions.replay import not_repeated, read_steps, replay

    try:
        steps = read_steps(workflow)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint="WORKFLOW") from None
    size, targets = pixel_size_of(pixel_size), targets_of(inputs, out)
    console = Console(quiet=quiet, debug=debug)
    left_out = not_repeated(steps)
    if left_out:
        console.note(f"{workflow.name}: not repeated: {left_out}")

    def work(path: Path) -> None:
        target = targets[path]
        refuse_existing(files_of(target), force)
        image = open_image(path, dataset, size, console)
        require_scale(image, target, console)
        found = run(replay.steps(image, steps), console.reporter(path))
        tables = table_paths(found.measurement, target) if found.measurement is not None else {}
        refuse_existing(list(tables.values()), force)
        write(found.columns, target)
        if found.measurement is not None:
            write_tables(found.measurement, tables)
        note_finding(path, found.columns, console)
        console.say(summary(path, found.columns, target))

    run_for_each(console, targets, work)
