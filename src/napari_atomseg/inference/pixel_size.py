"""Which pixel size a network is told, where an image has none: what its columns' width says, and what the network makes of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.errors import AtomsegError, MissingCalibrationError
from napari_atomseg.core.jobs import Progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.localise.detection.find import polarity_sign
from napari_atomseg.localise.detection.scale import centre_crop, estimate_scale

if TYPE_CHECKING:
    from napari_atomseg.networks.zoo import Model

SAMPLE_SIDE = 1024
"""Part of the image that tells the width and polarity of its columns, in pixels."""
ASKED_SIDE = 640
"""Part of it that a network is asked about at several pixel sizes."""
USUAL_WIDTH = 0.48
"""Standard deviation of a column's image by which the pixel size is estimated where a file has none, Angstrom."""
STEP = 1.25
"""Factor between the pixel sizes that are tried; columns seldom differ more from the usual width."""
WORTH = 1.03
"""So many times as many columns, certain ones, have to be seen for another size than the first."""


@dataclass(frozen=True, kw_only=True)
class PixelSizeEstimate:
    """What a network is told.

    Attributes
    ----------
    size : tuple of float, Angstrom, (y, x)
    source : str
    """

    size: tuple[float, float]
    source: str


ESTIMATED = "estimated"
"""How the source of a size begins that nobody gave."""


def estimated_size(provenance: Mapping[str, Any]) -> PixelSizeEstimate | None:
    """The size that a network was told of columns with this provenance, if it had to be estimated."""
    network = provenance.get("network", {})
    if not str(network.get("pixel_size_source", "")).startswith(ESTIMATED):
        return None
    y, x = network["pixel_size_angstrom"]
    return PixelSizeEstimate(size=(y, x), source=network["pixel_size_source"])


def known_pixel_size(micrograph: Micrograph, params: NetworkParams) -> tuple[float, float] | None:
    """Pixel size (y, x) in Angstrom that a network is told; None if it has to be estimated from the columns' width.

    Parameters
    ----------
    micrograph : Micrograph
    params : NetworkParams
        Whose pixel size stands above the image's.
    """
    if params.pixel_size is not None:
        return params.pixel_size, params.pixel_size
    return micrograph.pixel_size


def resolve_pixel_size(
    micrograph: Micrograph, index: int, model: Model, params: NetworkParams
) -> Generator[Progress, None, PixelSizeEstimate]:
    """Pixel size that a network is told of an image, and where it comes from.

    Where it is known from nowhere, the width of the columns gives a first estimate, since probes are much the same, and the
    network is asked about the middle of the image at that and at neighbouring sizes: the one at which it is sure of most.

    Parameters
    ----------
    micrograph : Micrograph
    index : int
        Of the frame that is looked at where the size is unknown.
    model : Model
    params : NetworkParams

    Returns
    -------
    estimate : PixelSizeEstimate

    Raises
    ------
    MissingCalibrationError
        If nothing in the image tells it.
    """
    from napari_atomseg.networks.card import COLUMNS

    if params.pixel_size is not None:
        return PixelSizeEstimate(size=(params.pixel_size, params.pixel_size), source="set by hand")
    if micrograph.pixel_size is not None:
        return PixelSizeEstimate(size=micrograph.pixel_size, source=micrograph.pixel_size_source or "the file")
    plane = micrograph.lazy_frame(index)
    scale = estimate_scale(np.asarray(centre_crop(plane, SAMPLE_SIDE), np.float32))
    if scale is None:
        raise MissingCalibrationError(
            f"{micrograph.name}: the pixel size is unknown and nothing in the image tells it; set it by hand"
        )
    if model.card.task != COLUMNS:
        raise MissingCalibrationError(
            f"{micrograph.name}: the network {model.card.name} has to know the pixel size; set it by hand"
        )
    yield Progress(0, 0, "estimating the pixel size")
    size = yield from _surest(centre_crop(plane, ASKED_SIDE), float(USUAL_WIDTH / scale.sigma_px), model, params)
    return PixelSizeEstimate(size=(size, size), source=f"{ESTIMATED} from columns that are {scale.sigma_px:.1f} px wide")


def _surest(plane: Any, first: float, model: Model, params: NetworkParams) -> Generator[Progress, None, float]:
    """The size, among the first and its neighbours, at which the network is sure of most columns."""
    sure = {}
    for size in (first, first / STEP, first * STEP):
        sure[size] = yield from _sure_columns(plane, size, model, params)
    best = max(sure, key=lambda size: sure[size])
    return best if sure[best] > WORTH * sure[first] else first


def _sure_columns(plane: Any, size: float, model: Model, params: NetworkParams) -> Generator[Progress, None, float]:
    """Columns that the map shows more likely than not, each as far as it is surer than that.

    It is the map's word: it falls where columns are not as wide as those that the network has learnt, while a judge of
    candidates, who compares them with each other, finds more of them the finer the texture is.
    """
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.predict import predict
    from napari_atomseg.localise.detection.map_columns import map_columns

    sign = polarity_sign(params.polarity, plane, USUAL_WIDTH / size)
    try:
        found = yield from predict(model, plane, (size, size), ("columns",), sign=sign, device=device_of(params))
    except AtomsegError:
        # Out of the model's range, or too few pixels are left.
        return 0.0
    confidence = map_columns(found.maps["columns"], model.card.column_width / model.card.native_sampling).confidence
    return float(np.maximum(2 * confidence - 1, 0).sum())
