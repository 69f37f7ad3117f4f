"""``map``: from images to what a network says of every pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import Force, ImagesIn, ImagesOut, PartChoice, require_model
from napari_atomseg.cli.output_paths import MAPS, refuse_overwriting, targets_of
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.core.jobs import run
from napari_atomseg.core.tasks import TASKS


@param_options(
    {"network": "NetworkParams"},
    FieldOption("network.polarity"),
    FieldOption("network.device"),
    FieldOption("network.straighten", "--as-scanned"),
    FieldOption("network.alike", "--no-nonlocal", aliases=("--alone",)),
    FieldOption("network.averaged", "--averaged"),
)
def map_images(
    inputs: ImagesIn,
    out: ImagesOut,
    task: Annotated[
        str,
        typer.Option(
            metavar="|".join(TASKS),
            help="Which map; of structures: normalised, a class, background, segments.",
        ),
    ] = TASKS[0],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A network, see `models`; by default the first of them.")
    ] = None,
    *,
    images: PartChoice,
    force: Force = False,
    console: Console,
    typed: Typed,
) -> None:
    """Ask a network for one map of each image: where columns are, or the image without noise, background or blur."""
    from napari_atomseg.workflows import CLASSICAL, NetworkParams, default_network, map_names, model_names
    from napari_atomseg.workflows import maps as job

    known = TASKS if model is None else map_names(model)
    if task not in known:
        raise typer.BadParameter(f'there is no map "{task}"; choose one of {", ".join(known)}', param_hint="--task")
    require_model(model, [name for name in model_names() if name != CLASSICAL])
    params = typed.params("network", NetworkParams)
    targets = targets_of(inputs, out, MAPS)

    def work(path: Path) -> None:
        from napari_atomseg.writers.image import write_image

        target = targets[path]
        refuse_overwriting([target], targets, force)
        name = model or default_network()
        image = images.open(path, console)
        steps = job.steps(image, model=name, tasks=(task,), params=params, region=images.part, frames=images.frames)
        found = run(steps, console.reporter(path))[task]
        write_image(found, target)
        if image.pixel_size is None:
            console.note(f"{path.name}: {'; '.join(found.notes)}; --pixel-size gives the true one")
        console.say(f"{path.name}: {task} by {name} -> {target}")

    run_for_each(console, targets, work)
