"""Maps of one frame by a network, made as good as the whole image allows, and what the network was told."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.inference.detection.columns import NEEDED, native_columns
from napari_atomseg.inference.device import device_of
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import ESTIMATED, SAMPLE_SIDE, USUAL_WIDTH, PixelSizeEstimate
from napari_atomseg.inference.postprocess.nonlocal_filter import average_similar_background, correct_by_residual
from napari_atomseg.inference.postprocess.scan_rows import row_shifts, straightened
from napari_atomseg.inference.predict import Prediction, predict
from napari_atomseg.localise.detection.find import polarity_sign
from napari_atomseg.localise.detection.scale import centre_crop
from napari_atomseg.networks.card import STRUCTURES, ModelError
from napari_atomseg.networks.zoo import Model

AS_SCANNED = "as scanned"
"""What is said of rows that were left where they are."""


def frame_maps(
    plane: Any,
    model: Model,
    tasks: tuple[str, ...],
    params: NetworkParams,
    estimate: PixelSizeEstimate,
    *,
    held: bool = False,
    averaged: bool = False,
) -> Generator[Progress, None, tuple[Prediction, dict[str, Any]]]:
    """Maps of one frame, and what the network was told of it.

    Parameters
    ----------
    plane : array, shape (Y, X), or (T, Y, X) for images of one place that the network looks at together
        Numpy, or lazy dask.
    model : Model
    tasks : tuple of str
        Names of the maps.
    params : NetworkParams
    estimate : PixelSizeEstimate
        What a pixel is taken for.
    held : bool
        The denoised image keeps to the raw one, if the parameters allow.
    averaged : bool
        The image without background is averaged over like places, if the parameters allow.

    Returns
    -------
    prediction : Prediction
    says : dict
        Pixel size (Angstrom) and where it is from, polarity, and what was done to rows.

    Raises
    ------
    ModelError
        If the model does not know such images.
    """
    if model.card.task == STRUCTURES:
        found = yield from predict(model, plane, estimate.size, tasks, averaged=params.averaged, device=device_of(params))
        return found, _size_said(estimate)
    width = USUAL_WIDTH / float(np.mean(estimate.size))
    sign = polarity_sign(params.polarity, centre_crop(plane, SAMPLE_SIDE), width)
    needed = NEEDED if params.straighten else ("columns",) if params.alike and averaged else ()
    wanted = tuple(dict.fromkeys((*tasks, *needed)))
    found = yield from _predicted(plane, model, wanted, params, estimate, sign)
    says = _size_said(estimate) | {"polarity": "bright" if sign > 0 else "dark"}
    if params.straighten:
        yield Progress(0, 0, "comparing rows")
        shifts = row_shifts(native_columns(found, model.card), found.grid.native_shape[0])
        says["rows"] = _rows_said(shifts, model.card.native_sampling)
    else:
        shifts = None
    if params.alike and held:
        found = yield from correct_by_residual(found)
    if shifts is not None:
        found = straightened(found, shifts)
    if params.alike and averaged:
        found = yield from average_similar_background(found, model.card)
    return found, says


def _predicted(
    plane: Any, model: Model, tasks: tuple[str, ...], params: NetworkParams, estimate: PixelSizeEstimate, sign: float
) -> Steps[Prediction]:
    """The network's maps; where it knows no such pixels and their size is an estimate, the error says so."""
    try:
        return (
            yield from predict(model, plane, estimate.size, tasks, sign=sign, averaged=params.averaged, device=device_of(params))
        )
    except ModelError as error:
        if not estimate.source.startswith(ESTIMATED):
            raise
        raise ModelError(f"{error} (the image gives no pixel size; this one was {estimate.source})") from error


def _size_said(estimate: PixelSizeEstimate) -> dict[str, Any]:
    return {"pixel_size_angstrom": list(estimate.size), "pixel_size_source": estimate.source}


def _rows_said(shifts: np.ndarray | None, native_sampling: float) -> str:
    if shifts is None:
        return AS_SCANNED
    rms = 100 * native_sampling * np.sqrt(np.mean(shifts**2, axis=0))
    return f"straightened by {rms[0]:.0f} pm along y and {rms[1]:.0f} pm along x"
