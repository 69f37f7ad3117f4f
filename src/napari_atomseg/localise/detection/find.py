"""Find atomic columns without a network: matched band-pass, selection of its maxima, watershed, weighted centres.

Works on any size of image tile by tile. For sub-pixel positions with uncertainties, refine afterwards
(:mod:`napari_atomseg.localise.refinement.refine`).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.core.columns import Columns
from napari_atomseg.core.jobs import Progress
from napari_atomseg.localise.detection.annotations import LARGEST_PICTURE, find_annotations
from napari_atomseg.localise.detection.params import ClassicalParams
from napari_atomseg.localise.detection.peaks import Peaks, find_peaks, join
from napari_atomseg.localise.detection.regions import Regions, measure_regions
from napari_atomseg.localise.detection.repair import repair
from napari_atomseg.localise.detection.response import band_pass
from napari_atomseg.localise.detection.scale import ColumnScale, centre_crop, estimate_scale
from napari_atomseg.localise.detection.select import select_columns
from napari_atomseg.localise.detection.tiles import Tile, tiles_of

TILE_SIDE = 1024
FILTERS_IN_COLUMN_SIGMA = (0.75, 0.9, 1.1, 1.35, 1.65, 2.0)
"""Widths of the band-pass that are tried, relative to the width of the autocorrelation."""
BEST_FILTER, FILTER_SPREAD = 1.2, 1.5
"""Which of them serves best with noise, rows that jitter and a support, and how little is known of it (in its logarithm)."""
USUAL_FILTER = 1.1
"""The one that serves where nothing repeats; neighbours make the autocorrelation a little too narrow."""
TRIAL_SIDE = 512
AROUND_REGION = 256
"""What is looked at around a region, in pixels."""
CERTAIN = 8.0
"""Significance at which a maximum is worth two thirds of a sure one."""
SURELY_REPEATED, NEVER_REPEATED = 0.3, 0.25
"""Recurrence at which a maximum counts in full, and what one counts that does not recur."""
NARROWEST_FILTER = 1.2
"""A narrower Laplacian of Gaussian is not sampled well enough to be isotropic, in pixels."""


Plane = Any
"""A two-dimensional image, numpy or lazy dask."""


def find_columns(
    plane: Plane, params: ClassicalParams | None = None, region: np.ndarray | None = None
) -> Generator[Progress, None, Columns]:
    """Atomic columns of one image.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Intensities; numpy or lazy dask, read tile by tile. NaN and infinity are allowed.
    params : ClassicalParams
        Defaults suit most dark-field and ABF images.
    region : ndarray of bool, shape (Y, X), optional
        Search only where it is True.

    Yields
    ------
    Progress
        One for each tile and phase.

    Returns
    -------
    Columns
        Positions in px with intensity (height above the background), background, sigma_px, confidence; `fit` is
        `border` near the border. Empty if the image shows none.
    """
    params = params or ClassicalParams()
    yield Progress(0, 0, "looking the image over")
    view = view_of(plane, region)
    if view is None:
        return _no_columns(plane.shape)
    found = yield from _found_in(view, params)
    if region is not None and len(found):
        pixel = np.clip(np.rint(found.positions).astype(int), 0, np.array(region.shape) - 1)
        found = found.select(region[tuple(pixel.T)])
    return replace(found, provenance={"left_out": view.left_out}) if view.left_out else found


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """The part of an image that is searched.

    Attributes
    ----------
    plane : array, shape (Y, X)
        Numpy or lazy; not a number where nothing is to be found.
    start : ndarray, shape (2,), px, (y, x)
        Its first pixel in the whole image.
    content : ndarray, shape (2, 2), px
        First pixel of what is no frame, and the one after the last.
    shape : tuple of int
        Of the whole image.
    left_out : str
        What is no image in it, in words.
    """

    plane: Plane
    start: np.ndarray
    content: np.ndarray
    shape: tuple[int, ...]
    left_out: str


def searched_part(plane: Plane, region: np.ndarray | None) -> tuple[np.ndarray | None, str]:
    """Where an image is searched: the region without frames and bars; and what these are.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Of numpy or dask; very large ones are not looked at for frames and bars.
    region : ndarray of bool, shape (Y, X), or None
        True where columns are asked for; None is everywhere.

    Returns
    -------
    searched : ndarray of bool, shape (Y, X), or None
        None is everywhere.
    words : str
        Frames and bars in words; empty if there are none.
    """
    notes = find_annotations(np.asarray(plane)) if plane.size <= LARGEST_PICTURE else None
    if notes is None or not notes.words:
        return region, ""
    image = ~notes.mask
    return image if region is None else region & image, notes.words


def view_of(plane: Plane, region: np.ndarray | None) -> View | None:
    """What is searched of an image: without frames and bars, and around a region only; None if that is nothing.

    Around the region enough is looked at that its columns have their neighbours, which tell what a column is here.

    Parameters
    ----------
    plane : array, shape (Y, X)
        Of numpy or dask; very large ones are not looked at for frames and bars.
    region : ndarray of bool, shape (Y, X), or None
        True where columns are asked for; None is everywhere.

    Returns
    -------
    View or None
    """
    shape = np.array(plane.shape)
    start, stop = np.zeros(2, int), shape
    notes = find_annotations(np.asarray(plane)) if plane.size <= LARGEST_PICTURE else None
    if notes is not None and notes.words:
        image = np.where(notes.mask, np.nan, np.asarray(plane, np.float32))
        start, stop = _bounds(~notes.mask)
    content = np.stack([start, stop])
    if region is not None:
        if not region.any():
            return None
        first, last = _bounds(region)
        start, stop = np.maximum(start, first - AROUND_REGION), np.minimum(stop, last + AROUND_REGION)
    if np.any(stop <= start):
        return None
    window = tuple(slice(int(low), int(high)) for low, high in zip(start, stop, strict=True))
    left_out = notes.words if notes is not None else ""
    shown = image[window] if left_out else plane[window]
    return View(plane=shown, start=start, content=content, shape=tuple(plane.shape), left_out=left_out)


def _bounds(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First pixel (y, x) of what is True, and the one after the last."""
    lines = [np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1)]
    return np.array([line[0] for line in lines]), np.array([line[-1] + 1 for line in lines])


