"""``train-classifier``: train the classifier that decides which of a network's candidates are columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import require_model
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options


@param_options(
    {"run": "ClassifierTrainParams"},
    FieldOption("run.images"),
    FieldOption("run.updates"),
    FieldOption("run.seed"),
)
def train_classifier(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Network whose candidates are classified; see `models`.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RECIPE",
            help="Preset or YAML file of the training images; repeat the option for several, which are used in turn.",
            show_default="crystals and single atoms",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", help="Time limit for the training images in minutes.", show_default="no limit"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the new model.", show_default="derived from MODEL")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, metavar="N", help="Number of processes that make images.")] = 1,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Train a classifier that decides which of a network's candidates are columns; writes a new model, the old one is kept."""
    from napari_atomseg.workflows import CLASSICAL, RECIPES, ClassifierTrainParams, model_names

    if minutes is not None and not 0 < minutes < 1e6:
        raise typer.BadParameter(f"minutes lie above zero, got {minutes:g}", param_hint="--minutes")
    require_model(model, [known for known in model_names() if known != CLASSICAL])
    params = typed.params("run", ClassifierTrainParams)

    def work(subject: Path) -> None:
        from napari_atomseg.core.jobs import run
        from napari_atomseg.workflows import train_classifier as job

        steps = job.steps(model, recipes=recipe or RECIPES, name=name, params=params, minutes=minutes, workers=workers)
        card = run(steps, console.reporter(subject))
        before, after = card.scores["judge f1_of_map"], card.scores["judge f1_judged"]
        console.say(f"model {card.name}: F1 {before:.3f} -> {after:.3f} on images held out; use it with --model {card.name}")

    run_for_each(console, [Path(model)], work)
