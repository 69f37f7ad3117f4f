"""Structures that a network recognises in an image, as columns with classes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import (
    ATOM_COUNT,
    CLASS,
    CLASS_PROBABILITY,
    COUNT_PROBABILITY,
    MOST_ATOMS,
    NETWORK_POSITION,
    NETWORK_STD,
    Columns,
    probability_of_atoms,
    std_of,
)
from napari_atomseg.inference.count_probabilities import SERIES, SINGLE, honest_probabilities, noise_seen
from napari_atomseg.inference.detection.candidate_features import value_at
from napari_atomseg.inference.detection.interpretation import Structures, interpret
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.predict import Prediction
from napari_atomseg.inference.structure_confidence import rejection_at
from napari_atomseg.networks.card import ModelCard


def recognised(prediction: Prediction, card: ModelCard, params: NetworkParams) -> Structures:
    """Structures in the maps of a network, in native px.

    Where less confidence than usual is asked for, as by those who choose among all candidates, that decides in place of t.

    Parameters
    ----------
    prediction : Prediction
        With all maps of the network.
    card : ModelCard
    params : NetworkParams
        Whose `epsilon`, `rejection` and `least_confidence` are used.
    """
    maps = np.stack([prediction.maps[output.name] for output in card.outputs])
    fewer = params.least_confidence < NetworkParams().least_confidence
    rejection = min(params.rejection, rejection_at(params.least_confidence)) if fewer else params.rejection
    return interpret(maps, card.column_width / card.native_sampling, params.epsilon, rejection)


def counted(probabilities: np.ndarray, card: ModelCard, alone: bool, noise: float) -> dict[str, np.ndarray]:
    """Features of columns by the probabilities of their numbers of atoms: the likeliest, its probability, those of all, spread.

    Parameters
    ----------
    probabilities : ndarray, shape (N, K)
        Of 1, 2, ... K atoms, as the network gives them.
    card : ModelCard
        Whose calibration makes the probabilities honest.
    alone : bool
        Whether a single image was given.
    noise : float
        Of what the network was given.
    """
    honest = honest_probabilities(probabilities, card.calibration, SINGLE if alone else SERIES, noise)
    number = np.arange(1, honest.shape[1] + 1)
    mean = honest @ number
    likeliest = np.argmax(honest, axis=1)
    return {
        ATOM_COUNT: likeliest + 1,
        COUNT_PROBABILITY: honest[np.arange(len(honest)), likeliest],
        std_of(ATOM_COUNT): np.sqrt(np.maximum(honest @ number**2 - mean**2, 0.0)),
        **{probability_of_atoms(one): honest[:, one - 1] for one in number[:MOST_ATOMS]},
    }


def as_columns(found: Structures, prediction: Prediction, card: ModelCard, alone: bool = True) -> Columns:
    """The same in pixels of the image.

    ``class`` counts from 1, ``class_probability`` is that of the class if there is a structure at all, ``confidence`` that
    there is one. ``intensity`` is the locally normalised image at the structure: below zero where atoms are dark.
    ``network_std_px`` says how far the map lets a structure be off along one axis. Networks that count atoms give their number
    in place of a class (:func:`counted`).

    Parameters
    ----------
    found : Structures
        In native px.
    prediction : Prediction
    card : ModelCard
    alone : bool
        A single image was looked at, no series.
    """
    positions = prediction.grid.to_image(found.positions)
    ratio = float(np.sqrt(float(prediction.grid.ratio[0] * prediction.grid.ratio[1])))
    width = np.full(len(positions), card.column_width / card.native_sampling * ratio)
    given = prediction.image if prediction.image is not None else np.zeros(prediction.grid.native_shape)
    rows = np.arange(len(positions))
    classes = (
        counted(found.probabilities, card, alone, noise_seen(given))
        if card.counts
        else {CLASS: found.classes + 1, CLASS_PROBABILITY: found.probabilities[rows, found.classes]}
    )
    features = pd.DataFrame(
        {
            "intensity": value_at(given, found.positions),
            "background": np.zeros(len(positions)),
            "sigma_px": width,
            "sigma_minor_px": width,
            "confidence": found.confidence,
            "origin": "model",
            **classes,
            **dict(zip(NETWORK_POSITION, positions.T, strict=True)),
            NETWORK_STD: found.spread * ratio,
        }
    )
    return Columns(positions=positions, features=features)