def _found_in(view: View, params: ClassicalParams) -> Generator[Progress, None, Columns]:
    """Columns of a part of an image, in pixels of the whole."""
    plane = view.plane
    yield Progress(0, 0, "measuring the column size")
    middle = np.asarray(centre_crop(plane, TILE_SIDE), dtype=np.float32)
    scale = estimate_scale(middle)
    if params.column_sigma is not None:
        order = scale.order if scale else 0.0
        spacing = scale.spacing_px if scale else 4 * params.column_sigma
        scale = ColumnScale(sigma_px=params.column_sigma, spacing_px=spacing, order=order)
    if scale is None:
        return _no_columns(view.shape)
    sign = polarity_sign(params.polarity, middle, max(NARROWEST_FILTER, USUAL_FILTER * scale.sigma_px))
    sigma = USUAL_FILTER * scale.sigma_px
    if params.column_sigma is None:
        sigma = yield from best_filter(sign * centre_crop(middle, TRIAL_SIDE), scale, params)
    sigma = max(NARROWEST_FILTER, sigma)
    cut = Cutter(plane=plane, sign=sign, sigma=sigma, tiles=tiles_of(plane.shape, TILE_SIDE, margin=int(np.ceil(8 * sigma))))
    peaks, otsu = yield from _search(cut)
    if len(peaks) == 0:
        return _no_columns(view.shape)
    yield Progress(len(cut.tiles), 2 * len(cut.tiles), "choosing columns")
    verdict = select_columns(
        peaks,
        otsu=otsu,
        sigma=sigma,
        shape=plane.shape,
        contrast=params.contrast,
        false_share=params.false_share,
    )
    accepted = peaks.pixel[verdict.keep]
    regions, background = yield from _measure(cut, accepted)
    return _columns(cut, view, params, peaks.height[verdict.keep], verdict.confidence[verdict.keep], regions, background, scale)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cutter:
    """An image, how to read a tile of it, and the width that it is searched at."""

    plane: Plane
    sign: float
    sigma: float
    tiles: list[Tile]

    def read(self, tile: Tile) -> np.ndarray:
        """One tile with its margin, float32, bright columns."""
        return self.sign * np.asarray(self.plane[tile.window], dtype=np.float32)


def best_filter(image: np.ndarray, scale: ColumnScale, params: ClassicalParams) -> Generator[Progress, None, float]:
    """Width of the band-pass, in px, that finds the most columns, each counted by how sure it is and how it recurs.

    Correlated noise makes the autocorrelation too narrow and touching columns make it too wide; what is found tells.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Columns bright; NaN allowed.
    scale : ColumnScale
        The filters that are tried are multiples of its width of the columns.
    params : ClassicalParams
        Tells contrast and false share.

    Yields
    ------
    Progress

    Returns
    -------
    float, px
        The usual multiple of the width of the columns if no filter finds any that recur.
    """
    best, most = USUAL_FILTER * scale.sigma_px, 0.0
    for factor in FILTERS_IN_COLUMN_SIGMA:
        yield Progress(0, 0, "choosing the filter")
        sigma = max(NARROWEST_FILTER, factor * scale.sigma_px)
        peaks, response = find_peaks(image, sigma)
        if len(peaks) == 0:
            continue
        verdict = select_columns(
            peaks,
            otsu=otsu_of(response),
            sigma=sigma,
            shape=image.shape,
            contrast=params.contrast,
            false_share=params.false_share,
        )
        if verdict.recurrence is None:
            continue
        worth = _worth(peaks.significance, verdict.recurrence)
        gain = _trust(factor) * float(np.sum(worth[verdict.keep]))
        if gain > most:
            best, most = sigma, gain
    return best


def _trust(factor: float) -> float:
    """How much a width of the band-pass is trusted before it has found anything."""
    return float(np.exp(-(np.log(factor / BEST_FILTER) ** 2) / (2 * FILTER_SPREAD**2)))


