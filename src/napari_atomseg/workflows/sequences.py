"""Sequences of frames: which columns are there when, and what becomes of them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from napari_atomseg.analysis.sequences.events import NO_CHANCE, Hops, coincidences, events_table, rates_of, sites_table
from napari_atomseg.analysis.sequences.params import SequenceParams
from napari_atomseg.analysis.sequences.scene import neighbour_distance
from napari_atomseg.core.columns import Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.farm import farm
from napari_atomseg.core.jobs import Progress, Steps, as_part, job
from napari_atomseg.core.micrograph import Micrograph
from napari_atomseg.core.params import to_dict
from napari_atomseg.inference.params import NetworkParams
from napari_atomseg.networks.catalogue import recognises
from napari_atomseg.workflows.choice import AUTO
from napari_atomseg.workflows.columns import locate
from napari_atomseg.workflows.provenance import attach_to_image
from napari_atomseg.workflows.sequence_frames import follow_frames
from napari_atomseg.workflows.sequence_sites import Followed, follow_average
from napari_atomseg.workflows.series import AlignedSeries, align

ALIGNED, FOUND = 0.4, 0.5
"""Shares of the time after which the frames are aligned, and the sites found."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequence:
    """What the columns of a stack of frames do.

    Attributes
    ----------
    columns : Columns
        Of every frame, in its own pixels, with the features ``site`` (-1 for columns of no site), ``existence_probability`` and,
        where the time between frames is known, ``time_s``.
    sites : DataFrame
        ``site, y_px, x_px, occupancy, occupancy_std, appearances, disappearances, hops``: places in the pixels of the first
        frame, shares of the frames and expected numbers of events; further ``appearances_std, disappearances_std``.
    events : DataFrame
        ``frame, site, kind, from_site``: kind is appearance, disappearance or hop, `frame` the first one after it, `from_site`
        -1 but for hops; further ``probability`` and, where the time between frames is known, ``time_s``.
    drift : DataFrame
        ``frame, y_px, x_px``: where the content moved; empty (NaN) for frames that are left out; ``time_s`` if known.
    presence : ndarray, shape (S, T)
        Probability that a column stands at each site in each frame; NaN in frames that are left out.
    numbers : dict
        Rates, verdicts and parameters, fit for JSON.
    """

    columns: Columns
    sites: pd.DataFrame
    events: pd.DataFrame
    drift: pd.DataFrame
    presence: np.ndarray
    numbers: dict[str, Any]


@job
def sequence(
    micrograph: Micrograph,
    *,
    model: str | None = None,
    params: SequenceParams | None = None,
    network: NetworkParams | None = None,
    sites: Columns | None = None,
    jobs: int = 1,
    cluster: str | None = None,
) -> Generator[Progress, None, Sequence]:
    """Follow the columns of a stack of frames: sites, occupancy, appearances, disappearances and hops.

    Parameters
    ----------
    micrograph : Micrograph
        A stack (T, Y, X), numpy or lazy.
    model : str, optional
        The finder, as of :func:`napari_atomseg.workflows.locate`.
    params : SequenceParams, optional
    network : NetworkParams, optional
        How a network is asked for columns.
    sites : Columns, optional
        Columns of one frame, corrected by hand: these are the sites, carried on to all frames; none is looked for or left out.
    jobs : int
        Processes that work on the frames; the result is the same.
    cluster : str, optional
        Address of a dask scheduler that does so instead, such as ``tcp://host:8786``.

    Returns
    -------
    Sequence

    Raises
    ------
    AtomsegError
        If there is one frame only, nothing is seen, or the frames do not belong together.
    """
    asked = params or SequenceParams()
    if micrograph.frames < 2:
        raise AtomsegError(
            f"{micrograph.name} is a single frame; a sequence has two or more: give a stack with a time axis, or use locate"
        )
    with farm(jobs, cluster) as workers:
        aligned = yield from as_part(align.steps(micrograph), 0, ALIGNED, "aligning")
        shifts = np.array(aligned.numbers["shifts_px"], float)
        good = np.array(aligned.good)
        average = np.asarray(aligned.average.data)
        own = yield from as_part(_sites(aligned.average, sites, shifts, model, network, asked), ALIGNED, FOUND, "average")
        if own is None:
            finder = model or AUTO
            steps = follow_frames(micrograph, shifts[good], good, finder, network or NetworkParams(), asked, workers)
        else:
            if not len(own):
                raise AtomsegError(f"{micrograph.name}: the average of the frames shows no columns; {_MENDED}")
            steps = follow_average(micrograph, average, own, shifts[good], good, asked, workers, sites is not None)
        followed = yield from as_part(steps, FOUND, 1, "following")
    return _result(micrograph, followed, aligned, good, asked, model, network, own)


