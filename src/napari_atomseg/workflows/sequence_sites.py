"""Sites found on the average of a sequence, and what the pixels of each frame say of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_atomseg.analysis.sequences.evidence import Evidence, Moment, Scene, look
from napari_atomseg.analysis.sequences.new_sites import new_places
from napari_atomseg.analysis.sequences.params import SequenceParams
from napari_atomseg.analysis.sequences.presence import SHARES, Presence, dispersion, follow, site_evidence
from napari_atomseg.analysis.sequences.scene import (
    Gathered,
    Gathering,
    first_heights,
    improved,
    levels_of,
    neighbour_distance,
    noise_of,
    novel_height,
    scene_of,
)
from napari_atomseg.core.columns import EXISTENCE, Columns
from napari_atomseg.core.farm import Farm
from napari_atomseg.core.jobs import Progress, Steps, as_part
from napari_atomseg.core.micrograph import Micrograph

LOOKS, LOOKING_FOR_MORE = 6, (1, 2, 3)
"""Passes over the frames after the first one, and those in which further sites are looked for."""
FAINTER = 0.85
"""Further sites are looked for with columns of this height, in units of those that come and go."""
NEAREST = 0.5
"""Sites are at least so far apart, in units of the usual distance of neighbours."""
NARROWEST = 0.7
THERE = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Followed:
    """Sites, and what becomes of them in the frames that were looked at.

    Attributes
    ----------
    places, stds : ndarray, shape (S, 2), px, (y, x)
        In frame 0.
    presence : Presence
    visible : ndarray of bool, shape (S, T)
    columns : Columns
        Of every frame, with the feature ``site``.
    numbers : dict
        What was learnt.
    """

    places: np.ndarray
    stds: np.ndarray
    presence: Presence
    visible: np.ndarray
    columns: Columns
    numbers: dict[str, Any]


def looked_at(
    farm: Farm, stack: Micrograph, frames: np.ndarray, moments: list[Moment], scene: Scene, what: str
) -> Steps[tuple[Gathered, bool]]:
    """The evidence of all frames in one pass, and whether all of them are one and the same.

    Parameters
    ----------
    farm : Farm
        Its workers look at the frames.
    stack : Micrograph
    frames : ndarray of int, shape (T,)
        Numbers of the frames that are looked at.
    moments : list of Moment, length T
        What is known of each.
    scene : Scene
        What all have in common.
    what : str
        The step's name in progress.
    """
    novel = bool(moments[0].novel)
    gathering = Gathering(len(scene.places), len(frames), (stack.shape[-2], stack.shape[-1]), SHARES if novel else ())
    sums: set[int] = set()

    def tasks() -> Iterator[tuple[np.ndarray, Moment, Scene]]:
        for frame, moment in zip(frames, moments, strict=True):
            image = stack.frame(int(frame))
            sums.add(zlib.crc32(np.ascontiguousarray(image).tobytes()))
            yield image, moment, scene

    found: Iterator[Evidence] = farm.each(look, tasks())
    for place, one in enumerate(found):
        gathering.take(place, one)
        yield Progress(place + 1, len(frames), what)
    return gathering.all(), len(sums) == 1


def follow_average(
    stack: Micrograph,
    average: np.ndarray,
    sites: Columns,
    shifts: np.ndarray,
    frames: np.ndarray,
    params: SequenceParams,
    farm: Farm,
    given: bool,
) -> Steps[Followed]:
    """Follow sites that were found on the average, and others that show only when the frames are looked at one by one.

    Parameters
    ----------
    stack : Micrograph
    average : ndarray, shape (Y, X)
        On the grid of frame 0.
    sites : Columns
        Found on it.
    shifts : ndarray, shape (T, 2), px
        Of the frames that are looked at.
    frames : ndarray of int, shape (T,)
        Their numbers.
    params : SequenceParams
    farm : Farm
    given : bool
        The sites were given: none is added and none left out.
    """
    places = sites.positions[np.isfinite(sites.positions).all(axis=1)]
    scene = scene_of(average, places, _width_of(sites))
    apart = _apart(scene)
    total = LOOKS + 1
    moments = [Moment(shift=shift, presence=np.ones(len(places))) for shift in shifts]
    found, same = yield from _part(looked_at(farm, stack, frames, moments, scene, "first look"), 0, total)
    course, scene = _after_first_look(found, scene)
    levels, spread = (np.ones(len(frames)),) * 2, 1.0
    least = float(np.log(average.size / (2 * np.pi * scene.sigma**2) / params.false_share))
    for number in range(LOOKS):
        novel = _height_of_more(scene, course) if number in LOOKING_FOR_MORE and not given else 0.0
        moments = [
            Moment(shift=shift, presence=course.probability[:, k], level=levels[0][k], contrast=levels[1][k], novel=novel)
            for k, shift in enumerate(shifts)
        ]
        found, same = yield from _part(looked_at(farm, stack, frames, moments, scene, "following sites"), number + 1, total)
        course = follow(found.ratio / spread)
        spread = dispersion(found.height, found.variance, course.probability)
        course = follow(found.ratio / spread)
        levels = levels_of(found.levels)
        if number < LOOKS - 1:
            scene = improved(scene, found, course.probability, average)
            course, scene = _with_more(found, course, scene, novel, spread, least, apart)
    kept = np.ones(len(scene.places), bool) if given else _kept(found, course, spread, least, params.least_frames)
    stds = 1 / np.sqrt(np.maximum(found.stiffness, 1e-12))
    course = follow(found.ratio[kept] / spread)
    columns = _columns_there(stack, scene, kept, course, found, shifts, frames, stds)
    return Followed(
        places=scene.places[kept],
        stds=stds[kept],
        presence=course,
        visible=found.seen[kept],
        columns=columns,
        numbers={
            "column_sigma_px": scene.sigma,
            "gain": scene.gain,
            "offset": scene.offset,
            "dispersion": spread,
            "sites_left_out": int(np.sum(~kept)),
            "identical_frames": same,
        },
    )


def _after_first_look(found: Gathered, scene: Scene) -> tuple[Presence, Scene]:
    """When sites that were taken to be there always were there, and the scene with their heights and the frames' noise."""
    gain, offset = noise_of(found.noise)
    heights = first_heights(found)
    unsure = found.variance * gain / scene.gain
    evidence = np.nan_to_num(found.height) * heights[:, None] - heights[:, None] ** 2 / 2
    course = follow(np.divide(evidence, unsure, out=np.zeros_like(evidence), where=found.seen & (unsure > 0)))
    offset = min(offset, float(scene.background.min()) - 1e-9)
    return course, replace(scene, heights=heights, gain=gain, offset=offset)