def _worth(significance: np.ndarray, recurrence: np.ndarray) -> np.ndarray:
    """How surely each maximum is a column, from 0 to 1, shape (N,)."""
    repeated = NEVER_REPEATED + (1 - NEVER_REPEATED) * recurrence / SURELY_REPEATED
    return np.asarray(-np.expm1(-significance / CERTAIN) * np.minimum(repeated, 1))


def otsu_of(values: np.ndarray) -> float:
    """Otsu's threshold; infinity for a constant."""
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values)) if values.size and np.ptp(values) > 0 else float("inf")


def polarity_sign(polarity: str, image: np.ndarray, sigma: float) -> float:
    """Whether columns are bright or dark: the response of a band-pass is skewed towards them.

    Parameters
    ----------
    polarity : {"auto", "bright", "dark"}
        Whatever is not ``auto`` is taken as it is, without a look at the image.
    image : ndarray, shape (Y, X)
        NaN allowed.
    sigma : float, px
        Width of the band-pass.

    Returns
    -------
    float
        +1 if columns are bright, -1 if they are dark.
    """
    if polarity != "auto":
        return 1.0 if polarity == "bright" else -1.0
    response = band_pass(repair(image)[0], sigma)
    around = response - response.mean()
    return 1.0 if float(np.mean(around * around * around)) >= 0 else -1.0


def _search(cut: Cutter) -> Generator[Progress, None, tuple[Peaks, float]]:
    """Peaks of the whole image and Otsu's threshold of its response."""
    parts, samples = [], []
    for index, tile in enumerate(cut.tiles):
        yield Progress(index, 2 * len(cut.tiles), "searching")
        peaks, response = find_peaks(cut.read(tile), cut.sigma)
        parts.append(_within(peaks, tile))
        thin = max(1, int(np.sqrt(response.size * len(cut.tiles) / 4e6)))
        samples.append(response[::thin, ::thin].ravel())
    return join(parts), otsu_of(np.concatenate(samples))


def _within(peaks: Peaks, tile: Tile) -> Peaks:
    """Peaks of the tile's core, in pixels of the whole image."""
    start = [part.start for part in tile.window]
    pixel, dark = peaks.pixel + start, peaks.dark + start
    mine, dark_mine = tile.owns(pixel), tile.owns(dark)
    return Peaks(
        pixel=pixel[mine],
        height=peaks.height[mine],
        significance=peaks.significance[mine],
        own=peaks.own[mine],
        dark=dark[dark_mine],
        decoys=peaks.decoys[dark_mine],
    )


def _measure(cut: Cutter, accepted: np.ndarray) -> Generator[Progress, None, tuple[Regions, np.ndarray]]:
    """Regions and background of the accepted maxima."""
    centre = np.zeros((len(accepted), 2))
    area = np.zeros(len(accepted), int)
    background = np.zeros(len(accepted))
    for index, tile in enumerate(cut.tiles):
        yield Progress(len(cut.tiles) + index, 2 * len(cut.tiles), "separating columns")
        start = np.array([part.start for part in tile.window])
        stop = np.array([part.stop for part in tile.window])
        seen = np.flatnonzero(np.all((accepted >= start) & (accepted < stop), axis=1))
        if len(seen) == 0:
            continue
        repaired, _ = repair(cut.read(tile))
        response = band_pass(repaired, cut.sigma)
        regions = measure_regions(response, accepted[seen] - start, cut.sigma)
        own = tile.owns(accepted[seen])
        centre[seen[own]] = regions.centre[own] + start
        area[seen[own]] = regions.area[own]
        background[seen[own]] = _level(repaired, response)[tuple((accepted[seen[own]] - start).T)]
    return Regions(centre=centre, area=area), background


def _level(image: np.ndarray, response: np.ndarray) -> np.ndarray:
    """What would be left of the image without its columns, whose height is twice the response."""
    return image - 2 * response


def _columns(
    cut: Cutter,
    view: View,
    params: ClassicalParams,
    height: np.ndarray,
    confidence: np.ndarray,
    regions: Regions,
    background: np.ndarray,
    scale: ColumnScale,
) -> Columns:
    positions = regions.centre + view.start
    margin = 2 * scale.sigma_px if params.border is None else params.border
    near = np.any((positions < view.content[0] + margin) | (positions > view.content[1] - 1 - margin), axis=1)
    features = pd.DataFrame(
        {
            "intensity": cut.sign * 2 * height,
            "background": cut.sign * background,
            "sigma_px": np.full(len(height), scale.sigma_px),
            "confidence": confidence,
            "fit": np.where(near, "border", "none"),
            "origin": "classical",
        }
    )
    found = Columns(positions=positions, features=features, image_shape=view.shape)
    large = (regions.area >= params.smallest_area) | near
    return found.select(large)


def _no_columns(shape: tuple[int, ...]) -> Columns:
    return Columns(positions=np.zeros((0, 2)), image_shape=tuple(int(n) for n in shape))
