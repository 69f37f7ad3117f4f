"""What a recipe teaches: which maps, from which examples, judged by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import nn

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.networks.architectures.cgrdn import CgrdnParams
from napari_atomseg.networks.architectures.fusionnet import FusionNetParams
from napari_atomseg.networks.architectures.unet import UnetParams
from napari_atomseg.networks.card import BEAM, COLUMNS, LOCAL, NORMALISATION, RESTORATION, STRUCTURES, WHOLE
from napari_atomseg.networks.outputs import Output
from napari_atomseg.synthesis.labels import GAUSSIAN_WIDTH
from napari_atomseg.synthesis.recipe import Recipe
from napari_atomseg.training.count_validation import validate_counts
from napari_atomseg.training.examples import Examples, draw_examples
from napari_atomseg.training.params import TrainParams
from napari_atomseg.training.particle_examples import COLUMN_LABEL_WIDTH, compute_ahead, draw_particle_examples
from napari_atomseg.training.restoration_examples import draw_restoration_examples, kinds_of
from napari_atomseg.training.restoration_validation import validate_restoration
from napari_atomseg.training.sheets import LABEL_WIDTH
from napari_atomseg.training.structure_examples import draw_structure_examples
from napari_atomseg.training.structure_validation import validate_structures
from napari_atomseg.training.taught import Taught, taught_by
from napari_atomseg.training.validation import validate

SEED = 2**30
"""Of the validation scenes; runs have smaller ones."""
ALL = "all"
"""All maps together."""
BATCHES, BATCH = 6, 8


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What networks learn from a recipe.

    Attributes
    ----------
    task : str
        As a card names it.
    outputs : tuple of Output
    draw : callable
        Of recipe, seed, number, batch, patch and native sampling: a batch of examples.
    validate : callable
        Of network, examples, native sampling and device: numbers by name.
    network : dataclass
        Shape of a network that has not been told another.
    params : TrainParams
        Settings likewise.
    modality, normalisation : str
        As a card names them.
    label_width : float, Angstrom
    sampling_range : tuple of float, Angstrom
        Pixel sizes of images between which resampling to the native sampling keeps what is needed of them.
    compute_ahead : callable or None
        Of the same as `draw`: does what takes long of it in small steps, and keeps it.
    """

    task: str
    outputs: tuple[Output, ...]
    draw: Callable[[Recipe, int, int, int, int, float], Examples]
    validate: Callable[[nn.Module, Sequence[Any], float, str], dict[str, float]]
    network: Any
    params: TrainParams
    modality: str
    normalisation: str
    label_width: float
    sampling_range: tuple[float, float]
    compute_ahead: Callable[[Recipe, int, int, int, int, float], Iterator[None]] | None = None


def lesson_of(recipe: Recipe, task: str = ALL) -> Lesson:
    """What a recipe teaches; see :func:`~napari_atomseg.training.taught.taught_by`.

    Parameters
    ----------
    recipe : Recipe
    task : str
        Map that a network for columns learns alone; "all" for all of them.

    Raises
    ------
    AtomsegError
        If no network learns from such images, or not this map.
    """
    found = _whole_lesson(recipe)
    if task == ALL:
        return found
    names = [output.name for output in found.outputs]
    if found.task != COLUMNS or task not in names:
        raise AtomsegError(f"{recipe.name}: networks learn no map {task} from it; leave the task out")
    number = names.index(task)
    return replace(
        found,
        outputs=(replace(found.outputs[number], weight=1.0),),
        draw=OneMap(number),
        validate=partial(validate, outputs=(replace(found.outputs[number], weight=1.0),)),
    )


@dataclass(frozen=True)
class OneMap:
    """Examples of which a network learns one map.

    Attributes
    ----------
    number : int
        Of the map among all.
    """

    number: int

    def __call__(self, recipe: Recipe, seed: int, number: int, batch: int, patch: int, native: float) -> Examples:
        """A batch; see :func:`~napari_atomseg.training.examples.draw_examples`."""
        whole = draw_examples(recipe, seed, number, batch, patch, native)
        return replace(whole, targets=whole.targets[:, self.number : self.number + 1])


def _whole_lesson(recipe: Recipe) -> Lesson:
    """All maps of a recipe together."""
    taught = taught_by(recipe)
    if taught.task == RESTORATION:
        return _restoration(recipe, taught)
    if taught.task == COLUMNS:
        return _columns(taught)
    return _counted_particles(taught) if taught.counts else _structures(taught)


def _restoration(recipe: Recipe, taught: Taught) -> Lesson:
    """The undisturbed image, of each kind of image that the recipe draws."""
    return Lesson(
        task=RESTORATION,
        outputs=taught.outputs,
        draw=draw_restoration_examples,
        validate=validate_restoration,
        # An eleventh of the paper's: what two processor cores can train and use.
        network=CgrdnParams(
            features=32, growth=16, layers=6, blocks=3, groups=3, conditions=len(kinds_of(recipe)), periodic=True
        ),
        params=TrainParams(batch=8, patch=128, learning_rate=1.5e-3, warm_up=200, settled=0.85),
        modality=", ".join(kinds_of(recipe)),
        normalisation=WHOLE,
        label_width=0.0,
        sampling_range=(0.0, 1000.0),
    )


def _columns(taught: Taught) -> Lesson:
    """Columns in dark-field images."""
    return Lesson(
        task=COLUMNS,
        outputs=taught.outputs,
        draw=draw_examples,
        validate=validate,
        network=UnetParams(),
        params=TrainParams(),
        modality="ADF-STEM",
        normalisation=NORMALISATION,
        label_width=GAUSSIAN_WIDTH,
        sampling_range=(0.01, 0.3),
    )


def _counted_particles(taught: Taught) -> Lesson:
    """Columns of particles and their numbers of atoms, from one or more phase-contrast images."""
    return Lesson(
        task=STRUCTURES,
        outputs=taught.outputs,
        draw=draw_particle_examples,
        compute_ahead=compute_ahead,
        validate=validate_counts,
        network=FusionNetParams(images=taught.images, width=32, levels=2, stem=2),
        params=TrainParams(batch=4, patch=144, warm_up=200, averaging=0.998, settled=0.8),
        modality="HRTEM",
        normalisation=BEAM,
        label_width=COLUMN_LABEL_WIDTH,
        sampling_range=(0.01, 0.25),
    )


def _structures(taught: Taught) -> Lesson:
    """Atoms, vacancies and the like of sheets, from one phase-contrast image."""
    return Lesson(
        task=STRUCTURES,
        outputs=taught.outputs,
        draw=draw_structure_examples,
        validate=validate_structures,
        network=FusionNetParams(width=16, levels=2, stem=2),
        params=TrainParams(batch=4, patch=192, warm_up=200, averaging=0.998, settled=0.8),
        modality="HRTEM",
        normalisation=LOCAL,
        label_width=LABEL_WIDTH,
        sampling_range=(0.01, 0.25),
    )


def scenes(recipe: Recipe, patch: int, native: float, task: str = ALL) -> Iterator[Examples]:
    """The validation scenes of a recipe, drawn batch by batch as they are asked for.

    Parameters
    ----------
    recipe : Recipe
    patch : int, px
        Side of a scene.
    native : float, Angstrom
        Pixel size.
    task : str
        As for :func:`lesson_of`.
    """
    draw = lesson_of(recipe, task).draw
    return (draw(recipe, SEED, number, BATCH, patch, native) for number in range(BATCHES))
