"""The training loop: endless scenes, AdamW, running average of the weights, checkpoints."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.networks.architectures import architecture_of, build_network
from napari_atomseg.networks.card import RESTORATION
from napari_atomseg.networks.half_precision import half_where_fast
from napari_atomseg.networks.outputs import Output
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training import adversary, checkpoint, lessons
from napari_atomseg.training.examples import Examples
from napari_atomseg.training.features_of_another import take_features
from napari_atomseg.training.lessons import Lesson, lesson_of, scenes
from napari_atomseg.training.losses import LOSSES
from napari_atomseg.training.params import TrainParams
from napari_atomseg.training.report import report
from napari_atomseg.training.stream import stream

STEEPEST = 1.0
"""Gradients longer than this are shortened to it."""
STATISTICS = 0.99
"""Share of the old average in those of the statistics of batch normalisation: one odd batch is forgotten soon."""
SAVE_EVERY_S = 180.0
PREPARING = "drawing validation scenes"
LEAST_SHARE = 0.2
"""Share of the given minutes that is left to the updates, however long the preparation takes."""
PROBE, PROBE_SHARE = 20, 0.1
"""Updates, or share of the given minutes, after which the speed tells how many updates fit into the minutes."""


@dataclass(frozen=True)
class TrainingProgress(Progress):
    """Progress with the loss of the last update, and what the last look at the validation scenes gave.

    Attributes
    ----------
    loss : float
    scores : mapping of str to float
        Empty before the first look.
    """

    loss: float = math.nan
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class _Run:
    """A network on its way; the one thing here that changes."""

    network: nn.Module
    averaged: nn.Module
    optimiser: torch.optim.Optimizer
    names: dict[Tensor, str]
    step: int
    total: int
    history: list[dict[str, float]]
    adversary: adversary.Adversary | None


def fit(
    recipe: Recipe,
    network: Any,
    params: TrainParams,
    folder: Path,
    *,
    minutes: float | None = None,
    resume: bool = False,
    device: str = "cpu",
    workers: int = 1,
    start_from: dict[str, Tensor] | None = None,
) -> Steps[dict[str, Tensor]]:
    """Train, or go on training, a network; closed in the middle, it leaves a checkpoint.

    Parameters
    ----------
    recipe : Recipe
        What is learnt from.
    network : dataclass
        Parameters of one of the architectures, such as ``UnetParams``.
    params : TrainParams
    folder : Path
        For the checkpoint, ``history.csv`` and ``history.png``.
    minutes : float, optional
        Stop after so many, at whatever step, the drawing of the validation scenes included; with ``params.steps`` 0 the run
        is made to end with them.
    resume : bool
        Go on from the folder's checkpoint, exactly as if the run had never stopped.
    device : str
    workers : int
        Processes that draw scenes.
    start_from : mapping of str to Tensor, optional
        Weights to begin with, or those of a network with other outputs whose features are taken; the history begins with what
        they reach on the same scenes.

    Returns
    -------
    mapping of str to Tensor
        The averaged weights.

    Raises
    ------
    AtomsegError
        If the checkpoint does not belong to these settings, or the loss is no longer a number.
    """
    _check(params, minutes, starts=start_from is not None or resume)
    lesson = lesson_of(recipe, params.task)
    _check_adversary(recipe, params, lesson)
    _check_images(recipe, network, lesson)
    settings = {
        "recipe": recipe.name,
        "architecture": architecture_of(network),
        "network": asdict(network),
        "params": asdict(params),
    }
    run = _begin(network, params, device, start_from, lesson.outputs)
    if resume:
        _go_on(run, checkpoint.load(folder), settings)
    prepared = time.monotonic()
    shown = yield from _drawn(recipe, params)
    if start_from is not None and not run.history:
        _look(run, lesson, shown, params, device, [], 0.0, folder)
    began = saved = time.monotonic()
    minutes = _what_is_left(minutes, (began - prepared) / 60)
    losses: list[float] = []
    batches = stream(recipe, params, run.step, workers)
    try:
        while not (run.total and run.step >= run.total):
            loss = _update(run, next(batches), params, device, lesson.outputs)
            losses.append(loss)
            run.step += 1
            spent = time.monotonic() - began
            run.total = _planned(run, spent, minutes, params.validate_every if params.steps == 0 and not resume else 0)
            if run.step % params.validate_every == 0 or run.step == run.total:
                _look(run, lesson, shown, params, device, losses, spent, folder)
                losses.clear()
            if time.monotonic() - saved > SAVE_EVERY_S:
                checkpoint.save(_state(run, settings), folder)
                saved = time.monotonic()
            last = run.history[-1] if run.history else {}
            yield TrainingProgress(run.step, run.total, _words(last), loss, last)
            if minutes is not None and spent > 60 * minutes:
                break
        if losses:
            # The minutes were over between two looks.
            _look(run, lesson, shown, params, device, losses, time.monotonic() - began, folder)
    finally:
        batches.close()
        checkpoint.save(_state(run, settings), folder)
    return dict(run.averaged.state_dict())


def _drawn(recipe: Recipe, params: TrainParams) -> Steps[list[Examples]]:
    """The validation scenes."""
    yield Progress(0, lessons.BATCHES, PREPARING)
    shown: list[Examples] = []
    ahead = lesson_of(recipe, params.task).compute_ahead
    batches = scenes(recipe, params.patch, params.native_sampling, params.task)
    for number in range(lessons.BATCHES):
        if ahead is not None:
            for _ in ahead(recipe, lessons.SEED, number, lessons.BATCH, params.patch, params.native_sampling):
                yield Progress(number, lessons.BATCHES, PREPARING)
        shown += itertools.islice(batches, 1)
        yield Progress(len(shown), lessons.BATCHES, PREPARING)
    return shown


def _what_is_left(minutes: float | None, spent: float) -> float | None:
    """Minutes for the updates after so many of preparation."""
    return None if minutes is None else max(LEAST_SHARE * minutes, minutes - spent)


def learning_rate(step: int, total: int, params: TrainParams) -> float:
    """Rises in a line, then falls with a cosine to zero at the end (Loshchilov & Hutter, ICLR 2017).

    Parameters
    ----------
    step, total : int
        Updates made, and of the whole run.
    params : TrainParams
    """
    warm_up = min(params.warm_up, total // 10) if total else params.warm_up
    if step < warm_up:
        return params.learning_rate * (step + 1) / warm_up
    share = (step - warm_up) / max(1, total - warm_up) if total else 0.0
    return params.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _planned(run: _Run, spent: float, minutes: float | None, every: int) -> int:
    """Updates of the whole run; with `every`, counted anew after so many.

    Other work may have begun beside this one since, and the learning rate has to have fallen when the minutes are over.
    """
    if run.total == 0 or (every and run.step < run.total and run.step % every == 0):
        return _total_of(run.step, spent, minutes)
    return run.total


def _total_of(step: int, spent: float, minutes: float | None) -> int:
    """Updates that fit into the minutes, as soon as the speed can be told; 0 before that."""
    if minutes is None or (step < PROBE and spent < PROBE_SHARE * 60 * minutes):
        return 0
    return max(step + 1, round(step * 60 * minutes / spent))


def _check(params: TrainParams, minutes: float | None, starts: bool) -> None:
    if params.frozen and not starts:
        raise AtomsegError("only what a network has learnt can be kept: --frozen needs a model to start from (--start-from)")
    if params.steps == 0 and not minutes:
        raise AtomsegError("a run of 0 steps needs the minutes that it may take; give either of them")


def _check_adversary(recipe: Recipe, params: TrainParams, lesson: Lesson) -> None:
    if params.adversarial and lesson.task != RESTORATION:
        raise AtomsegError(f"{recipe.name}: only networks that restore learn from a discriminator; leave out --adversarial")


def _check_images(recipe: Recipe, network: Any, lesson: Lesson) -> None:
    wanted, given = (int(getattr(one, "images", 1)) for one in (lesson.network, network))
    if wanted != given:
        raise AtomsegError(
            f"{recipe.name} gives {wanted} images of a place together, and this {architecture_of(network)} takes {given}; leave "
            "out the architecture"
        )


def _begin(
    network: Any, params: TrainParams, device: str, start_from: dict[str, Tensor] | None, outputs: tuple[Output, ...]
) -> _Run:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        made = build_network(network, outputs)
    if start_from is not None:
        take_features(made, start_from)
    made = made.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for part in _encoder(made, params):
        part.requires_grad_(False)
    learning = [parameter for parameter in made.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=params.learning_rate, weight_decay=params.weight_decay)
    names: dict[Tensor, str] = {parameter: name for name, parameter in made.named_parameters()}
    return _Run(
        network=made,
        averaged=copy.deepcopy(made),
        optimiser=optimiser,
        names=names,
        step=0,
        total=params.steps,
        history=[],
        adversary=adversary.begin(params.seed, device) if params.adversarial else None,
    )


def _encoder(network: nn.Module, params: TrainParams) -> list[nn.Module]:
    """The parts that do not learn."""
    if not params.frozen:
        return []
    names = getattr(network, "encoder", ())
    if not names:
        raise AtomsegError("this kind of network has no way down that could be kept; leave out --frozen")
    return [network.get_submodule(name) for name in names]


def _go_on(run: _Run, state: checkpoint.State, settings: dict[str, Any]) -> None:
    """Take everything over from a checkpoint."""
    # Checkpoints of before there were several architectures do not name theirs.
    before = {"architecture": "unet", **state.settings}
    for part in ("recipe", "architecture", "network"):
        if before[part] != settings[part]:
            raise AtomsegError(
                f"the checkpoint is of another run ({part} {before[part]} instead of {settings[part]}); "
                "give the same settings, or another folder"
            )
    run.network.load_state_dict(dict(state.weights))
    run.averaged.load_state_dict(dict(state.averaged))
    checkpoint.restore_moments(run.optimiser, run.names, state.moments, state.step)
    if run.adversary is not None:
        adversary.restore_state(run.adversary, state.adversary, state.step)
    # More updates than were planned may be asked for; the learning rate rises again to where it then should be.
    run.step, run.total = state.step, max(int(state.settings.get("total", run.total)), settings["params"]["steps"])
    run.history = [dict(entry) for entry in state.history]


def _update(run: _Run, batch: Any, params: TrainParams, device: str, outputs: tuple[Output, ...]) -> float:
    """One step downhill; gives the loss."""
    rate = learning_rate(run.step, run.total, params)
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    run.network.train()
    for part in _encoder(run.network, params):
        part.eval()
    if run.total and run.step >= params.settled * run.total:
        settle(run.network)
    image = batch.image.to(device, memory_format=torch.channels_last)
    with half_where_fast(device):
        found = run.network(image)
    found, targets = found.float(), batch.targets.to(device)
    loss = LOSSES[params.loss](found, targets, batch.asked.to(device), outputs)
    if run.adversary is not None:
        loss = loss + params.adversarial * adversary.verdict_loss(run.adversary, image[:, :1], found, targets)
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    length = nn.utils.clip_grad_norm_(run.network.parameters(), STEEPEST)
    if not bool(torch.isfinite(length)):
        raise AtomsegError(f"the loss is no longer a number at step {run.step}; go on with a lower learning rate (--resume)")
    run.optimiser.step()
    if run.adversary is not None:
        adversary.teach(run.adversary, image[:, :1], found, targets, rate)
    _average(run, params)
    return float(loss.detach())


def settle(network: nn.Module) -> None:
    """Let batch normalisation keep its statistics until the network is next put into training mode."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


