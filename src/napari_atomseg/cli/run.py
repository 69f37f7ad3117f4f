"""``run``: recorded steps done again on other images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.columns import Out, note_finding, require_scale, summary
from napari_atomseg.cli.console import Console, run_with_jobs
from napari_atomseg.cli.options import Force, ImageChoice, ImagesIn
from napari_atomseg.cli.output_paths import files_of, refuse_existing, targets_of, write
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run
from napari_atomseg.writers.tables import table_paths, write_tables

if TYPE_CHECKING:
    from napari_atomseg.workflows.steps import Step


def run_workflow(
    workflow: Annotated[
        Path, typer.Argument(metavar="WORKFLOW", help="Recorded steps: the .json beside a table of columns that was saved.")
    ],
    inputs: ImagesIn,
    out: Out,
    *,
    images: ImageChoice,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=256, metavar="N", help="Processes that work on the images.")] = 1,
    force: Force = False,
    console: Console,
) -> None:
    """Repeat recorded steps on images: find, keep the confident ones, refine, straighten rows, measure; not edits by hand."""
    from napari_atomseg.sessions.replay import not_repeated, read_steps

    try:
        steps = read_steps(workflow)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint="WORKFLOW") from None
    targets = targets_of(inputs, out)
    left_out = not_repeated(steps)
    if left_out:
        console.note(f"{workflow.name}: not repeated: {left_out}")
    work = _Repeated(steps=steps, targets=targets, images=images, force=force)
    run_with_jobs(console, targets, work, jobs)


@dataclass(frozen=True, kw_only=True)
class _Repeated:
    """Steps done again on an image, and the table written; can be sent to another process."""

    steps: tuple[Step, ...]
    targets: Mapping[Path, Path]
    images: ImageChoice
    force: bool

    def __call__(self, path: Path, console: Console) -> None:
        from napari_atomseg.sessions.replay import replay

        target = self.targets[path]
        refuse_existing(files_of(target), self.force)
        image = self.images.open(path, console)
        require_scale(image, target, console)
        found = run(replay.steps(image, self.steps), console.reporter(path))
        tables = table_paths(found.measurement.tables, target) if found.measurement is not None else {}
        refuse_existing(list(tables.values()), self.force)
        write(found.columns, target)
        if found.measurement is not None:
            write_tables(found.measurement.tables, tables)
        note_finding(path, found.columns, console)
        console.say(summary(path, found.columns, target))
