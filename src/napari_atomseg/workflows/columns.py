"""Finding and fitting columns."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_atomseg.core.alongside import alongside
from napari_atomseg.core.columns import SCAN_SHIFT, Columns, join_frames
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, job, with_frame_progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import to_dict
from napari_atomseg.core.region import Region, mask_of
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.localise.detection.find import find_columns
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.refinement.params import RefineParams
from napari_atomseg.localise.refinement.refine import CHOSEN, refine_columns
from napari_atomseg.networks.catalogue import recognises
from napari_atomseg.workflows.choice import AUTO, CLASSICAL, choose_finder, choose_for_series
from napari_atomseg.workflows.column_edits import replaced
from napari_atomseg.workflows.provenance import CROSS_CHECK, SAID_ONCE, attach_to_image, choices_of_fits
from napari_atomseg.workflows.steps import DRAWN, Find, Refine, recorded

Found = Generator[Progress, None, tuple[Columns, dict[str, Any]]]
Finder = Callable[[int], Found]
"""Finds the columns of a frame by its index."""


@job
def locate(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: ClassicalParams | None = None,
    network: NetworkParams | None = None,
    refined: bool = True,
    refinement: RefineParams | None = None,
    region: np.ndarray | Region | None = None,
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
    region : ndarray of bool, shape (Y, X), or Region, optional
        Search only where it is True, or inside of a box or polygon, which then stands in the provenance.
    frames : int, optional
        Index of the only frame to search; by default all.
    series : bool
        The frames are one focal series, looked at together by a network of structures that knows so many foci; columns stand in
        its middle frame's pixels, in frame 0. Images that do not lie on each other are moved (`network.register`).

    Returns
    -------
    Columns

    Raises
    ------
    AtomsegError
        If the model or the frame does not exist, the model takes no series, or the region lies outside of the image.

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
    step = Find(
        model=str(model or AUTO),
        classical=params or ClassicalParams(),
        network=network or NetworkParams(),
        fit=(refinement or RefineParams()) if refined else None,
        frame=None if frames is None else int(frames),
        series=series,
        region=region_in_words(region),
    )
    _require(step.model)
    asked = mask_of(region, micrograph.shape)
    indices = [0] if series else micrograph.frame_indices(frames)
    chosen, details = yield from _chosen(micrograph, indices[0], step)
    finder = yield from _finder(micrograph, indices[0], chosen, step, asked)
    if step.model == AUTO:
        finder = _cross_checked(finder, chosen, micrograph, step, asked)
    # What phase contrast shows of an atom is no Gaussian; the network's place is the better one.
    refined = refined and not recognises(chosen)
    parts, choices = [], []
    for row, index in enumerate(indices):
        found, said = yield from with_frame_progress(finder(index), row, len(indices))
        if refined and len(found):
            found = yield from with_frame_progress(_fitted(micrograph.frame(index), found, step.fit), row, len(indices))
            choices.append(found.provenance.get(CHOSEN))
        parts.append(replace(found, frame=np.full(len(found), index)))
        details |= {**said, **{name: said.get(name) or details.get(name, "") for name in SAID_ONCE}}
    details = {name: value for name, value in details.items() if value or name not in SAID_ONCE}
    if refined:
        details |= choices_of_fits(choices)
        details["refinement"] = to_dict(refinement or RefineParams())
    return recorded(attach_to_image(join_frames(parts), micrograph, details), step)


def region_in_words(region: np.ndarray | Region | None) -> str:
    """How a step keeps a region; see :class:`~napari_atomseg.workflows.steps.Find`."""
    return "" if region is None else str(region) if isinstance(region, Region) else DRAWN


def _chosen(micrograph: Micrograph, first: int, step: Find) -> Generator[Progress, None, tuple[str, dict[str, Any]]]:
    """Name of the finder, chosen by the first frame unless it is named, and how that was settled."""
    chosen, details = step.model, {}
    if step.series and micrograph.frames == 1:
        raise AtomsegError(
            f"{micrograph.name} is one image, and a focal series is a stack of frames; leave out --series, or give the stack"
        )
    if chosen == AUTO:
        yield Progress(0, 0, "choosing the finder")
        choice = (
            choose_for_series(micrograph, step.network)
            if step.series
            else choose_finder(micrograph, first, step.classical, step.network)
        )
        chosen, details = choice.model, {"model_chosen_because": choice.reason}
    if step.series and not recognises(chosen):
        raise AtomsegError(
            f"{chosen} looks at single images; a focal series is for a network of structures, named with the model"
        )
    return chosen, {**details, "model": chosen}


def _finder(
    micrograph: Micrograph, first: int, model: str, step: Find, region: np.ndarray | None
) -> Generator[Progress, None, Finder]:
    """What finds the columns of a frame, not yet fitted, and says how; what holds for all frames is told by the first."""
    if model == CLASSICAL:
        return partial(_found_without, micrograph, step.classical, region)
    from napari_atomseg.inference.cached_model import cached_model
    from napari_atomseg.inference.device import device_of
    from napari_atomseg.inference.find_columns import find_by_network
    from napari_atomseg.inference.find_structures import find_structures
    from napari_atomseg.inference.pixel_size import resolve_pixel_size

    params = step.network
    ready = cached_model(model, device_of(params))
    size = yield from resolve_pixel_size(micrograph, first, ready, params)
    find = partial(find_structures, modality=micrograph.modality) if recognises(model) else find_by_network

    def by_network(index: int) -> Found:
        plane = micrograph.data if step.series else micrograph.lazy_frame(index)
        found, said = yield from find(plane, ready, params, size, region)
        return found, {"parameters": to_dict(params), "network": said, **found.provenance}

    return by_network


def _cross_checked(finder: Finder, model: str, micrograph: Micrograph, step: Find, region: np.ndarray | None) -> Finder:
    """A network of columns that was chosen, held to what the classical finder sees; other finders stay as they are."""
    from napari_atomseg.inference.cross_check import cross_check
    from napari_atomseg.inference.pixel_size import known_pixel_size

    size = known_pixel_size(micrograph, step.network)
    if size is None or step.network.segmentation != "ours" or model == CLASSICAL or recognises(model):
        return finder

    def checked(index: int) -> Found:
        # The network leaves much of the processor alone, so both together hardly take longer than it does by itself.
        with alongside(_found_without(micrograph, step.classical, region, index)) as beside:
            found, said = yield from finder(index)
            classical, _ = yield from beside
        result = cross_check(found, classical, float(np.mean(size)))
        if not result.agreed:
            said = {**said, "model": CLASSICAL}
        return result.columns, {**said, CROSS_CHECK: result.verdict}

    return checked


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
    details = {**columns.provenance, "refinement": to_dict(params or RefineParams()), **choices_of_fits(choices)}
    return recorded(attach_to_image(result, micrograph, details), Refine(fit=params or RefineParams()))
