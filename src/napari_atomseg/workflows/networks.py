"""Networks: maps of an image, columns from them, training."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.quantities import format_pixel_size
from napari_atomseg.core.tasks import TASKS
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.inference.pixel_size import ESTIMATED, SAMPLE_SIDE, USUAL_WIDTH, ToldSize, told_size
from napari_atomseg.localise.detection.find import polarity_sign, searched_part
from napari_atomseg.localise.detection.scale import centre_crop
from napari_atomseg.workflows.models import map_names

if TYPE_CHECKING:
    from napari_atomseg.inference.predict import Prediction
    from napari_atomseg.networks.card import ModelCard
    from napari_atomseg.networks.zoo import Model

COMPARED = {
    "denoise": ", held to the raw image where that speaks up",
    "background": ", averaged over equivalent places where the network is unsure",
}
"""What comparing places that look alike has done to a map."""
IN_MEMORY = 2 * 2**30
"""Maps of a stack that take more bytes than this lie in a temporary file."""


def model_cards() -> dict[str, ModelCard]:
    """Cards of the models at hand by their names; those that cannot be read are left out."""
    from napari_atomseg.networks.card import ModelError, read_card
    from napari_atomseg.networks.zoo import list_models

    found = {}
    for name, folder in list_models().items():
        try:
            found[name] = read_card(folder)
        except ModelError:
            continue
    return found


def opened(name: str, device: str) -> Model:
    """A model by its name or folder, kept ready until its files change; see :func:`napari_atomseg.networks.zoo.load_model`."""
    from napari_atomseg.networks.zoo import list_models

    folder = list_models().get(name) or Path(name)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    state = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _opened(str(folder) if files else name, device, state)


@lru_cache(maxsize=4)
def _opened(name: str, device: str, state: tuple[tuple[str, int, int], ...]) -> Model:
    from napari_atomseg.networks.zoo import load_model

    return load_model(name, device)


def device_of(params: NetworkParams) -> str:
    """The device that `auto` stands for, or the one that was asked for.

    Raises
    ------
    AtomsegError
        If it is not there.
    """
    import torch

    from napari_atomseg.inference.predict import best_device

    if params.device == "auto":
        return best_device()
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[params.device]
    if not there:
        raise AtomsegError(f"this computer offers no {params.device} to torch; choose auto or cpu")
    return params.device


def predicted(
    micrograph: Micrograph,
    index: int,
    model: str,
    tasks: tuple[str, ...],
    params: NetworkParams,
    told: ToldSize,
    box: tuple[slice, slice] | None = None,
    *,
    held: bool = False,
    averaged: bool = False,
    series: bool = False,
) -> Generator[Progress, None, tuple[Prediction, dict[str, Any]]]:
    """Maps of one frame, or of a box in it, and what the network was told.

    With `held` the denoised image keeps to the raw one, with `averaged` that without background is averaged over like places,
    if the parameters allow. With `series` all frames are given together, as images of one place.
    """
    from napari_atomseg.inference.detection.columns import NEEDED, native_columns
    from napari_atomseg.inference.postprocess.nonlocal_filter import agreed_background, held_to_image
    from napari_atomseg.inference.postprocess.scan_rows import row_shifts, straightened
    from napari_atomseg.inference.predict import predict
    from napari_atomseg.networks.card import STRUCTURES, ModelError

    plane = micrograph.data if series or len(micrograph.shape) == 2 else micrograph.data[index]
    size = told.size
    plane = plane if box is None else plane[(..., *box)]
    ready = opened(model, device_of(params))
    if ready.card.task == STRUCTURES:
        found = yield from predict(ready, plane, size, tasks, averaged=params.averaged, device=device_of(params))
        return found, {"pixel_size_angstrom": list(size), "pixel_size_source": told.source}
    width = USUAL_WIDTH / float(np.mean(size))
    sign = polarity_sign(params.polarity, centre_crop(plane, SAMPLE_SIDE), width)
    needed = NEEDED if params.straighten else ("columns",) if params.alike and averaged else ()
    wanted = tuple(dict.fromkeys((*tasks, *needed)))
    try:
        found = yield from predict(ready, plane, size, wanted, sign=sign, averaged=params.averaged, device=device_of(params))
    except ModelError as error:
        if not told.source.startswith(ESTIMATED):
            raise
        raise ModelError(f"{error} (the image gives no pixel size; this one was {told.source})") from error
    says = {"pixel_size_angstrom": list(size), "pixel_size_source": told.source, "polarity": "bright" if sign > 0 else "dark"}
    if params.straighten:
        yield Progress(0, 0, "comparing rows")
        shifts = row_shifts(native_columns(found, ready.card), found.grid.native_shape[0])
        says["rows"] = _rows_told(shifts, ready.card.native_sampling)
    else:
        shifts = None
    if params.alike and held:
        found = yield from held_to_image(found)
    if shifts is not None:
        found = straightened(found, shifts)
    if params.alike and averaged:
        found = yield from agreed_background(found, ready.card)
    return found, says


def _rows_told(shifts: np.ndarray | None, native_sampling: float) -> str:
    if shifts is None:
        return "as scanned"
    rms = 100 * native_sampling * np.sqrt(np.mean(shifts**2, axis=0))
    return f"straightened by {rms[0]:.0f} pm along y and {rms[1]:.0f} pm along x"


def box_of(region: np.ndarray | None) -> tuple[slice, slice] | None:
    """The rectangle around where a region is True; None for all."""
    if region is None or not region.any():
        return None
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


@job
def maps(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    tasks: tuple[str, ...] = TASKS,
    params: NetworkParams | None = None,
    region: np.ndarray | None = None,
    frames: int | None = None,
) -> Generator[Progress, None, dict[str, Micrograph]]:
    """Maps of a micrograph by a network, on its own pixels.

    Parameters
    ----------
    micrograph : Micrograph
    model : str, optional
        Name or folder; by default the first of :func:`model_cards`.
    tasks : tuple of str
        Of ``columns``, ``mask`` (both from 0 to 1), ``denoise``, ``background``, ``deblur`` (in the image's intensities); of a
        network of structures its classes and ``background``, probabilities; by default all.
    params : NetworkParams, optional
    region : ndarray of bool, shape (Y, X), optional
        Only the rectangle around it is looked at; elsewhere maps are not a number.
    frames : int, optional
        Index of the only frame; by default all.

    Returns
    -------
    dict of Micrograph
        By task, float32, of the micrograph's shape, or of one frame if one was asked for.

    Raises
    ------
    AtomsegError
        If the model does not exist or does not fit the image.
    """
    from napari_atomseg.workflows.columns import frames_of, labelled

    params = params or NetworkParams()
    name = model or default_network()
    tasks = map_names(name) if tasks == TASKS else tasks
    indices = frames_of(micrograph, frames)
    shape = micrograph.shape[-2:]
    box = box_of(region)
    stacked = len(indices) > 1
    found = {task: _room((len(indices), *shape) if stacked else shape) for task in tasks}
    told: dict[str, Any] = {}
    size = yield from told_size(micrograph, indices[0], opened(name, device_of(params)), params)
    for row, index in enumerate(indices):
        steps = predicted(
            micrograph, index, name, tasks, params, size, box, held="denoise" in tasks, averaged="background" in tasks
        )
        prediction, told = yield from labelled(steps, row, len(indices))
        for task in tasks:
            target = found[task][row] if stacked else found[task]
            target[box if box is not None else ...] = prediction.on_image(task)
    rows = f", rows {told['rows']}" if "rows" in told else ""
    size_told = format_pixel_size(tuple(told["pixel_size_angstrom"]))
    seen = f"{told['polarity']} columns, " if "polarity" in told else ""
    note = f"{seen}{size_told} ({told['pixel_size_source']}){rows}"
    return {
        task: Micrograph(
            data=found[task],
            pixel_size=micrograph.pixel_size,
            pixel_size_source=micrograph.pixel_size_source,
            name=f"{micrograph.name} {task}",
            modality=micrograph.modality,
            frame_time_s=micrograph.frame_time_s,
            notes=(_note(task, name, params, note),),
        )
        for task in tasks
    }


def _note(task: str, name: str, params: NetworkParams, told: str) -> str:
    more = COMPARED.get(task, "") if params.alike else ""
    return f"{task} map by the network {name}: a belief, not a measurement{more} ({told})"


def default_network() -> str:
    """Name of the network that is used for columns if none is named.

    Raises
    ------
    AtomsegError
        If there is none.
    """
    from napari_atomseg.networks.card import COLUMNS
    from napari_atomseg.networks.zoo import ENVIRONMENT, list_models, shipped_folder

    models = list_models()
    shipped = [name for name, folder in models.items() if folder.parent == shipped_folder()]
    cards = model_cards()
    if not models:
        raise AtomsegError(f"there is no network at hand; train one, or name the folder of yours in {ENVIRONMENT}")
    # By name: files of a checkout are as old as chance will have it.
    of_columns = [name for name in sorted(shipped) if name in cards and cards[name].task == COLUMNS]
    return of_columns[0] if of_columns else next(iter(models))


def find_by_network(
    micrograph: Micrograph, index: int, model: str, params: NetworkParams, size: ToldSize, region: np.ndarray | None
) -> Generator[Progress, None, tuple[Columns, dict[str, Any]]]:
    """Columns of one frame by a network, unrefined, and what the network was told."""
    from napari_atomseg.inference.detection.columns import NEEDED, as_columns, shown_columns
    from napari_atomseg.inference.postprocess.nonlocal_filter import agreed_positions

    plane = micrograph.data[index] if len(micrograph.shape) == 3 else micrograph.data
    region, left_out = searched_part(plane, region)
    box = box_of(region)
    prediction, told = yield from predicted(micrograph, index, model, NEEDED, params, size, box)
    ready = opened(model, device_of(params))
    yield Progress(0, 0, "weighing candidates")
    shown = shown_columns(prediction, ready, params.segmentation)
    if params.alike and params.segmentation == "ours":
        shown = yield from agreed_positions(shown, prediction, ready.card)
    columns = as_columns(shown, prediction, ready.card, params.least_confidence)
    if told["polarity"] == "dark":
        columns = columns.with_features(intensity=-columns.features["intensity"].to_numpy())
    if box is not None and region is not None:
        columns = in_region(columns, box, region)
    return replace(columns, provenance={"left_out": left_out}) if left_out else columns, told


def in_region(columns: Columns, box: tuple[slice, slice], region: np.ndarray) -> Columns:
    """Columns of a box in pixels of the whole image, those outside the region left out."""
    offset = np.array([box[0].start, box[1].start])
    table = columns.features
    moved = Columns(
        positions=columns.positions + offset,
        features=table.assign(network_y_px=table["network_y_px"] + offset[0], network_x_px=table["network_x_px"] + offset[1]),
    )
    pixel = np.clip(np.rint(moved.positions).astype(int), 0, np.array(region.shape) - 1)
    return moved.select(region[pixel[:, 0], pixel[:, 1]])


def _room(shape: tuple[int, ...]) -> np.ndarray:
    """An array of float32, not a number everywhere; in a temporary file if it is large."""
    if 4 * np.prod(shape, dtype=float) <= IN_MEMORY:
        return np.full(shape, np.nan, np.float32)
    file = tempfile.NamedTemporaryFile(prefix="atomseg-maps-")  # noqa: SIM115  # lives as long as the array
    room = np.memmap(file, np.float32, "w+", shape=shape)
    room.fill(np.nan)
    return room
