"""``compare``: a simulated image held against an experimental one, as figures and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, ImageChoice, open_image
from napari_atomseg.cli.output_paths import refuse_existing, refuse_inputs
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.tables import TableChoice, doubt_of
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import run

if TYPE_CHECKING:
    from napari_atomseg.core.columns import Columns


@param_options(
    {"compare": "CompareParams"},
    FieldOption("compare.rotation", "--no-rotation"),
    FieldOption("compare.scale", "--no-scale"),
    FieldOption("compare.largest_rotation_deg", "--largest-rotation"),
    FieldOption("compare.largest_scale", metavar="SHARE"),
    FieldOption("compare.intensities"),
)
def compare(
    simulated: Annotated[Path, typer.Argument(metavar="SIMULATED", help="Image of a model, such as `simulate` writes.")],
    experimental: Annotated[Path, typer.Argument(metavar="EXPERIMENTAL", help="The image that it is measured by.")],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for images, numbers and a picture.")],
    columns: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Columns of the experiment: their differences are written too.")
    ] = None,
    *,
    table: TableChoice,
    images: ImageChoice,
    absolute: Annotated[bool, typer.Option("--absolute", help="The same as --intensities absolute.", hidden=True)] = False,
    frame: Annotated[int | None, typer.Option(min=0, metavar="N", help="Frame of an experimental stack, counted from 0.")] = None,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Register a simulated image on an experimental one and subtract; pixel size, dataset and frame are the experiment's."""
    from napari_atomseg.workflows import CompareParams, comparison_files, comparison_summary, one_frame, write_comparison
    from napari_atomseg.workflows import compare as job

    _refuse_limits_of_nothing(typed)
    params = typed.params("compare", CompareParams)
    params = replace(params, intensities="absolute") if absolute else params

    def work(path: Path) -> None:
        targets = comparison_files(out, columns is not None)
        inputs = [simulated, experimental, *([columns] if columns else [])]
        for target in targets:
            refuse_inputs(target, inputs, "files to be compared; write to another folder")
        refuse_existing(targets, force)
        if out.exists() and not out.is_dir():
            raise AtomsegError(f"{out} is a file; give a folder")
        image, model = images.open(path, console), open_image(simulated, None, None, console)
        given = table.read(columns, image, console) if columns else None
        if image.frames > 1 and frame is None:
            raise AtomsegError(f"{image.name} is a stack of {image.frames} images; choose one with --frame")
        if columns is not None and given is not None:
            doubt = doubt_of(given, image)
            if doubt:
                console.note(f"{columns.name}: {doubt}")
            given = _of_frame(given, frame or 0)
        found = run(job.steps(model, one_frame(image, frame or 0), columns=given, params=params), console.reporter(path))
        write_comparison(found, out, force=force)
        for note in found.notes:
            console.note(f"{path.name}: {note}")
        console.say(f"{simulated.name} on {path.name}: {comparison_summary(found)} -> {out}")

    run_for_each(console, [experimental], work)


def _refuse_limits_of_nothing(typed: Typed) -> None:
    """Stop where a limit is given for what is not fitted."""
    for fitted, limit in (("rotation", "largest_rotation_deg"), ("scale", "largest_scale")):
        if typed.names("compare", fitted) and typed.names("compare", limit):
            (off,), (option,) = typed.names("compare", fitted), typed.names("compare", limit)
            raise typer.BadParameter(f"no effect beside {off}; leave one out", param_hint=option)


def _of_frame(columns: Columns, frame: int) -> Columns:
    """Columns of one frame, as those of a single image; a table that knows no frames belongs to the one asked for."""
    chosen = columns.of_frame(frame) if columns.frame.any() else columns
    return replace(chosen, frame=0 * chosen.frame)
