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
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="A preset (`synthesise list` names them) or a YAML file.")
    ] = None,
    crystal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Structure file that most images show, in place of a recipe.")
    ] = None,
    zone_axis: Annotated[
        str | None, typer.Option(metavar="u,v,w", help="Crystal direction along the beam.", show_default="0,0,1")
    ] = None,
    zone: Annotated[str | None, typer.Option(metavar="u,v,w", help="Crystal direction along the beam.", hidden=True)] = None,
    metal: Annotated[
        str | None, typer.Option(metavar="ELEMENT", help="Metal of fcc particles whose atoms are counted, in place of a recipe.")
    ] = None,
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
    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="Kind of the network, such as unet or cgrdn; the recipe's if left out.")
    ] = None,
    channels: Annotated[int | None, typer.Option(metavar="N", help="Channels of the network's first level.")] = None,
    width: Annotated[int | None, typer.Option(metavar="N", help="Channels of the network's first level.", hidden=True)] = None,
    depth: Annotated[int | None, typer.Option(metavar="N", help="Levels of the network.")] = None,
    row_context: Annotated[int | None, typer.Option(metavar="PX", help="Reach along scan rows; 0 for none.")] = None,
    refinements: Annotated[
        int | None, typer.Option(metavar="N", help="Blocks in which rows are compared and put back; 0 for none.")
    ] = None,
    stem: Annotated[
        int | None, typer.Option(metavar="1|2", help="Pixels along each axis that are packed into channels first; 1 for none.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, metavar="N", help="Processes that draw images.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Start anew where a run has left its checkpoint.")] = False,
    *,
    console: Console,
    typed: Typed,
) -> None:
    """Train a network on a recipe's images; Ctrl-C leaves a checkpoint, --resume goes on from it."""
    from napari_atomseg.workflows import FccMetal, TrainParams

    _refuse_wrong_subject(recipe, crystal, zone_axis or zone, metal, typed.names("particles"))
    zone_axis = zone_axis or zone or "0,0,1"
    _refuse_wrong_values(device, minutes, architecture)
    _require_start(start_from)
    typed.params("run", TrainParams)
    given = typed.of("run")
    options: dict[str, Any] = {"--metal": metal, "--lattice-constant": typed.of("particles").get("lattice_constant")}
    options |= {"--start-from": start_from, "--name": name, "-o": out, "--minutes": None if given.get("steps") else minutes}
    if given.get("steps") is None and minutes is not None and not resume:
        # Without a number of updates, the minutes alone say when the run is over.
        given["steps"] = 0
    shape = {"width": channels or width, "depth": depth, "row_context": row_context, "refinements": refinements, "stem": stem}
    request = _Request(
        recipe=recipe,
        crystal=crystal,
        metal=None if metal is None else typed.params("particles", FccMetal, element=metal),
        direction=_direction(zone_axis),
        folder=out,
        name=name,
        architecture=architecture,
        shape={field: value for field, value in shape.items() if value is not None},
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
        again=_words(recipe, crystal, zone_axis, options),
    )
    subject = Path(str(recipe or crystal or metal))
    run_for_each(console, [subject], lambda path: _train(path, request, console))


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What was typed: the images, the shape and settings that differ from the usual ones, and how to go on with the run."""

    recipe: str | None
    crystal: Path | None
    metal: FccMetal | None
    direction: tuple[int, int, int]
    folder: Path | None
    name: str | None
    architecture: str | None
    shape: dict[str, Any]
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
    network = shaped(network, request.architecture, request.shape)
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


def _words(recipe: str | None, crystal: Path | None, zone_axis: str, options: dict[str, Any]) -> list[str]:
    """What to type to go on with a run."""
    subject = [recipe] if recipe is not None else []
    subject += ["--crystal", str(crystal), "--zone-axis", zone_axis] if crystal is not None else []
    return [*subject, *(str(word) for name, value in options.items() if value is not None for word in (name, value))]


def _refuse_wrong_subject(
    recipe: str | None, crystal: Path | None, zone: str | None, metal: str | None, of_metal: list[str]
) -> None:
    if sum(given is not None for given in (recipe, crystal, metal)) != 1:
        raise typer.BadParameter(
            "give a recipe, or a crystal with --crystal, or a metal with --metal, and only one of them", param_hint="RECIPE"
        )
    if zone is not None and crystal is None:
        raise typer.BadParameter("a recipe has its own zone axes; it belongs to --crystal", param_hint="--zone-axis")
    if of_metal and metal is None:
        raise typer.BadParameter("it belongs to --metal; a recipe has its own", param_hint=of_metal[0])


def shaped(network: Any, architecture: str | None, fields: dict[str, Any]) -> Any:
    """The shape of a network, or of one of another architecture, with other fields of it set.

    Parameters
    ----------
    network : object
        Parameters of a network.
    architecture : str or None
        Another architecture, whose parameters then have their defaults; None for the same.
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
        given = {name: value for name, value in asdict(network).items() if name in ("images", "conditions")}
        chosen = replace(chosen, **{name: value for name, value in given.items() if name in asdict(chosen)})
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
    if request.recipe is not None:
        return read_recipe(request.recipe)
    return recipe_for_crystal(request.crystal, request.direction)


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
