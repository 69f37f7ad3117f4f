"""Finding, fitting and moving columns."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.columns import SCAN_SHIFT, Columns, join_frames
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job, with_frame_progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import to_dict
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.localise.detection.find import ClassicalParams, find_columns, polarity_sign
from napari_atomseg.localise.detection.scale import centre_crop, estimate_scale
from napari_atomseg.localise.refinement.refine import CHOSEN, RefineParams, refine_columns
from napari_atomseg.localise.snap import snap_positions
from napari_atomseg.networks.catalogue import recognises
from napari_atomseg.workflows.choice import AUTO, CLASSICAL, choose_finder

Found = Generator[Progress, None, tuple[Columns, dict[str, Any]]]
Finder = Callable[[int], Found]
"""Finds the columns of a frame by its index."""
SAMPLE_SIDE = 512
"""Part of the image that tells the column width where no column does yet, in pixels."""


@job
def locate(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: ClassicalParams | None = None,
    network: NetworkParams | None = None,
    refined: bool = True,
    refinement: RefineParams | None = None,
    region: np.ndarray | None = None,
    frames: int | None = None,
    series: bool = False,
) -> Generator[Progress, None, Columns]:
    """Atomic columns of a micrograph, in every frame or in one.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy.
    model : str, optional
        ``classical`` (no network), the name of a network, or its folder; by default ``auto``: a network where it knows images
        like this one, else ``classical``. What was chosen and why is in the provenance.
    params : ClassicalParams, optional
        How columns are found without a network.
    network : NetworkParams, optional
        How a network is asked for them.
    refined : bool
        Fit each column by a Gaussian afterwards, which gives uncertainties; not done for structures in TEM images, which phase
        contrast does not show as Gaussians.
    refinement : RefineParams, optional
        How they are fitted.
    region : ndarray of bool, shape (Y, X), optional
        Search only where it is True.
    frames : int, optional
        Index of the only frame to search; by default all.
    series : bool
        The frames are one focal series, looked at together by a network of structures that knows so many foci.

    Returns
    -------
    Columns

    Raises
    ------
    AtomsegError
        If the model or the frame does not exist, or the model takes no series.

    Examples
    --------
    >>> from napari_atomseg.workflows import draw_sample, locate
    >>> micrograph, truth = draw_sample("perovskite")
    >>> columns = locate(micrograph, model="classical")
    >>> abs(len(columns) - len(truth)) < 0.1 * len(truth)
    True
    >>> bool(columns.features["fit"].isin(["ok", "border"]).mean() > 0.9)
    True
    """
    chosen = model or AUTO
    _require(chosen)
    parts = []
    indices = [0] if series else micrograph.frame_indices(frames)
    details: dict[str, Any] = {}
    if chosen == AUTO:
        yield Progress(0, 0, "choosing the finder")
        choice = choose_finder(micrograph, indices[0], params or ClassicalParams(), network or NetworkParams())
        chosen, details = choice.model, {"model_chosen_because": choice.reason}
    details["model"] = chosen
    choices: list[dict[str, Any] | None] = []
    if series and not recognises(chosen):
        raise AtomsegError(
            f"{chosen} looks at single images; a focal series is for a network of structures, named with the model"
        )
    finder = yield from _finder(micrograph, indices[0], chosen, params, network, region, series)
    # What phase contrast shows of an atom is no Gaussian; the network's place is the better one.
    refined = refined and not recognises(chosen)
    for row, index in enumerate(indices):
        found, told = yield from with_frame_progress(finder(index), row, len(indices))
        if refined and len(found):
            found = yield from with_frame_progress(_fitted(micrograph.frame(index), found, refinement), row, len(indices))
            choices.append(found.provenance.get(CHOSEN))
        parts.append(replace(found, frame=np.full(len(found), index)))
        details |= {**told, "left_out": told.get("left_out") or details.get("left_out", "")}
    if not details.get("left_out"):
        details.pop("left_out", None)
    if refined:
        details |= _choices(choices)
        details["refinement"] = to_dict(refinement or RefineParams())
    return bound(join_frames(parts), micrograph, details)


def _finder(
    micrograph: Micrograph,
    first: int,
    model: str,
    params: ClassicalParams | None,
    network: NetworkParams | None,
    region: np.ndarray | None,
    series: bool,
) -> Generator[Progress, None, Finder]:
    """What finds the columns of a frame, not yet fitted, and says how; what holds for all frames is told by the first."""
    if model == CLASSICAL:
        given = params or ClassicalParams()
        return partial(_found_without, micrograph, given, region)
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.find_columns import find_by_network
    from napari_atomseg.inference.find_structures import find_structures
    from napari_atomseg.inference.pixel_size import resolve_pixel_size

    asked = network or NetworkParams()
    ready = cached_model(model, device_of(asked))
    size = yield from resolve_pixel_size(micrograph, first, ready, asked)
    find = partial(find_structures, modality=micrograph.modality) if recognises(model) else find_by_network

    def by_network(index: int) -> Found:
        plane = micrograph.data if series else micrograph.lazy_frame(index)
        found, told = yield from find(plane, ready, asked, size, region)
        return found, {"parameters": to_dict(asked), "network": told, **found.provenance}

    return by_network


def _found_without(micrograph: Micrograph, params: ClassicalParams, region: np.ndarray | None, index: int) -> Found:
    plane = micrograph.lazy_frame(index)
    found = yield from find_columns(plane, params, region)
    return found, {"parameters": to_dict(params), **found.provenance}


def _require(model: str) -> None:
    if model not in (AUTO, CLASSICAL) and model not in model_names() and not Path(model).is_dir():
        raise AtomsegError(f'there is no model "{model}"; models at hand: {AUTO}, {", ".join(model_names())}')


def _fitted(plane: np.ndarray, found: Columns, refinement: RefineParams | None) -> Generator[Progress, None, Columns]:
    """Columns fitted on the raw image as it was scanned; that rows were put back for the network stays with its own positions."""
    shift = found.features.get(SCAN_SHIFT[0])
    if shift is None or shift.isna().all():
        return (yield from refine_columns(plane, found, refinement))
    strayed = found.features[list(SCAN_SHIFT)].to_numpy()
    scanned = replace(found, positions=found.positions + strayed)
    fitted = yield from refine_columns(plane, scanned, refinement)
    return fitted.with_features(**dict.fromkeys(SCAN_SHIFT, np.nan))


def model_names() -> list[str]:
    """Names of what :func:`locate` can use."""
    from napari_atomseg.networks.zoo import list_models

    return [CLASSICAL, *list_models()]


@job
def refine(micrograph: Micrograph, columns: Columns, *, params: RefineParams | None = None) -> Generator[Progress, None, Columns]:
    """Fit given columns again on the image, each on its own frame.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        Positions in pixels of this micrograph.
    params : RefineParams, optional

    Returns
    -------
    Columns
        Same order and number; see :func:`napari_atomseg.localise.refinement.refine.refine_columns`.

    Raises
    ------
    AtomsegError
        If a column stands in a frame that does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_atomseg.core.columns import Columns
    >>> from napari_atomseg.core.micrograph import Micrograph
    >>> from napari_atomseg.workflows import refine
    >>> y, x = np.mgrid[:32, :32]
    >>> image = 10 + 100 * np.exp(-((y - 15.3) ** 2 + (x - 16.8) ** 2) / (2 * 2.5**2))
    >>> fitted = refine(Micrograph(data=image), Columns(positions=[[15, 17]]))
    >>> fitted.positions.round(2).tolist()
    [[15.3, 16.8]]
    """
    result = columns
    choices: list[dict[str, Any] | None] = []
    for index in np.unique(columns.frame):
        micrograph.frame_indices(int(index))
        rows = np.flatnonzero(columns.frame == index)
        plane = micrograph.frame(int(index))
        fitted = yield from with_frame_progress(
            refine_columns(plane, columns.select(rows), params), int(index), micrograph.frames
        )
        if SCAN_SHIFT[0] in fitted.features:
            # What is measured anew is as it was scanned.
            fitted = fitted.with_features(**dict.fromkeys(SCAN_SHIFT, np.nan))
        choices.append(fitted.provenance.get(CHOSEN))
        result = replaced(result, rows, fitted)
    details = {**columns.provenance, "refinement": to_dict(params or RefineParams()), **_choices(choices)}
    return bound(result, micrograph, details)


def finder_choice(columns: Columns) -> str:
    """Which finder was chosen for the image and why, in words for people; empty if it was named."""
    reason = columns.provenance.get("model_chosen_because", "")
    model = columns.provenance.get("model", "")
    if not reason:
        return ""
    return f"{'classical finder' if model == CLASSICAL else f'network {model}'} (chosen: {reason})"


def left_out(columns: Columns) -> str:
    """What in the picture was no image and was not searched, in words for people; empty if nothing."""
    return str(columns.provenance.get("left_out", ""))


def _choices(choices: list[dict[str, Any] | None]) -> dict[str, Any]:
    """What the fit of each frame chose by itself, as an entry of the provenance; of a single frame as it is."""
    known = [choice for choice in choices if choice]
    return {CHOSEN: known[0] if len(known) == 1 else known} if known else {}


def fit_choices(columns: Columns) -> str:
    """What the fit chose by itself, in words for people; of a stack what it chose in its first frame; empty if unknown."""
    told = columns.provenance.get(CHOSEN)
    first = told[0] if isinstance(told, list) and told else told
    if not isinstance(first, dict):
        return ""
    asked = columns.provenance.get("refinement", {}).get("background")
    parts = []
    if asked == "auto":
        parts.append(f"{first['background']} background (chosen from the image)")
    elif asked and asked != first["background"]:
        parts.append(f"{first['background']} background (a {asked} background does not fit this image)")
    if first["unseen_neighbours"]:
        parts.append(f"{first['unseen_neighbours']} unseen neighbours taken off")
    return ", ".join(parts)


@job
def residual(micrograph: Micrograph, columns: Columns, frame: int = 0) -> Generator[Progress, None, np.ndarray]:
    """What the fitted columns do not explain: image minus model of one frame, float32 (Y, X); invalid pixels stay invalid.

    Parameters
    ----------
    micrograph : Micrograph
    columns : Columns
        In pixels of the micrograph, fitted.
    frame : int
        Index of the frame.

    Returns
    -------
    residual : ndarray, float32, shape (Y, X), as the image
        Positive where the image is brighter than the model.

    Raises
    ------
    AtomsegError
        If the frame does not exist, or none of its columns has been fitted.
    """
    from napari_atomseg.localise.refinement.model_image import ellipses, model_image

    micrograph.frame_indices(frame)
    fitted = columns.of_frame(frame)
    fitted = fitted.select(~fitted.features["fit"].isin(("none", "failed")).to_numpy())
    if len(ellipses(fitted).height) == 0:
        raise AtomsegError("no column of this frame has been fitted yet; refine the columns first")
    yield Progress(0, 2, "reading the image")
    plane = micrograph.frame(frame)
    yield Progress(1, 2, "drawing the fitted columns")
    return np.asarray(plane - model_image(fitted, plane.shape), np.float32)


def snap(micrograph: Micrograph, columns: Columns, rows: np.ndarray) -> Columns:
    """Move the given rows to the column nearest to each, at most two column widths away; their origin becomes ``snapped``.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy; read around the columns only.
    columns : Columns
    rows : ndarray of int
        Indices of the columns that are moved.

    Returns
    -------
    columns : Columns
        All of them, in the same order.
    """
    result = columns
    for index in np.unique(columns.frame[rows]):
        mine = rows[columns.frame[rows] == index]
        # A lazy image is read only around the points.
        plane = micrograph.lazy_frame(index)
        width, height = known_width(columns), columns.features["intensity"].median()
        if not np.isfinite(width):
            scale = estimate_scale(np.asarray(centre_crop(plane, SAMPLE_SIDE), np.float32))
            width = scale.sigma_px if scale else 3.0
        known = np.isfinite(height) and height != 0
        sign = float(np.sign(height)) if known else polarity_sign("auto", centre_crop(plane, SAMPLE_SIDE), width)
        moved = snap_positions(plane, columns.positions[mine], width, sign)
        origin = result.features["origin"].to_numpy(copy=True)
        origin[mine] = "snapped"
        positions = result.positions.copy()
        positions[mine] = moved
        result = replace(result.with_features(origin=origin), positions=positions)
    return result


def transfer(columns: Columns, micrograph: Micrograph) -> Columns:
    """Columns found in one detector's image, for another image of the same field (ADF to ABF).

    Positions are carried over by their place in the field of view, so that the two may differ in pixel number. What
    was measured in the first image is forgotten; refine to measure it in the second.

    Parameters
    ----------
    columns : Columns
        Of the first image, whose shape they know.
    micrograph : Micrograph
        The second image, of the same field of view.

    Returns
    -------
    columns : Columns
        In pixels of the second image, with `origin` ``imported``.

    Raises
    ------
    AtomsegError
        If the first image's shape is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_atomseg.core.columns import Columns
    >>> from napari_atomseg.core.micrograph import Micrograph
    >>> from napari_atomseg.workflows import transfer
    >>> columns = Columns(positions=[[9.5, 19.5]], image_shape=(100, 100))
    >>> transfer(columns, Micrograph(data=np.zeros((200, 200)))).positions.tolist()
    [[19.5, 39.5]]
    """
    if columns.image_shape is None:
        raise AtomsegError("the columns do not say which image they belong to; find or import them with their image first")
    ratio = np.array(micrograph.shape[-2:]) / np.array(columns.image_shape[-2:])
    kept = [name for name in columns.features if name not in ("intensity", "background", "y_std_px", "x_std_px", "fit")]
    width = columns.features["sigma_px"] * float(ratio.mean())
    return bound(
        replace(
            columns,
            # Pixel centres, not corners, lie on whole numbers.
            positions=(columns.positions + 0.5) * ratio - 0.5,
            features=columns.features[kept].assign(sigma_px=width, origin="imported"),
        ),
        micrograph,
        {**columns.provenance, "transferred_from": columns.image_name},
    )


def known_width(columns: Columns) -> float:
    """Median sigma of the columns in px; NaN if none is known."""
    return float(columns.features["sigma_px"].median())


def replaced(columns: Columns, rows: np.ndarray, part: Columns) -> Columns:
    """`columns` with the given rows taken from `part`.

    Parameters
    ----------
    columns : Columns
    rows : ndarray of int
        Indices of the rows that are replaced.
    part : Columns
        As many columns as there are rows.
    """
    positions = columns.positions.copy()
    positions[rows] = part.positions
    features = columns.features.copy()
    for name in part.features:
        # What only the part knows is unknown elsewhere.
        values = features[name].to_numpy(copy=True) if name in features else np.full(len(columns), np.nan)
        values[rows] = part.features[name].to_numpy()
        features[name] = values
    return replace(columns, positions=positions, features=features)


def bound(columns: Columns, micrograph: Micrograph, details: dict[str, Any]) -> Columns:
    """Columns that know their image, its calibration and how they were made; versions and time are those of the saving.

    Parameters
    ----------
    columns : Columns
    micrograph : Micrograph
        The image that they belong to.
    details : dict
        How they were made: model, parameters, what was chosen; fit for JSON.
    """
    return replace(
        columns,
        pixel_size=micrograph.pixel_size,
        image_shape=micrograph.shape,
        provenance={
            **{name: value for name, value in details.items() if name not in ("image", "versions", "time")},
            "image": {
                "name": micrograph.name,
                "path": str(micrograph.path) if micrograph.path else None,
                "dataset": micrograph.dataset,
            },
            "pixel_size_source": micrograph.pixel_size_source,
        },
    )
