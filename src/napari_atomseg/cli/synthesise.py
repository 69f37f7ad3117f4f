"""``synthesise``: images drawn from a recipe, with their labels, true columns and records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, Debug, Quiet, run_for_each
from napari_atomseg.cli.options import Force
from napari_atomseg.core.errors import AtomsegError


def synthesise(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A preset (`list` names them), a YAML file, or records (.jsonl).")
    ],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for the images.")] = Path("synthetic"),
    number: Annotated[int | None, typer.Option("-n", "--number", metavar="N", help="How many images; 1.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same images; 0.")] = None,
    size: Annotated[int | None, typer.Option(metavar="PX", help="Side of the images, instead of the recipe's.")] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Labels to write; all if left out, `none` for none.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, metavar="N", help="Processes that draw and write, of one thread each; 0 for none.")
    ] = 0,
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draw images from a recipe: image and labels as TIFF, true columns as CSV, and records.jsonl, which makes them again."""
    from napari_atomseg.workflows import LABELS, synthesise_into
    from napari_atomseg.workflows import synthesis_presets as presets

    if recipe == "list":
        typer.echo("\n".join(presets()))
        return
    wanted = LABELS if labels is None else tuple(name.strip() for name in labels.split(",") if name.strip() not in ("", "none"))
    unknown = [name for name in wanted if name.removeprefix("upsampled_") not in (*LABELS, "class_maps")]
    if unknown:
        raise typer.BadParameter(f"there is no label {', '.join(unknown)}; there are {', '.join(LABELS)}", param_hint="--labels")
    _refuse_beside_records(recipe, {"--number": number, "--seed": seed, "--size": size})
    console = Console(quiet=quiet, debug=debug)

    def work(folder: Path) -> None:
        from napari_atomseg.core.jobs import run

        if (folder / "records.jsonl").exists() and not force:
            raise AtomsegError("holds images of an earlier run already; choose another folder, or --force to overwrite")
        steps = synthesise_into.steps(
            recipe, folder, number=1 if number is None else number, seed=seed or 0, size=size, labels=wanted, workers=workers
        )
        written = run(steps, console.reporter(folder))
        console.say(f"{recipe}: {written} images -> {folder}")

    run_for_each(console, [out], work)


def _refuse_beside_records(recipe: str, told: dict[str, int | None]) -> None:
    """Records hold everything that an image depends on, so that nothing else would change it."""
    given = [option for option, value in told.items() if value is not None]
    if recipe.endswith(".jsonl") and given:
        raise typer.BadParameter("it changes nothing of records, which are made again as they are", param_hint=given[0])