def _average(run: _Run, params: TrainParams) -> None:
    """Running average of the weights, short in the beginning, when they still change much."""
    keep = min(params.averaging, (1 + run.step) / (10 + run.step))
    learnt = {name for name, _ in run.network.named_parameters()}
    with torch.no_grad():
        mine = run.network.state_dict()
        for name, kept in run.averaged.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(mine[name], 1 - (keep if name in learnt else min(keep, STATISTICS)))
            else:
                kept.copy_(mine[name])


def _look(
    run: _Run, lesson: Lesson, shown: Any, params: TrainParams, device: str, losses: list[float], seconds: float, folder: Path
) -> None:
    """Judge the averaged weights, and write down what they reach after so many seconds since the run was begun or resumed."""
    run.history.append(
        {
            "step": run.step,
            "seconds": seconds,
            "learning_rate": learning_rate(run.step, run.total, params),
            "training_loss": sum(losses) / len(losses) if losses else math.nan,
            **lesson.validate(run.averaged, shown, params.native_sampling, device),
        }
    )
    report(run.history, folder)


def _state(run: _Run, settings: dict[str, Any]) -> checkpoint.State:
    return checkpoint.State(
        step=run.step,
        weights=run.network.state_dict(),
        averaged=run.averaged.state_dict(),
        moments=checkpoint.moments_of(run.optimiser, run.names),
        settings={**settings, "total": run.total},
        history=list(run.history),
        adversary=adversary.state_of(run.adversary),
    )


def _words(last: Mapping[str, float]) -> str:
    if not last:
        return "training"
    if "psnr" in last:
        return f"loss {last['loss']:.3f}, {last['psnr']:.2f} dB, {last['psnr gain']:+.2f} dB"
    found = f"F1 {last['f1']:.3f}" if "f1" in last else f"recall {last['recall']:.3f}, precision {last['precision']:.3f}"
    return f"loss {last['loss']:.3f}, {found}, {last['rms_pm']:.0f} pm"
