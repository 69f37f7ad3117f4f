"""``train``: from a recipe, or a crystal, to a new model in the list."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_atomseg.cli.console import Console, run_for_each
from napari_atomseg.cli.options import require_model
from napari_atomseg.cli.param_options import FieldOption, Typed, param_options
from napari_atomseg.cli.training_options import ShapeChoice, SubjectChoice
from napari_atomseg.core.errors import AtomsegError

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.synthesis.metal_recipe import FccMetal
    from napari_atomseg.synthesis.recipe import Recipe


@param_options(
    {"run": "TrainParams", "particles": "FccMetal"},
    FieldOption("run.steps"),
    FieldOption("run.batch"),
    FieldOption("run.patch"),
    FieldOption("run.learning_rate"),
    FieldOption("run.loss", metavar="likelihood|chi_square|printed_chi_square"),
    FieldOption("run.adversarial"),
    FieldOption("run.task", metavar="all|columns|mask|denoise|background|deblur"),
    FieldOption("run.seed"),
    FieldOption("run.validate_every"),
    FieldOption("run.native_sampling"),
    FieldOption("run.settled"),
    FieldOption("run.frozen"),
    FieldOption("particles.lattice_constant", default="the element's own"),
)
def train(
    *,
    subject: SubjectChoice,
    start_from: Annotated[
        str | None, typer.Option("--start-from", metavar="MODEL", help="Model to go on from (fine-tuning); see `models`.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run was stopped.")] = False,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where the network learns.")] = "auto",
    minutes: Annotated[
        float | None, typer.Option(metavar="M", help="Stop after so many; without --steps the run is made to end with them.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the new model. [default: the recipe's]")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for checkpoint and history.")] = None,
    shape: ShapeChoice,
    workers: Annotated[int, typer.Option(min=0, max=64, metavar="N", help="Processes that draw images.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Start anew where a run has left its checkpoint.")] = False,
    console: Console,
    typed: Typed,
) -> None:
    """Train a network on a recipe's images; Ctrl-C leaves a checkpoint, --resume goes on from it."""
    from napari_atomseg.workflows import FccMetal, TrainParams

    if typed.names("particles") and subject.metal is None:
        raise typer.BadParameter("it belongs to --metal; a recipe has its own", param_hint=typed.names("particles")[0])
    _refuse_wrong_values(device, minutes, shape.architecture)
    _require_start(start_from)
    typed.params("run", TrainParams)
    given = typed.of("run")
    options: dict[str, Any] = {"--metal": subject.metal, "--lattice-constant": typed.of("particles").get("lattice_constant")}
    options |= {"--start-from": start_from, "--name": name, "-o": out, "--minutes": None if given.get("steps") else minutes}
    if given.get("steps") is None and minutes is not None and not resume:
        # Without a number of updates, the minutes alone say when the run is over.
        given["steps"] = 0
    request = _Request(
        subject=subject,
        metal=None if subject.metal is None else typed.params("particles", FccMetal, element=subject.metal),
        direction=_direction(subject.along),
        folder=out,
        name=name,
        shape=shape,
        settings=given,
        resume=resume,
        force=force,
        options={
            "minutes": minutes,
            "device": device,
            "workers": workers,
            "start_from": start_from,
            "say_forgotten": start_from is not None,
        },
        again=_words(subject, options),
    )
    run_for_each(console, [subject.path], lambda path: _train(path, request, console))


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What was typed: the images, the shape and settings that differ from the usual ones, and how to go on with the run."""

    subject: SubjectChoice
    metal: FccMetal | None
    direction: tuple[int, int, int]
    folder: Path | None
    name: str | None
    shape: ShapeChoice
    settings: dict[str, Any]
    resume: bool
    force: bool
    options: dict[str, Any]
    again: list[str]


def _train(subject: Path, request: _Request, console: Console) -> None:
    """Train one network, and say what it reached and how to go on."""
    from napari_atomseg.core.jobs import run
    from napari_atomseg.workflows import run_settings, training_folder
    from napari_atomseg.workflows import train as job

    drawn = _recipe(request)
    folder = request.folder or training_folder(request.name or drawn.name)
    _refuse_checkpoint(folder, resume=request.resume, force=request.force)
    network, params = run_settings(drawn, folder if request.resume else None, request.options["start_from"])
    params = replace(params, **request.settings)
    network = shaped(network, request.shape.architecture, request.shape.fields)
    steps = job.steps(
        drawn, name=request.name, network=network, params=params, folder=folder, resume=request.resume, **request.options
    )
    try:
        card = run(steps, console.reporter(subject))
    except KeyboardInterrupt:
        _say_how_to_go_on(console, folder, request.again)
        raise
    console.say(summary(card))
    console.say(f"history and checkpoint -> {folder}")


def _refuse_wrong_values(device: str, minutes: float | None, architecture: str | None) -> None:
    from napari_atomseg.workflows import ARCHITECTURES

    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f'a network learns on auto, cpu or cuda, not on "{device}"', param_hint="--device")
    if minutes is not None and not 0 < minutes < 1e6:
        raise typer.BadParameter(f"minutes lie above zero, got {minutes:g}", param_hint="--minutes")
    if architecture is not None and architecture not in ARCHITECTURES:
        raise typer.BadParameter(f"a network is {', '.join(ARCHITECTURES)}, not {architecture}", param_hint="--architecture")


def shaped(network: Any, architecture: str | None, fields: dict[str, Any]) -> Any:
    """The shape of a network, or of one of another architecture, with other fields of it set.

    Parameters
    ----------
    network : object
        Parameters of a network.
    architecture : str or None
        Another architecture, whose parameters then have their defaults; None, or its name, for the same.
    fields : dict
        Those that are set, by name.

    Raises
    ------
    AtomsegError
        If the architecture knows no such parameter.
    """
    from napari_atomseg.workflows import architecture_of, params_of

    kind = architecture or architecture_of(network)
    chosen = network
    if kind != architecture_of(network):
        chosen = params_of(kind)()
        # What the network is given is a matter of the images, not of its shape.
        given = {name: value for name, value in asdict(network).items() if name in ("images", "conditions", "periodic")}
        chosen = replace(chosen, **{name: value for name, value in given.items() if name in asdict(chosen)})
    if "width" in fields and "features" in asdict(chosen):
        # What the CGRDN's paper calls its channels.
        fields = {"features" if name == "width" else name: value for name, value in fields.items()}
    strange = [name for name in fields if name not in asdict(chosen)]
    if strange:
        raise AtomsegError(f"a {kind} has no --{strange[0].replace('_', '-')}; it has {', '.join(asdict(chosen))}")
    return replace(chosen, **fields)


def summary(card: ModelCard) -> str:
    """One line: the model, how long it learnt, and what it reached."""
    shown = ("validation f1", "validation recall", "validation precision", "validation exact", "validation rms_pm")
    reached = "".join(f", {name} {value:g}" for name, value in card.scores.items() if name in shown)
    general = [name.removesuffix(" before") for name in card.scores if name.startswith("general ") and name.endswith(" before")]
    cost = "".join(f", {name} {card.scores[f'{name} before']:g} -> {card.scores[f'{name} after']:g}" for name in general)
    return f"model {card.name}: {card.training['updates']} updates{reached}{cost}; use it with --model {card.name}"


def _words(subject: SubjectChoice, options: dict[str, Any]) -> list[str]:
    """What to type to go on with a run."""
    return [*subject.words, *(str(word) for name, value in options.items() if value is not None for word in (name, value))]


def _direction(text: str) -> tuple[int, int, int]:
    from napari_atomseg.workflows import parse_zone_axis

    try:
        return parse_zone_axis(text)
    except AtomsegError as error:
        raise typer.BadParameter(str(error), param_hint="--zone-axis") from None


def _require_start(model: str | None) -> None:
    if model is None:
        return
    from napari_atomseg.workflows import CLASSICAL, model_names

    require_model(model, [name for name in model_names() if name != CLASSICAL], "--start-from")


def _recipe(request: _Request) -> Recipe:
    from napari_atomseg.workflows import read_recipe, recipe_for_crystal, recipe_for_metal

    if request.metal is not None:
        return recipe_for_metal(request.metal)
    if request.subject.recipe is not None:
        return read_recipe(request.subject.recipe)
    return recipe_for_crystal(request.subject.crystal, request.direction)


def _refuse_checkpoint(folder: Path, *, resume: bool, force: bool) -> None:
    """Hours of training are not overwritten by a run that was begun by mistake."""
    from napari_atomseg.workflows import stopped_at

    if resume or force:
        return
    updates = stopped_at(folder)
    if updates is not None:
        raise AtomsegError(f"{folder} holds a run of {updates} updates; --resume goes on with it, --force starts anew")


def _say_how_to_go_on(console: Console, folder: Path, words: list[str]) -> None:
    from napari_atomseg.workflows import stopped_at

    updates = stopped_at(folder)
    console.clear()
    if updates is None:
        typer.echo("stopped before the first update; there is nothing to go on from", err=True)
    else:
        again = shlex.join(["napari-atomseg", "train", *words, "--resume"])
        typer.echo(f"stopped after {updates} updates; go on with: {again}", err=True)
        typer.echo("the same with --minutes 0.1 makes a model of what was learnt so far", err=True)
