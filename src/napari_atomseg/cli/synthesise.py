"""``synthesise``: images drawn from a recipe, with their labels, true columns and records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.core.errors import AtomsegError


@param_options(
    {"synthesis": "SynthesisParams"},
    FieldOption("synthesis.number", short="-n"),
    FieldOption("synthesis.seed"),
    FieldOption("synthesis.size", default="the recipe's"),
)
def synthesise(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A preset (`list` names them), a YAML file, or records (.jsonl).")
    ],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the images.")] = Path("synthetic"),
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Labels to write; all if left out, `none` for none.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, metavar="N", help="Processes that draw and write, of one thread each; 0 for none.")
    ] = 0,
    force: Force = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Draw images from a recipe: image and labels as TIFF, true columns as CSV, and records.jsonl, which makes them again."""
    from napari_atomseg.workflows import LABELS, SynthesisParams, synthesise_into
    from napari_atomseg.workflows import synthesis_presets as presets

    if recipe == "list":
        typer.echo("\n".join(presets()))
        return
    wanted = LABELS if labels is None else tuple(name.strip() for name in labels.split(",") if name.strip() not in ("", "none"))
    unknown = [name for name in wanted if name.removeprefix("upsampled_") not in (*LABELS, "class_maps")]
    if unknown:
        raise typer.BadParameter(f"there is no label {', '.join(unknown)}; there are {', '.join(LABELS)}", param_hint="--labels")
    _refuse_beside_records(recipe, typed.names("synthesis"))
    params = typed.params("synthesis", SynthesisParams)

    def work(folder: Path) -> None:
        from napari_atomseg.core.jobs import run

        if (folder / "records.jsonl").exists() and not force:
            raise AtomsegError("holds images of an earlier run already; choose another folder, or --force to overwrite")
        written = run(synthesise_into.steps(recipe, folder, params, labels=wanted, workers=workers), console.reporter(folder))
        console.say(f"{recipe}: {written} images -> {folder}")

    run_for_each(console, [out], work)


def _refuse_beside_records(recipe: str, options: list[str]) -> None:
    """Records hold everything that an image depends on, so that nothing else would change it."""
    if recipe.endswith(".jsonl") and options:
        raise typer.BadParameter("it changes nothing of records, which are made again as they are", param_hint=options[0])
