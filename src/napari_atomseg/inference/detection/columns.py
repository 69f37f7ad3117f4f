"""Columns from a network's maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from napari_atomseg.core.columns import MAP_CONFIDENCE, NETWORK_POSITION, NETWORK_STD, SCAN_SHIFT, Columns
from napari_atomseg.inference.detection.candidate_features import evidence, value_at
from napari_atomseg.inference.detection.candidates import NetworkCandidates, find_candidates
from napari_atomseg.inference.predict import Prediction
from napari_atomseg.localise.detection.map_columns import map_columns, otsu_columns
from napari_atomseg.localise.detection.scale import estimate_scale
from napari_atomseg.networks.card import ModelCard

if TYPE_CHECKING:
    from napari_atomseg.networks.candidate_classifier import CandidateClassifier
    from napari_atomseg.networks.zoo import Model

NEEDED = ("columns", "mask", "denoise", "background")
"""Maps that columns are read from."""
WIDTH_ON_MAP = 0.45
"""Standard deviation of a column on the map freed of noise and background where the map does not tell, Angstrom. That of columns
on recorded images is :data:`napari_atomseg.inference.pixel_size.USUAL_WIDTH`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkColumns:
    """Columns that a network shows, sure or not.

    Attributes
    ----------
    positions : ndarray, shape (N, 2), native px, (y, x)
    confidence : ndarray, shape (N,)
        Probability that a column stands there, by the judge if the model has one, else what the map says.
    map_confidence : ndarray, shape (N,)
        What the map says by itself.
    spread : ndarray, shape (N,), native px
        How far the map lets a column be off along one axis.
    """

    positions: np.ndarray
    confidence: np.ndarray
    map_confidence: np.ndarray
    spread: np.ndarray


def network_columns(prediction: Prediction, model: Model, segmentation: str = "ours") -> NetworkColumns:
    """Everything that may be a column; by Otsu's segmentation all areas above the threshold are, without doubt.

    Parameters
    ----------
    prediction : Prediction
        With the map ``columns``, and for a judge the image that the network was given.
    model : Model
        Its card tells width of columns and pixel size, its classifier judges candidates if it has one.
    segmentation : {"ours", "otsu"}
        Peaks of the map, or areas above Otsu's threshold.

    Returns
    -------
    NetworkColumns
    """
    card = model.card
    if segmentation == "otsu":
        areas = otsu_columns(prediction.maps["columns"], card.column_width / card.native_sampling)
        sure = np.ones(len(areas.positions))
        return NetworkColumns(positions=areas.positions, confidence=sure, map_confidence=areas.confidence, spread=areas.spread)
    if model.classifier is None or prediction.image is None:
        by_map = map_columns(prediction.maps["columns"], card.column_width / card.native_sampling)
        positions, sure, spread = by_map.positions, by_map.confidence, by_map.spread
        confidence = sure
    else:
        found = find_candidates(prediction.maps["columns"], prediction.image, card.column_width, card.native_sampling)
        positions, sure, spread = found.positions, found.confidence, found.spread
        confidence = _judged(found, prediction, model.classifier, card.native_sampling)
    return NetworkColumns(positions=positions, confidence=confidence, map_confidence=sure, spread=spread)


def _judged(found: NetworkCandidates, prediction: Prediction, judge: CandidateClassifier, sampling: float) -> np.ndarray:
    if not len(found) or prediction.image is None:
        return np.zeros(0)
    maps = {task: prediction.normal(task) for task in NEEDED}
    features = evidence(found, maps, prediction.image, sampling)
    with torch.inference_mode():
        return np.asarray(judge(torch.from_numpy(features)).numpy(), float)


def as_columns(shown: NetworkColumns, prediction: Prediction, card: ModelCard, least_confidence: float) -> Columns:
    """Those that are sure enough, in pixels of the image.

    ``map_confidence`` is what the map said before candidates were judged. ``network_y_px`` and ``network_x_px`` keep the
    network's positions when the columns are fitted on the image afterwards, ``network_std_px`` says how far the map lets a
    column be off along one axis. Where the maps were freed of displaced rows the positions are too, and ``scan_shift_y_px``,
    ``scan_shift_x_px`` added to them give places in the image as it was scanned.

    Parameters
    ----------
    shown : NetworkColumns
    prediction : Prediction
        Tells where the pixels of the network lie in the image, and the intensities.
    card : ModelCard
        Tells the usual width of columns.
    least_confidence : float
        From 0 to 1; columns with less are left out.

    Returns
    -------
    Columns
    """
    sure = shown.confidence >= least_confidence
    native = shown.positions[sure]
    positions = prediction.grid.to_image(native)
    ratio = float(np.sqrt(float(prediction.grid.ratio[0] * prediction.grid.ratio[1])))
    strayed = _strayed(prediction, native)
    intensity = value_at(prediction.maps["background"], native)
    width = _width(prediction, card) * ratio
    features = pd.DataFrame(
        {
            "intensity": intensity,
            "background": value_at(prediction.maps["denoise"], native) - intensity,
            "sigma_px": np.full(len(native), width),
            "sigma_minor_px": np.full(len(native), width),
            "confidence": shown.confidence[sure],
            MAP_CONFIDENCE: shown.map_confidence[sure],
            "origin": "model",
            **dict(zip(NETWORK_POSITION, positions.T, strict=True)),
            NETWORK_STD: shown.spread[sure] * ratio,
            **dict(zip(SCAN_SHIFT, strayed.T, strict=True)),
        }
    )
    return Columns(positions=positions, features=features)


def native_columns(prediction: Prediction, card: ModelCard) -> Columns:
    """Columns of which the map is sure rather than not, in native px, with what a lattice is told of them.

    Parameters
    ----------
    prediction : Prediction
        With the maps ``columns`` and ``background``.
    card : ModelCard
        Tells the width of columns and the pixel size of the network.

    Returns
    -------
    Columns
        Those with a confidence of 0.5 or more.
    """
    shown = map_columns(prediction.maps["columns"], card.column_width / card.native_sampling)
    native = shown.positions[shown.confidence >= 0.5]
    width = np.full(len(native), _width(prediction, card))
    features = pd.DataFrame({"intensity": value_at(prediction.maps["background"], native), "sigma_px": width, "origin": "model"})
    return Columns(positions=native, features=features)


def _strayed(prediction: Prediction, native: np.ndarray) -> np.ndarray:
    """Displacement (N, 2) in image px of the rows at native positions; not a number where none were undone."""
    if prediction.shifts is None:
        return np.full((len(native), 2), np.nan)
    rows = np.arange(len(prediction.shifts))
    ratio = [float(one) for one in prediction.grid.ratio]
    return np.stack([ratio[axis] * np.interp(native[:, 0], rows, prediction.shifts[:, axis]) for axis in (0, 1)], axis=1)


def _width(prediction: Prediction, card: ModelCard) -> float:
    """Standard deviation of a column's image, native px, as the image freed of noise and background shows it."""
    scale = estimate_scale(np.abs(prediction.maps["background"]))
    usual = WIDTH_ON_MAP / card.native_sampling
    return float(np.clip(scale.sigma_px, 0.5 * usual, 3 * usual)) if scale else usual
