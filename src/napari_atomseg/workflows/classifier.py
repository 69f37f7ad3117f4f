"""Teaching the judge of a network's candidates: the last step of making a network, or of making one better."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.synthesis.recipe import Recipe
    from napari_atomseg.training.classifier.params import ClassifierTrainParams

RECIPES = ("columns_stem", "columns_stem", "columns_stem", "single_atoms_stem")
"""Images of many kinds, which take turns: a judge that has seen one crystal only expects it everywhere."""


@job
def train_classifier(
    model: str,
    *,
    recipes: Sequence[str | Path | Recipe] = RECIPES,
    name: str | None = None,
    params: ClassifierTrainParams | None = None,
    minutes: float | None = None,
    workers: int = 1,
) -> Generator[Progress, None, ModelCard]:
    """Teach a judge which of a network's candidates are columns, and put the network with it into the list.

    Parameters
    ----------
    model : str
        Name or folder; it stays as it is.
    recipes : sequence of str, Path or Recipe
    name : str, optional
        Of the new model; by default the old one's with a number.
    params : ClassifierTrainParams, optional
    minutes : float, optional
        Draw no more images after so many.
    workers : int
        Processes that draw images.

    Returns
    -------
    ModelCard
        Of the new model, which is in the user's folder.

    Raises
    ------
    AtomsegError
        If there is no such model or recipe, or too little time.
    """
    from napari_atomseg.networks.candidate_classifier import joined
    from napari_atomseg.networks.card import COLUMNS
    from napari_atomseg.networks.zoo import free_name, list_models, load_model, save_model, user_folder
    from napari_atomseg.synthesis.recipe import Recipe, read_recipe
    from napari_atomseg.training.classifier.fit import fit_classifier
    from napari_atomseg.training.classifier.params import ClassifierTrainParams

    given = [recipe if isinstance(recipe, Recipe) else read_recipe(recipe) for recipe in recipes]
    ready = load_model(model)
    if ready.card.task != COLUMNS:
        raise AtomsegError(f"{model} recognises structures, whose maps need no classifier; choose a network for columns")
    taught = yield from fit_classifier(given, ready, params or ClassifierTrainParams(), minutes=minutes, workers=workers)
    scores = {f"judge {key}": round(value, 4) for key, value in taught.scores.items()}
    card = replace(
        ready.card,
        name=free_name(name or ready.card.name, list(list_models())),
        judge=taught.card,
        scores={**ready.card.scores, **scores},
    )
    return save_model(card, joined(ready.network.state_dict(), taught.weights), user_folder())