_MENDED = "look at it with align, name a finder with --model, or look in each frame (--positions frames)"


def _sites(
    average: Micrograph,
    sites: Columns | None,
    shifts: np.ndarray,
    model: str | None,
    network: NetworkParams | None,
    params: SequenceParams,
) -> Steps[Columns | None]:
    """Sites on the average, in the pixels of frame 0; None where columns are to be looked for in each frame."""
    if sites is not None:
        if params.positions == "frames":
            raise AtomsegError("given sites are followed in the average; positions from frames have no effect on them")
        numbers = np.unique(sites.frame)
        if len(numbers) != 1 or numbers[0] >= len(shifts) or not np.isfinite(shifts[numbers[0]]).all():
            raise AtomsegError("the given sites belong to one frame that was aligned; choose the columns of one such frame")
        return replace(sites, positions=sites.positions - shifts[numbers[0]], frame=np.zeros(len(sites), int))
    if params.positions == "frames":
        return None
    found = yield from locate.steps(average, model=model, network=network)
    structures = recognises(str(found.provenance.get("model", "")))
    return None if params.positions == "auto" and structures else found


def _result(
    stack: Micrograph,
    followed: Followed,
    aligned: AlignedSeries,
    good: np.ndarray,
    params: SequenceParams,
    model: str | None,
    network: NetworkParams | None,
    own: Columns | None,
) -> Sequence:
    reach = params.hop_distance * neighbour_distance(followed.places)
    hops = coincidences(followed.presence, followed.places, good, reach if np.isfinite(reach) else 0.0)
    events = events_table(followed.presence, hops, good)
    sites = sites_table(followed.places, followed.stds, followed.presence, followed.visible, events)
    shifts = np.array(aligned.numbers["shifts_px"], float)
    drift = pd.DataFrame({"frame": np.arange(stack.frames), "y_px": shifts[:, 0], "x_px": shifts[:, 1]})
    columns = followed.columns
    if stack.frame_time_s:
        events = events.assign(time_s=events["frame"] * stack.frame_time_s)
        drift = drift.assign(time_s=drift["frame"] * stack.frame_time_s)
        columns = columns.with_features(time_s=columns.frame * stack.frame_time_s)
    presence = np.full((len(sites), stack.frames), np.nan)
    presence[:, good] = np.where(followed.visible, followed.presence.probability, np.nan)
    finder = (columns if own is None else own).provenance
    numbers: dict[str, Any] = {
        "frames": stack.frames,
        "sites": len(sites),
        "positions": "frames" if own is None else "average",
        "model": finder.get("model"),
        "model_chosen_because": finder.get("model_chosen_because", ""),
        "frame_time_s": stack.frame_time_s,
        "rates": rates_of(followed.presence, stack.frame_time_s),
        "hops": {
            "coincidences": len(hops.pairs),
            "expected_by_chance": hops.expected,
            "probability": hops.probability,
        },
        "dropped_frames": aligned.numbers["dropped_frames"],
        "verdicts": _verdicts(followed, aligned, hops, stack),
        "learnt": followed.numbers,
        "parameters": to_dict(params),
    }
    details = {"model": finder.get("model"), "sequence": numbers, "network": to_dict(network) if network else {}}
    return Sequence(
        columns=attach_to_image(columns, stack, details),
        sites=sites,
        events=events,
        drift=drift,
        presence=presence,
        numbers=numbers,
    )


def _verdicts(followed: Followed, aligned: AlignedSeries, hops: Hops, stack: Micrograph) -> list[str]:
    """What the data cannot tell, and what was left out, in sentences."""
    found = [aligned.numbers["verdict"]] if aligned.numbers["verdict"] else []
    if aligned.left_out:
        found.append(aligned.left_out)
    if followed.numbers["identical_frames"]:
        found.append("all frames are one and the same image, so nothing can happen in them")
    if hops.pairs and hops.probability < NO_CHANCE:
        found.append(
            f"{len(hops.pairs)} times a column disappears while another one appears nearby, of which chance alone gives "
            f"{hops.expected:.1f}, so none is called a hop"
        )
    if not stack.frame_time_s:
        found.append("the time between frames is unknown, so rates are per frame")
    return found
