"""Columns from a network's maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_atomseg.core.columns import Columns
from napari_atomseg.inference.predict import Prediction
from napari_atomseg.localise.map_columns import MapColumns, map_columns
from napari_atomseg.localise.scale import estimate_scale
from napari_atomseg.networks.card import ModelCard

NEEDED = ("columns", "denoise", "background")
"""Maps that columns are read from."""
USUAL_WIDTH = 0.45
"""Standard deviation of a column's image where the image itself does not tell, Angstrom."""


def shown_columns(prediction: Prediction, card: ModelCard) -> MapColumns:
    """Everything that the map of columns shows, sure or not; positions in native px."""
    return map_columns(prediction.maps["columns"], card.column_width / card.native_sampling)


def as_columns(shown: MapColumns, prediction: Prediction, card: ModelCard, least_confidence: float) -> Columns:
    """Those that are sure enough, in pixels of the image.

    ``network_y_px`` and ``network_x_px`` keep the network's positions when the columns are fitted on the image afterwards,
    ``network_std_px`` says how far the map lets a column be off along one axis. Where the maps were freed of displaced rows
    the positions are too, and ``scan_shift_y_px``, ``scan_shift_x_px`` added to them give places in the image as it was scanned.
    """
    sure = shown.confidence >= least_confidence
    native = shown.positions[sure]
    positions = prediction.grid.to_image(native)
    ratio = float(np.sqrt(float(prediction.grid.ratio[0] * prediction.grid.ratio[1])))
    strayed = _strayed(prediction, native)
    intensity = _at(prediction.maps["background"], native)
    width = _width(prediction, card) * ratio
    features = pd.DataFrame(
        {
            "intensity": intensity,
            "background": _at(prediction.maps["denoise"], native) - intensity,
            "sigma_px": np.full(len(native), width),
            "sigma_minor_px": np.full(len(native), width),
            "confidence": shown.confidence[sure],
            "origin": "model",
            "network_y_px": positions[:, 0],
            "network_x_px": positions[:, 1],
            "network_std_px": shown.spread[sure] * ratio,
            "scan_shift_y_px": strayed[:, 0],
            "scan_shift_x_px": strayed[:, 1],
        }
    )
    return Columns(positions=positions, features=features)


def native_columns(prediction: Prediction, card: ModelCard) -> Columns:
    """Columns that are more likely there than not, in native px, with what a lattice is told of them."""
    shown = shown_columns(prediction, card)
    native = shown.positions[shown.confidence >= 0.5]
    width = np.full(len(native), _width(prediction, card))
    features = pd.DataFrame({"intensity": _at(prediction.maps["background"], native), "sigma_px": width, "origin": "model"})
    return Columns(positions=native, features=features)


def _strayed(prediction: Prediction, native: np.ndarray) -> np.ndarray:
    """Displacement (N, 2) in image px of the rows at native positions; not a number where none were undone."""
    if prediction.shifts is None:
        return np.full((len(native), 2), np.nan)
    rows = np.arange(len(prediction.shifts))
    ratio = [float(one) for one in prediction.grid.ratio]
    return np.stack([ratio[axis] * np.interp(native[:, 0], rows, prediction.shifts[:, axis]) for axis in (0, 1)], axis=1)


def _at(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.map_coordinates(values, positions.T, order=1, mode="nearest"), float)


def _width(prediction: Prediction, card: ModelCard) -> float:
    """Standard deviation of a column's image, native px, as the image freed of noise and background shows it."""
    scale = estimate_scale(np.abs(prediction.maps["background"]))
    usual = USUAL_WIDTH / card.native_sampling
    return float(np.clip(scale.sigma_px, 0.5 * usual, 3 * usual)) if scale else usual