def _height_of_more(scene: Scene, course: Presence) -> float:
    """Height of the columns by which further sites are looked for; 0 if no column comes or goes."""
    usual, _ = novel_height(scene.heights, course.probability)
    return FAINTER * usual if np.isfinite(usual) else 0.0


def _part(steps: Steps[Any], number: int, total: int) -> Steps[Any]:
    return (yield from as_part(steps, number / total, (number + 1) / total, "frames"))


def _width_of(sites: Columns) -> float:
    """Usual width of the columns, px; where the finder tells none, a quarter of the distance of neighbours."""
    widths = sites.features["sigma_px"].to_numpy(float)
    good = np.isfinite(widths) & (widths > 0) & ~sites.flagged
    if good.any():
        return max(float(np.median(widths[good])), NARROWEST)
    apart = neighbour_distance(sites.positions)
    return max(apart / 4, NARROWEST) if np.isfinite(apart) else 2.0


def _apart(scene: Scene) -> float:
    distance = neighbour_distance(scene.places)
    return max(2 * scene.sigma, NEAREST * distance) if np.isfinite(distance) else 3 * scene.sigma


def _with_more(
    found: Gathered, course: Presence, scene: Scene, novel: float, spread: float, least: float, apart: float
) -> tuple[Presence, Scene]:
    """Sites that the evidence of the frames adds, as likely there as not."""
    if found.novelty is None:
        return course, scene
    more = new_places(found.novelty / spread, scene.places, scene.sigma, least, apart)
    if not len(more):
        return course, scene
    heights = np.full(len(more), novel / FAINTER)
    begun = np.full((len(more), course.probability.shape[1]), 0.3)
    return (
        replace(course, probability=np.concatenate([course.probability, begun])),
        replace(scene, places=np.concatenate([scene.places, more]), heights=np.concatenate([scene.heights, heights])),
    )


def _kept(found: Gathered, course: Presence, spread: float, least: float, frames: int) -> np.ndarray:
    """Sites (S,) that surely exist and are occupied in enough frames."""
    return (site_evidence(found.ratio / spread) > least) & (course.probability.sum(axis=1) > frames - 0.5)


def _columns_there(
    stack: Micrograph,
    scene: Scene,
    kept: np.ndarray,
    course: Presence,
    found: Gathered,
    shifts: np.ndarray,
    frames: np.ndarray,
    stds: np.ndarray,
) -> Columns:
    """Columns of all frames where one is more likely there than not, at the place of the site."""
    import pandas as pd

    seen, heights = found.seen[kept], found.height[kept]
    time, site = np.argwhere((course.probability > THERE).T & seen.T).T
    places = scene.places[kept][site] + shifts[time]
    number = len(time)
    features = pd.DataFrame(
        {
            "y_std_px": stds[kept][site, 0],
            "x_std_px": stds[kept][site, 1],
            "intensity": heights[site, time],
            "sigma_px": np.full(number, scene.sigma),
            "confidence": course.probability[site, time],
            "fit": ["none"] * number,
            "origin": ["model"] * number,
            "site": site,
            EXISTENCE: course.probability[site, time],
        }
    )
    return Columns(positions=places, frame=frames[time], features=features, pixel_size=stack.pixel_size, image_shape=stack.shape)
