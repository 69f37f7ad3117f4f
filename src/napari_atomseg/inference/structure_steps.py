"""What networks of structures go through, step by step, each as a map on the image's own pixels."""

from __future__ import annotations

import numpy as np

from napari_atomseg.core.tasks import NORMALISED, SEGMENTS
from napari_atomseg.inference.detection.structures import recognised
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.predict import Prediction
from napari_atomseg.networks.card import STRUCTURES, ModelCard


def maps_asked(tasks: tuple[str, ...], card: ModelCard) -> tuple[str, ...]:
    """Maps that the network has to give for these to be made of them.

    Parameters
    ----------
    tasks : tuple of str
        Names of maps, those of the steps among them.
    card : ModelCard
    """
    if card.task != STRUCTURES:
        return tasks
    outputs = tuple(output.name for output in card.outputs)
    known = {NORMALISED, SEGMENTS, *outputs}
    return tuple(dict.fromkeys((*(task for task in tasks if task not in known), *outputs)))


def step_on_image(task: str, prediction: Prediction, card: ModelCard, params: NetworkParams) -> np.ndarray:
    """A map, or a step of the recognition, float32, shape (Y, X).

    Parameters
    ----------
    task : str
        Of the network's outputs; of networks of structures also ``normalised``, the image as it is given to the network (Eq. 2-3
        of Madsen et al., 2018), and ``segments``, the basins of the background's minima (section 2.5), numbered from 1, those
        that are rejected afterwards among them.
    prediction : Prediction
        With all maps of the network, where segments are asked for.
    card : ModelCard
    params : NetworkParams
        Whose `epsilon` is where segments end.
    """
    if card.task == STRUCTURES and task == NORMALISED and prediction.image is not None:
        return prediction.laid_on_image(prediction.image)
    if card.task == STRUCTURES and task == SEGMENTS:
        return prediction.grid.numbers_on_image(recognised(prediction, card, params).segments).astype(np.float32)
    return prediction.on_image(task)
