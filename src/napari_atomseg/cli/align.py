"""``align``: frames of a series, or scans in several directions, on each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, ImageChoice
from napari_atomseg.cli.output_paths import refuse_overwriting
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.core.jobs import run


@param_options({"align": "AlignParams"}, FieldOption("align.mode"), FieldOption("align.average"), FieldOption("align.crop"))
def align_frames(
    inputs: Annotated[list[Path], typer.Argument(metavar="STACK ...", help="A stack; or frames or scans in several files.")],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.tif", help="Image to write; the numbers go beside it.")],
    rotations: Annotated[
        str | None,
        typer.Option(metavar="DEG,...", help="Direction of each scan in degrees, counter-clockwise on the screen, as in 0,90."),
    ] = None,
    frames: Annotated[Path | None, typer.Option(metavar="FILE.tif", help="Write the aligned frames too.")] = None,
    *,
    images: ImageChoice,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Align the frames of a series and average them; or combine scans in several directions into one without drift."""
    from napari_atomseg.workflows import AlignParams, align

    params = typed.params("align", AlignParams)
    turned = _rotations_of(rotations)
    numbers = out.with_suffix(".json")

    def work(_: Path) -> None:
        from napari_atomseg.writers.image import write_image
        from napari_atomseg.writers.json_file import write_json

        written = [out, numbers, *([frames] if frames is not None else [])]
        refuse_overwriting(written, inputs, force)
        scans = [images.open(path, console) for path in inputs]
        found = run(align.steps(scans, params=params, rotations=turned), console.reporter(out))
        write_image(found.average, out)
        write_json(found.numbers, numbers)
        if frames is not None:
            write_image(replace(found.average, data=found.frames()), frames)
        if found.numbers["verdict"]:
            console.note(f"{out.name}: {found.numbers['verdict']}")
        if found.left_out:
            console.note(f"{out.name}: {found.left_out}")
        console.say(f"{found.average.notes[-2 if found.numbers['verdict'] else -1]} -> {out}")

    run_for_each(console, {inputs[0]: out}, work)


def _rotations_of(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no list of angles in degrees, such as 0,90', param_hint="--rotations") from None
