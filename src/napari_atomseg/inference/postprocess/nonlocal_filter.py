"""What places that look alike agree on: images, and where columns stand that the map alone can hardly place.

The denoised image is held to the raw one, which stays the judge of it. What has no raw image to be compared with, the image
without background after rows were put back, is averaged over like places: a belief of its own, that what looks the same is the
same, from which places are excepted that differ by more than chance. Columns that the map places well stay where it puts them.
See :mod:`.patch_groups`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import cKDTree

from napari_atomseg.core.jobs import Steps
from napari_atomseg.inference.detection.candidates import LEAST
from napari_atomseg.inference.detection.columns import NetworkColumns
from napari_atomseg.inference.postprocess.patch_groups import average, correct
from napari_atomseg.inference.predict import Prediction, in_counts, unit_of
from napari_atomseg.localise.detection.map_columns import map_columns
from napari_atomseg.networks.card import ModelCard

WELL_KNOWN = 0.08
"""Standard deviation, Angstrom, up to which the map's own word on a place is taken as it is: columns of one kind differ by more,
where something moves them."""
CLEAR, UNCLEAR = 0.02, 0.05
"""Where the map knows the places of most columns to within the first, Angstrom, the image without background stays as it was
drawn; from the second on it is averaged."""
NEAR = 0.4
"""How far a column may be moved, Angstrom."""
PROBABLE = 0.5


def correct_by_residual(prediction: Prediction) -> Steps[Prediction]:
    """With a denoised image that keeps to the raw one; for maps whose rows lie as they were scanned."""
    if prediction.image is None or "denoise" not in prediction.maps:
        return prediction
    given = torch.from_numpy(prediction.normal("denoise"))
    better = yield from correct(given, torch.from_numpy(prediction.image))
    return _with(prediction, "denoise", better.numpy())


def average_similar_background(prediction: Prediction, card: ModelCard) -> Steps[Prediction]:
    """With an image without background that is averaged over like places as far as the network is unsure.

    How unsure it is of the image its columns tell, by how well the map knows their places.

    Parameters
    ----------
    prediction : Prediction
        With the maps ``columns`` and ``background``.
    card : ModelCard
    """
    seen = map_columns(prediction.maps["columns"], card.column_width / card.native_sampling)
    probable = seen.confidence >= PROBABLE
    if not probable.any():
        return prediction
    doubt = float(np.median(seen.spread[probable])) * card.native_sampling
    share = min(1.0, (doubt - CLEAR) / (UNCLEAR - CLEAR))
    if share <= 0:
        return prediction
    given = torch.from_numpy(prediction.normal("background"))
    (mean,) = yield from average(given, given[None])
    return _with(prediction, "background", given.lerp(mean, share).numpy())


def average_similar_positions(shown: NetworkColumns, prediction: Prediction, card: ModelCard) -> Steps[NetworkColumns]:
    """Columns moved towards where like places agree that they stand, the less the better the map knows their places.

    Of a variance above that of :data:`WELL_KNOWN` the part above it is the weight of the others' word.

    Parameters
    ----------
    shown : NetworkColumns
        In native px.
    prediction : Prediction
        With the maps ``columns`` and ``background``.
    card : ModelCard
    """
    known, near = WELL_KNOWN / card.native_sampling, NEAR / card.native_sampling
    probable = shown.confidence >= PROBABLE
    if not probable.any() or np.median(shown.spread[probable]) <= known:
        return shown
    given = torch.from_numpy(prediction.normal("background"))
    (common,) = yield from average(given, torch.from_numpy(prediction.maps["columns"])[None])
    places = map_columns(common.numpy(), card.column_width / card.native_sampling, threshold=LEAST).positions
    if not len(places):
        return shown
    distance, nearest = cKDTree(places).query(shown.positions)
    # One summit for one column: of two that would go to the same the nearer goes.
    order = np.argsort(distance)
    _, first = np.unique(nearest[order], return_index=True)
    moved = order[first]
    moved = moved[distance[moved] < near]
    weight = np.maximum(1 - (known / np.maximum(shown.spread[moved], known)) ** 2, 0.0)[:, None]
    positions = shown.positions.copy()
    positions[moved] += weight * (places[nearest[moved]] - positions[moved])
    return replace(shown, positions=positions)


def _with(prediction: Prediction, task: str, values: np.ndarray) -> Prediction:
    shown = in_counts(unit_of(task, prediction.outputs), values, prediction.dark, prediction.contrast, prediction.sign)
    return replace(prediction, maps={**prediction.maps, task: shown})
