"""Finding structures: atoms and columns in TEM images, by networks that recognise them whatever their contrast."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.micrograph import TEM
from napari_atomseg.inference.detection.structures import as_columns, recognised
from napari_atomseg.inference.device import device_of
from napari_atomseg.inference.focal_series import arranged, require_series
from napari_atomseg.inference.frame_maps import frame_maps
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import PixelSizeEstimate
from napari_atomseg.inference.region import in_region, part_of, searched_box
from napari_atomseg.networks.card import ModelCard
from napari_atomseg.networks.zoo import Model


def find_structures(
    plane: Any,
    model: Model,
    params: NetworkParams,
    estimate: PixelSizeEstimate,
    region: np.ndarray | None = None,
    modality: str = "",
) -> Generator[Progress, None, tuple[Columns, dict[str, Any]]]:
    """Structures of one frame, or of a focal series, by a network that recognises them, and what the network was told.

    Parameters
    ----------
    plane : array, shape (Y, X), or (T, Y, X) for a focal series
    model : Model
        For structures.
    params : NetworkParams
    estimate : PixelSizeEstimate
    region : ndarray of bool, shape (Y, X), optional
        Only structures where it is True.
    modality : str
        Of the image, as readers name it; empty if it is unknown.

    Returns
    -------
    columns : Columns
        In pixels of the frame, with ``class`` and ``class_probability``.
    says : dict
        See :func:`~napari_atomseg.inference.frame_maps.frame_maps`; ``doubt`` where the image is of another kind.
    """
    region, box, left_out = searched_box(plane if plane.ndim == 2 else plane[0], region, model.card, estimate.size)
    names = tuple(output.name for output in model.card.outputs)
    given = part_of(plane, box)
    about: dict[str, Any] = {}
    series = plane.ndim == 3
    if series and model.card.counts:
        require_series(int(plane.shape[0]), model.card)
        given, about = yield from arranged(given, model, params, estimate.size, device_of(params))
    elif params.foci:
        raise AtomsegError("foci belong to the images of a focal series; give --series too, or leave them out")
    if model.card.counts and not params.averaged:
        # The images are small, and of a hundred columns one more is counted rightly.
        params, about = replace(params, averaged=True), about | {"averaged": True}
    prediction, says = yield from frame_maps(given, model, names, params, estimate)
    says |= about
    yield Progress(0, 0, "reading the class maps")
    found = recognised(prediction, model.card, params)
    columns = as_columns(found, prediction, model.card, alone=not series)
    if box is not None and region is not None:
        columns = in_region(columns, box, region)
    doubt = doubt_of(modality, model.card)
    if doubt:
        says["doubt"] = doubt if "doubt" not in says else f"{doubt}; {says['doubt']}"
    return (replace(columns, provenance={"left_out": left_out}) if left_out else columns), says


def doubt_of(modality: str, card: ModelCard) -> str:
    """Why an image is none that a network of structures knows, in words for people; empty if it may be one.

    Parameters
    ----------
    modality : str
        Of the image, as readers name it; empty if unknown.
    card : ModelCard
    """
    if not modality or modality in TEM:
        return ""
    return (
        f"this is a {modality.upper()} image, and the network {card.name} knows {card.modality} images only; what it "
        "finds here means nothing"
    )
