"""What a network is to be taught, the job that teaches it, and what came of it in words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_atomseg import workflows
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.workflows import BEFORE, FccMetal

if TYPE_CHECKING:
    from napari_atomseg.synthesis.recipe import Recipe

SHORT_NAME = 60
LONGEST_NAME = 20


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """Everything that a training run is told; nothing of the window is asked once it runs.

    Attributes
    ----------
    structure : Path or None
        File of the crystal, which is seen along `zone`.
    zone : tuple of int
    columns : Columns or None
        Found ones, in place of a structure.
    metal : FccMetal or None
        Of particles whose atoms are counted, in place of a crystal.
    recipe : str or None
        A recipe's file or name, in place of all these.
    minutes : float
    start_from : str or None
        Model whose weights are the first ones.
    name : str or None
        Of the new model; None for the recipe's.
    device : str
    """

    structure: Path | None = None
    zone: tuple[int, int, int] = (0, 0, 1)
    columns: Columns | None = None
    metal: FccMetal | None = None
    recipe: str | None = None
    minutes: float
    start_from: str | None
    name: str | None
    device: str


def learn(lesson: Lesson) -> Generator[Progress, None, Any]:
    """The job: the recipe, then the training."""
    yield Progress(0, 0, "reading the recipe" if lesson.recipe else "reading the crystal")
    steps = workflows.fine_tune.steps(
        _recipe(lesson), minutes=lesson.minutes, start_from=lesson.start_from, name=lesson.name, device=lesson.device
    )
    return (yield from steps)


def _recipe(lesson: Lesson) -> Recipe:
    if lesson.recipe is not None:
        return workflows.read_recipe(lesson.recipe)
    if lesson.metal is not None:
        return workflows.recipe_for_metal(lesson.metal)
    return workflows.recipe_for_crystal(lesson.structure, lesson.zone, lesson.columns)


def folder_name(text: str) -> str | None:
    """A name that any file system takes; None if nothing is left."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text.strip())[:SHORT_NAME].strip("-.")
    return kept or None


def compared(card: Any, start: str) -> str:
    """What a new model reaches, beside what the one it started from reaches on the same scenes, and the question which to use."""
    after, before = (score_in_words(_of_kind(card.scores, kind)) for kind in ("validation", BEFORE))
    reached = f"{card.name}: {after}" if after else f"{card.name} was not tested: the time was too short"
    beside = f"; {start} on the same images: {before}" if start and before else ""
    return f"{reached}{beside}. Use the new model?"


def judged(scores: Mapping[str, float]) -> str:
    """What the last look at images that it never learnt from gave, in words; empty before the first."""
    found = score_in_words(scores)
    return f" On images it never saw: {found}." if found else ""


def score_in_words(scores: Mapping[str, float]) -> str:
    """F1, or recall and precision; distance, or share counted exactly; gain of restoration. Empty if none is there."""
    words = [f"F1 {scores['f1']:.2f}"] if "f1" in scores else []
    if not words:
        words = [f"{name} {scores[name]:.2f}" for name in ("recall", "precision") if name in scores]
    if "exact" in scores:
        words.append(f"{100 * scores['exact']:.0f} % counted exactly")
    elif "rms_pm" in scores:
        words.append(f"{scores['rms_pm']:.0f} pm")
    if "psnr gain" in scores:
        words.append(f"{scores['psnr gain']:+.2f} dB")
    return ", ".join(words)


def _of_kind(scores: Mapping[str, float], kind: str) -> dict[str, float]:
    return {name.removeprefix(f"{kind} "): value for name, value in scores.items() if name.startswith(f"{kind} ")}


def short(name: str) -> str:
    """A name that fits on a button."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def span(seconds: float) -> str:
    """A time to wait."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
