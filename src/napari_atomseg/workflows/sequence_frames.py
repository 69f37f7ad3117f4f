"""A sequence by the columns that a finder sees in each of its frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_atomseg.analysis.frame_sites import sites_of_frames
from napari_atomseg.analysis.sequences.params import SequenceParams
from napari_atomseg.analysis.sequences.presence import detections, follow
from napari_atomseg.core.columns import EXISTENCE, Columns, join_frames
from napari_atomseg.core.farm import Farm
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.workflows.columns import locate
from napari_atomseg.workflows.sequence_sites import Followed


def columns_of_frame(image: Micrograph, model: str, network: NetworkParams) -> Columns:
    """Columns of one frame by a finder; a function of its own, so that other processes can be given it.

    Parameters
    ----------
    image : Micrograph
        The frame.
    model : str
        The finder.
    network : NetworkParams
    """
    return locate(image, model=model, network=network)


def follow_frames(
    stack: Micrograph,
    shifts: np.ndarray,
    frames: np.ndarray,
    model: str,
    network: NetworkParams,
    params: SequenceParams,
    farm: Farm,
) -> Steps[Followed]:
    """Follow the columns that a finder sees in each frame by itself.

    Parameters
    ----------
    stack : Micrograph
    shifts : ndarray, shape (T, 2), px
        Of the frames that are looked at.
    frames : ndarray of int, shape (T,)
        Their numbers.
    model : str
        The finder.
    network : NetworkParams
    params : SequenceParams
    farm : Farm
    """
    tasks = ((replace(stack, data=stack.frame(int(k)), metadata={}), model, network) for k in frames)
    parts = []
    for place, one in enumerate(farm.each(columns_of_frame, tasks)):
        parts.append(replace(one, frame=np.full(len(one), place)))
        yield Progress(place + 1, len(frames), "finding columns")
    every = join_frames(parts)
    steady = replace(every, positions=every.positions - shifts[every.frame])
    site = sites_of_frames(steady)
    number = int(site.max(initial=-1)) + 1
    seen = np.zeros((number, len(frames)), bool)
    good = site >= 0
    seen[site[good], every.frame[good]] = True
    count = np.bincount(site[good], minlength=number)
    summed = np.stack([np.bincount(site[good], steady.positions[good, k], number) for k in range(2)], -1)
    places = summed / np.maximum(count, 1)[:, None]
    there = places[:, None] + shifts
    visible = np.all((there >= 0) & (there <= np.array(stack.shape[-2:]) - 1), axis=2) | seen
    ratio = detections(seen, visible)
    kept = (count >= params.least_frames) & (follow(ratio).probability.sum(axis=1) > params.least_frames - 0.5)
    course = follow(ratio[kept])
    renamed = np.where(kept, np.cumsum(kept) - 1, -1) if number else np.zeros(0, int)
    site = np.where(good, renamed[site] if number else -1, -1)
    scatter = np.array(
        [np.std(steady.positions[site == k], axis=0) / np.sqrt(max(int((site == k).sum()), 1)) for k in range(int(kept.sum()))]
    ).reshape(-1, 2)
    chance = np.full(len(site), np.nan)
    chance[site >= 0] = course.probability[site[site >= 0], every.frame[site >= 0]]
    columns = replace(every, frame=frames[every.frame], image_shape=stack.shape).with_features(site=site, **{EXISTENCE: chance})
    return Followed(
        places=places[kept],
        stds=scatter,
        presence=course,
        visible=visible[kept],
        columns=columns,
        numbers={"sites_left_out": int(np.sum(~kept)), "identical_frames": False},
    )
