"""``judge``: teach which of a network's candidates are columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_atomseg.cli.inputs import params_of, require_model
from napari_atomseg.cli.talk import Debug, Quiet, Talk, each


def judge(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Network whose candidates are judged; see `models`.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(metavar="RECIPE", help="A preset or a YAML file; several take turns. By default crystals and single atoms."),
    ] = None,
    images: Annotated[int | None, typer.Option(metavar="N", help="Synthetic images that are drawn.")] = None,
    minutes: Annotated[float | None, typer.Option(metavar="M", help="Draw no more images after so many.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the new model.")] = None,
    updates: Annotated[int | None, typer.Option(metavar="N", help="Updates of the judge's weights.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of weights and images.")] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, metavar="N", help="Processes that draw images.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Teach a judge which of a network's candidates are columns; makes a new model and leaves the old one as it is."""
    from napari_atomseg.training.judging import JudgingParams
    from napari_atomseg.workflows import CLASSICAL, model_names
    from napari_atomseg.workflows.judging import RECIPES

    if minutes is not None and not 0 < minutes < 1e6:
        raise typer.BadParameter(f"minutes lie above zero, got {minutes:g}", param_hint="--minutes")
    require_model(model, [known for known in model_names() if known != CLASSICAL])
    given = {"images": images, "updates": updates, "seed": seed}
    told = {option: value for option, value in given.items() if value is not None}
    params = params_of(JudgingParams, " and ".join(f"--{option}" for option in told), **told)
    talk = Talk(quiet=quiet, debug=debug)

    def work(subject: Path) -> None:
        from napari_atomseg.core.jobs import run
        from napari_atomseg.workflows import train_judge as job

        steps = job.steps(model, recipes=recipe or RECIPES, name=name, params=params, minutes=minutes, workers=workers)
        card = run(steps, talk.reporter(subject))
        before, after = card.scores["judge f1_of_map"], card.scores["judge f1_judged"]
        talk.say(f"model {card.name}: F1 {before:.3f} -> {after:.3f} on images held out; use it with --model {card.name}")

    each(talk, [Path(model)], work)
