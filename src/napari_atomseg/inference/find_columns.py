"""Atomic columns of one frame by a network."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.inference.detection.columns import NEEDED, as_columns, network_columns
from napari_atomseg.inference.frame_maps import frame_maps
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import PixelSizeEstimate
from napari_atomseg.inference.postprocess.nonlocal_filter import average_similar_positions
from napari_atomseg.inference.region import in_region, part_of, searched_box
from napari_atomseg.networks.zoo import Model


def find_by_network(
    plane: Any, model: Model, params: NetworkParams, estimate: PixelSizeEstimate, region: np.ndarray | None = None
) -> Generator[Progress, None, tuple[Columns, dict[str, Any]]]:
    """Columns of one frame by a network, not yet fitted, and what the network was told.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Numpy, or lazy dask.
    model : Model
        For columns; see :func:`~napari_atomseg.inference.find_structures.find_structures` for the others.
    params : NetworkParams
    estimate : PixelSizeEstimate
    region : ndarray of bool, shape (Y, X), optional
        Only columns where it is True.

    Returns
    -------
    columns : Columns
        In pixels of the frame.
    says : dict
        See :func:`~napari_atomseg.inference.frame_maps.frame_maps`.
    """
    region, box, left_out = searched_box(plane, region, model.card, estimate.size)
    prediction, says = yield from frame_maps(part_of(plane, box), model, NEEDED, params, estimate)
    yield Progress(0, 0, "weighing candidates")
    shown = network_columns(prediction, model, params.segmentation)
    if params.alike and params.segmentation == "ours":
        shown = yield from average_similar_positions(shown, prediction, model.card)
    columns = as_columns(shown, prediction, model.card, params.least_confidence)
    if says["polarity"] == "dark":
        columns = columns.with_features(intensity=-columns.features["intensity"].to_numpy())
    if box is not None and region is not None:
        columns = in_region(columns, box, region)
    return replace(columns, provenance={"left_out": left_out}) if left_out else columns, says
