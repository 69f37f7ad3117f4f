"""Images without noise and distortions, by networks that restore."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps, as_part, job, with_frame_progress
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.region import Region, mask_of
from napari_atomseg.core.scratch import scratch_array
from napari_atomseg.inference.params import RestorationParams
from napari_atomseg.networks.card import DENOISED
from napari_atomseg.workflows.choice import AUTO
from napari_atomseg.workflows.restoring_networks import RestoringNetworks, asked_kind, default_restorer, restoring_networks

if TYPE_CHECKING:
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.inference.pixel_size import PixelSizeEstimate
    from napari_atomseg.networks.zoo import Model

COLUMNS_SHARE, ROWS_SHARE = 0.4, 0.1
"""Of the time of a restoration, and of a spread, that the network for columns takes."""
MOST_TURNS = 2
"""Of two networks that put rows back for each other."""


@job
def restore(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: RestorationParams | None = None,
    region: np.ndarray | Region | None = None,
    frames: int | None = None,
) -> Generator[Progress, None, Micrograph]:
    """A micrograph without noise and distortions, on its own pixels and intensities.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy; needs no pixel size.
    model : str, optional
        Name or folder. By default (``auto``) the first that restores; of dark-field images of atoms, which the network for
        columns knows too, if it knows such pixels, a mean of both, in which it counts the less the more they contradict each
        other.
    params : RestorationParams, optional
    region : ndarray of bool, shape (Y, X), or Region, optional
        Restore only where it is True; elsewhere the result is not a number.
    frames : int, optional
        Index of the only frame; by default all.

    Returns
    -------
    Micrograph
        Float32, of the micrograph's shape, or of one frame if one was asked for. Its notes say by what it was restored, and warn
        where a lattice was removed or may be invented, and where there is little noise, or little else.

    Raises
    ------
    AtomsegError
        If no model restores, it does not know such images, or the region lies outside of the image.
    """
    from napari_atomseg.inference.restoration_check import check_lattice, little_left, little_noise

    params = params or RestorationParams()
    asked = restoring_networks(micrograph, model, params)
    indices, part = micrograph.frame_indices(frames), mask_of(region, micrograph.shape)
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *micrograph.shape[-2:]) if stacked else micrograph.shape[-2:])
    warnings: list[tuple[int, str]] = []
    for row, index in enumerate(indices):
        steps = _restored(asked, micrograph, index, part, params)
        target = found[row] if stacked else found
        target[...], seen, done = yield from with_frame_progress(steps, row, len(indices))
        words = (*check_lattice(seen, target).warnings(), little_noise(seen, target), little_left(seen, target))
        warnings += [(index, text) for text in words if text]
    note = f"restored by the {asked.name}, {asked.words}{done}: a belief, not a measurement"
    return _like(micrograph, found, "restored", (note, *(_told_once(warnings) if stacked else (text for _, text in warnings))))


@job
def restoration_spread(
    micrograph: Micrograph, *, model: str | None = None, params: RestorationParams | None = None, frames: int | None = None
) -> Generator[Progress, None, Micrograph]:
    """How far the network that restores contradicts itself, pixel by pixel; takes four times as long as :func:`restore`.

    Parameters
    ----------
    micrograph : Micrograph
        Numpy or lazy; needs no pixel size.
    model : str, optional
        Name or folder; by default the first that restores.
    params : RestorationParams, optional
    frames : int, optional
        Index of the only frame; by default all.

    Returns
    -------
    Micrograph
        Standard deviation of four answers, in the intensities of the micrograph: a lower bound of the error, not the error.

    Raises
    ------
    AtomsegError
        If no model restores, or it does not know such images.
    """
    params = params or RestorationParams()
    named = default_restorer(asked_kind(micrograph, params)) if model in (None, AUTO) else model
    asked = restoring_networks(micrograph, named, params)
    if asked.restorer is None:
        raise AtomsegError(
            f"the {asked.name} answers once only, and gives no spread of four answers; leave the spread out, or name a "
            "network that was trained to restore"
        )
    indices = micrograph.frame_indices(frames)
    stacked = len(indices) > 1
    found = scratch_array((len(indices), *micrograph.shape[-2:]) if stacked else micrograph.shape[-2:])
    for row, index in enumerate(indices):
        steps = _spread(asked, micrograph, index, params)
        (found[row] if stacked else found)[...] = yield from with_frame_progress(steps, row, len(indices))
    note = f"spread of four answers of the {asked.name}, {asked.words}: a lower bound of its error"
    return _like(micrograph, found, "spread of restoration", (note,))


def restoration_difference(micrograph: Micrograph, restored: Micrograph, frames: int | None = None) -> Micrograph:
    """What was taken off: the recorded image less the restored one.

    Parameters
    ----------
    micrograph, restored : Micrograph
        As given to :func:`restore`, and as it gave it back.
    frames : int, optional
        Index of the frame if only one was restored.
    """
    indices = micrograph.frame_indices(frames)
    after = np.asarray(restored.data).reshape(len(indices), *micrograph.shape[-2:])
    found = scratch_array(np.asarray(restored.data).shape)
    for row, index in enumerate(indices):
        (found[row] if found.ndim == 3 else found)[...] = np.asarray(micrograph.frame(index), np.float32) - after[row]
    return _like(micrograph, found, "minus restored", (f"what was taken off; {restored.notes[0]}",))


def _told_once(warnings: list[tuple[int, str]]) -> list[str]:
    """Warnings about frames of a stack: of those that differ in numbers alone the first, and in how many more frames it is so."""
    frames: dict[str, list[tuple[int, str]]] = {}
    for index, text in warnings:
        frames.setdefault(re.sub(r"\d+", "", text), []).append((index, text))
    more = [f" (so in {len(alike) - 1} more frames)" if len(alike) > 1 else "" for alike in frames.values()]
    return [f"frame {alike[0][0]}: {alike[0][1]}{rest}" for alike, rest in zip(frames.values(), more, strict=True)]


def _restored(
    asked: RestoringNetworks, micrograph: Micrograph, index: int, part: np.ndarray | None, params: RestorationParams
) -> Steps[tuple[np.ndarray, np.ndarray, str]]:
    """A frame restored, what the networks saw of it last, and what was done beside, in words."""
    from napari_atomseg.inference.periodic_structure import periodic_structure

    answer, denoised, rows = yield from as_part(_in_turns(asked, micrograph, index, part, params), 0, 1, "restoring")
    plane = _seen(micrograph, index, rows)
    found, done = _mean_answer(answer, denoised if asked.denoised else None)
    done += "" if rows is None else f", rows put back by {_rms(rows[:, 0]):.1f} px along y and {_rms(rows[:, 1]):.1f} px along x"
    # What rows are displaced by after all, in ways that the lattice tells, would come back with what is periodic.
    if params.periodic and (rows is None or asked.columns is None):
        found += periodic_structure(plane, found, asked.scanned)
        done += ", with the periodic structure that stands above the noise put back"
    if part is not None:
        found[~part] = np.nan
    found[~np.isfinite(micrograph.frame(index))] = np.nan
    return found, plane, done


def _mean_answer(answer: np.ndarray | None, denoised: np.ndarray | None) -> tuple[np.ndarray, str]:
    """What the answers of the network that restores and of that for columns come to, and in which shares, in words."""
    from napari_atomseg.inference.restorer_share import restorer_share

    if answer is None or denoised is None:
        return np.array(denoised if answer is None else answer, np.float32), ""
    share = restorer_share(answer, denoised)
    return np.asarray(share * answer + (1 - share) * denoised, np.float32), f", the first counting {100 * share:.0f} %"


def _in_turns(
    asked: RestoringNetworks, micrograph: Micrograph, index: int, part: np.ndarray | None, params: RestorationParams
) -> Steps[tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]]:
    """Answers of the network that restores and of that for columns, and how far rows are displaced (Y, 2), px.

    Each puts rows back for the other, until no more are displaced, but at most so many times.
    """
    answer, denoised, rows = None, None, None
    columns = yield from _network_for_columns(asked, micrograph, index, params)
    turns = MOST_TURNS if columns is not None and params.straighten else 1
    for turn in range(turns):
        begin, middle, end = turn / turns, (turn + COLUMNS_SHARE * (columns is not None)) / turns, (turn + 1) / turns
        if columns is not None:
            steps = _by_columns(columns, micrograph, index, rows)
            denoised, further = yield from as_part(steps, begin, middle, "network for columns")
            if turn and further is None:
                break
            rows = further if rows is None else rows + further
        if asked.restorer is not None:
            looks = _looks(asked.restorer, asked, micrograph, index, part, rows, params)
            answer, rows = yield from as_part(looks, middle, end, "network that restores")
        if rows is None:
            break
    return answer, denoised, rows


def _seen(micrograph: Micrograph, index: int, rows: np.ndarray | None) -> np.ndarray:
    """A frame with its rows, displaced by (Y, 2) px, where they belong."""
    from napari_atomseg.inference.displaced_rows import straight_image

    plane = np.asarray(micrograph.frame(index))
    return plane if rows is None else straight_image(plane, rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class _ForColumns:
    """The network for columns, its settings, and the pixel size that it is told."""

    model: Model
    params: NetworkParams
    size: PixelSizeEstimate


def _network_for_columns(
    asked: RestoringNetworks, micrograph: Micrograph, index: int, params: RestorationParams
) -> Steps[_ForColumns | None]:
    """The network for columns, if it is asked; where the pixel size of a frame is not known, it is estimated once."""
    from napari_atomseg.inference.params import NetworkParams
    from napari_atomseg.inference.pixel_size import resolve_pixel_size

    if asked.columns is None:
        return None
    told = NetworkParams(straighten=params.straighten, device=asked.device)  # type: ignore[arg-type]  # checked there
    size = yield from resolve_pixel_size(micrograph, index, asked.columns, told)
    return _ForColumns(model=asked.columns, params=told, size=size)


def _by_columns(
    columns: _ForColumns, micrograph: Micrograph, index: int, rows: np.ndarray | None
) -> Steps[tuple[np.ndarray, np.ndarray | None]]:
    """A frame denoised by a network for columns, rows put back first; and by how much rows are displaced in it, if they are.

    Along x that is told by the denoised image; along y the lattice tells it, or nothing does.
    """
    from napari_atomseg.inference.displaced_rows import (
        LEAST_DISPLACEMENT,
        image_shifts,
        row_displacements,
        without_hot_pixels,
    )
    from napari_atomseg.inference.frame_maps import frame_maps

    plane = micrograph.lazy_frame(index) if rows is None else _seen(micrograph, index, rows)
    maps, _ = yield from frame_maps(plane, columns.model, (DENOISED,), columns.params, columns.size, held=True)
    denoised = np.array(maps.on_image(DENOISED), np.float32)
    if not columns.params.straighten:
        return denoised, None
    lattice = image_shifts(maps)
    along = row_displacements(without_hot_pixels(np.asarray(plane)) - denoised, denoised)
    found = np.stack([np.zeros_like(along) if lattice is None else lattice[:, 0], along], axis=1)
    return denoised, found if _rms(found) > LEAST_DISPLACEMENT else None


def _looks(
    restorer: Model,
    asked: RestoringNetworks,
    micrograph: Micrograph,
    index: int,
    part: np.ndarray | None,
    rows: np.ndarray | None,
    params: RestorationParams,
) -> Steps[tuple[np.ndarray, np.ndarray | None]]:
    """The answer of the network that restores, and the displacements of rows in all.

    Where the rows of a scan do not lie where the restored image shows them they are put back there, and the network looks again:
    it, and what repeats over the image, then tell more. If they seem displaced more than before, the answer before counts.
    """
    from napari_atomseg.inference.displaced_rows import (
        ASTRAY,
        LEAST_DISPLACEMENT,
        MOST_LOOKS,
        SCANS_OF_ATOMS,
        row_displacements,
        times_put_back,
    )
    from napari_atomseg.inference.restore import restore_plane

    most = MOST_LOOKS if params.straighten and asked.kind in SCANS_OF_ATOMS else 1
    kept, shown, times = None, None, 1.0
    for look in range(most):
        plane = _seen(micrograph, index, rows)
        steps = restore_plane(restorer, plane, asked.kind, scanned=asked.scanned, region=part, device=asked.device)
        found = yield from as_part(steps, look / most, (look + 1) / most, f"look {look + 1}")
        if most == 1:
            break
        along = row_displacements(plane - found, found)
        if kept is not None and shown is not None and _rms(along) > ASTRAY * _rms(shown):
            return kept
        if look + 1 == most or _rms(along) < LEAST_DISPLACEMENT:
            break
        times = 1.0 if shown is None else times_put_back(along, shown, times)
        kept, shown = (found, rows), along
        rows = times * np.stack([np.zeros_like(along), along], axis=1) + (0 if rows is None else rows)
    return found, rows


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _spread(asked: RestoringNetworks, micrograph: Micrograph, index: int, params: RestorationParams) -> Steps[np.ndarray]:
    """Spread of the answers about a frame, with its rows where the lattice puts them."""
    from napari_atomseg.inference.restore import spread_plane

    assert asked.restorer is not None
    share, rows = 0.0, None
    columns = yield from _network_for_columns(asked, micrograph, index, params)
    if columns is not None:
        share, steps = ROWS_SHARE, _by_columns(columns, micrograph, index, None)
        _, rows = yield from as_part(steps, 0, share, "spread")
    plane = _seen(micrograph, index, rows)
    answers = spread_plane(asked.restorer, plane, asked.kind, scanned=asked.scanned, device=asked.device)
    return (yield from as_part(answers, share, 1, "spread"))


def _like(micrograph: Micrograph, data: np.ndarray, what: str, notes: tuple[str, ...]) -> Micrograph:
    """What was made of a micrograph, on its pixels."""
    return Micrograph(
        data=data,
        pixel_size=micrograph.pixel_size,
        pixel_size_source=micrograph.pixel_size_source,
        name=f"{micrograph.name} {what}",
        modality=micrograph.modality,
        frame_time_s=micrograph.frame_time_s,
        notes=notes,
    )
