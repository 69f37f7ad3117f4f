"""Finding structures: atoms and columns in TEM images, by networks that recognise them whatever their contrast."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import ToldSize
from napari_atomseg.localise.detection.find import searched_part
from napari_atomseg.workflows.choice import TEM
from napari_atomseg.workflows.models import map_names
from napari_atomseg.workflows.networks import box_of, device_of, in_region, opened, predicted

if TYPE_CHECKING:
    from napari_atomseg.networks.card import ModelCard


def find_structures(
    micrograph: Micrograph,
    index: int,
    model: str,
    params: NetworkParams,
    told: ToldSize,
    region: np.ndarray | None,
    *,
    series: bool = False,
) -> Generator[Progress, None, tuple[Columns, dict[str, Any]]]:
    """Structures of one frame, or of all as a focal series, and what the network was told."""
    from napari_atomseg.inference.detection.structures import as_columns, recognised

    plane = micrograph.data[index] if len(micrograph.shape) == 3 else micrograph.data
    region, left_out = searched_part(plane, region)
    box = box_of(region)
    ready = opened(model, device_of(params))
    prediction, says = yield from predicted(micrograph, index, model, map_names(model), params, told, box, series=series)
    yield Progress(0, 0, "reading the class maps")
    found = recognised(prediction, ready.card, params)
    columns = as_columns(found, prediction, ready.card)
    if box is not None and region is not None:
        columns = in_region(columns, box, region)
    doubt = doubt_of(micrograph, ready.card)
    if doubt:
        says["doubt"] = doubt
    return (replace(columns, provenance={"left_out": left_out}) if left_out else columns), says


def doubt_of(micrograph: Micrograph, card: ModelCard) -> str:
    """Why an image is none that a network of structures knows, in words for people; empty if it may be one."""
    if not micrograph.modality or micrograph.modality in TEM:
        return ""
    return (
        f"this is a {micrograph.modality.upper()} image, and the network {card.name} knows {card.modality} images only; what it "
        "finds here means nothing"
    )
