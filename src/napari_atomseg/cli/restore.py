"""``restore``: images without noise and distortions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, ImagesIn, ImagesOut, PartChoice
from napari_atomseg.cli.output_paths import MAPS, refuse_overwriting, targets_of
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.core.jobs import run


@param_options(
    {"restoration": "RestorationParams"},
    FieldOption("restoration.modality"),
    FieldOption("restoration.periodic", "--no-periodic"),
    FieldOption("restoration.straighten", "--as-scanned"),
    FieldOption("restoration.device"),
)
def restore_images(
    inputs: ImagesIn,
    out: ImagesOut,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The only network to ask, see `models`; by default the best for the image.")
    ] = None,
    difference: Annotated[
        bool, typer.Option("--difference", help="Write recorded minus restored image too, to NAME_difference.")
    ] = False,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread", help="Write how far four answers of the network differ too, to NAME_spread; takes 5 times as long."
        ),
    ] = False,
    *,
    images: PartChoice,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Restore images by a network: without noise, scan distortions and detector faults; a belief, not a measurement."""
    from napari_atomseg.workflows import RestorationParams, restoration_difference, restoration_spread
    from napari_atomseg.workflows import restore as job

    params = typed.params("restoration", RestorationParams)
    if spread and images.part is not None:
        raise typer.BadParameter("a spread is that of whole images; leave out one of the two", param_hint="--spread, --region")
    targets = targets_of(inputs, out, MAPS)

    def work(path: Path) -> None:
        from napari_atomseg.writers.image import write_image

        target = targets[path]
        beside = {name: target.with_name(f"{target.stem}_{name}{target.suffix}") for name in ("difference", "spread")}
        written = [target, *([beside["difference"]] if difference else []), *([beside["spread"]] if spread else [])]
        refuse_overwriting(written, targets, force)
        image, frames = images.open(path, console), images.frames
        steps = job.steps(image, model=model, params=params, region=images.part, frames=frames)
        found = run(steps, console.reporter(path))
        write_image(found, target)
        if difference:
            write_image(restoration_difference(image, found, frames), beside["difference"])
        if spread:
            steps = restoration_spread.steps(image, model=model, params=params, frames=frames)
            write_image(run(steps, console.reporter(path)), beside["spread"])
        for note in found.notes[1:]:
            console.note(f"{path.name}: {note}")
        console.say(f"{path.name}: {found.notes[0]} -> {target}")

    run_for_each(console, targets, work)
