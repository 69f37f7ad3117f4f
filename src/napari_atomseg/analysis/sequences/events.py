"""Tables of what happened: sites with their occupancy, and events with hops told from chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from napari_atomseg.analysis.sequences.presence import Presence

APPEARANCE, DISAPPEARANCE, HOP = "appearance", "disappearance", "hop"
SITE_NAMES = ("site", "y_px", "x_px", "occupancy", "occupancy_std", "appearances", "disappearances", "hops")
EVENT_NAMES = ("frame", "site", "kind", "from_site")
NO_CHANCE = 0.5
"""Coincidences are called hops if at least this share of them is not by chance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hops:
    """Disappearances and appearances of near sites in the same frame.

    Attributes
    ----------
    pairs : tuple of tuple of int
        Frame, site that was left, site that was taken.
    expected : float
        How many of them independent events give by chance.
    """

    pairs: tuple[tuple[int, int, int], ...]
    expected: float

    @property
    def probability(self) -> float:
        """That one of them is a hop, and no coincidence."""
        return max(0.0, 1 - self.expected / len(self.pairs)) if self.pairs else 0.0


def coincidences(presence: Presence, places: np.ndarray, frames: np.ndarray, reach: float) -> Hops:
    """Events of near sites that may be hops, each in one pair at most, the nearest first.

    Parameters
    ----------
    presence : Presence
    places : ndarray, shape (S, 2), px
    frames : ndarray of int, shape (T,)
        Numbers of the frames.
    reach : float, px
        Farthest hop.
    """
    moves = np.diff(presence.path.astype(int), axis=1)
    near = cKDTree(places).query_pairs(reach, output_type="ndarray") if reach > 0 and len(places) else np.zeros((0, 2), int)
    left, came = (moves < 0).sum(axis=1), (moves > 0).sum(axis=1)
    a, b = near.T
    steps = max(moves.shape[1], 1)
    expected = float(np.sum(left[a] * came[b] + left[b] * came[a])) / steps
    order = np.argsort(np.hypot(*(places[a] - places[b]).T), kind="stable")
    pairs: list[tuple[int, int, int]] = []
    for time in np.flatnonzero((moves > 0).any(axis=0) & (moves < 0).any(axis=0)):
        taken: set[int] = set()
        for one, other in np.concatenate([near[order], near[order][:, ::-1]]):
            if moves[one, time] < 0 < moves[other, time] and not {int(one), int(other)} & taken:
                taken |= {int(one), int(other)}
                pairs.append((int(frames[time + 1]), int(one), int(other)))
    return Hops(pairs=tuple(pairs), expected=expected)


def events_table(presence: Presence, hops: Hops, frames: np.ndarray) -> pd.DataFrame:
    """Events of the most likely course: ``frame, site, kind, from_site, probability``, in order of time.

    Parameters
    ----------
    presence : Presence
    hops : Hops
    frames : ndarray of int, shape (T,)
        Numbers of the frames; an event stands at the first frame after it.
    """
    rows: list[tuple[int, int, str, int, float]] = []
    at = {int(frame): place for place, frame in enumerate(frames)}
    called = hops.pairs if hops.probability >= NO_CHANCE else ()
    hopped = {(frame, site) for frame, left, came in called for site in (left, came)}
    for frame, left, came in called:
        step = at[frame] - 1
        sure = min(presence.disappearing[left, step], presence.appearing[came, step]) * hops.probability
        rows.append((frame, came, HOP, left, float(sure)))
    moves = np.diff(presence.path.astype(int), axis=1)
    for site, step in np.argwhere(moves != 0):
        frame = int(frames[step + 1])
        if (frame, int(site)) not in hopped:
            came = moves[site, step] > 0
            sure = (presence.appearing if came else presence.disappearing)[site, step]
            rows.append((frame, int(site), APPEARANCE if came else DISAPPEARANCE, -1, float(sure)))
    rows.sort(key=lambda row: row[:2])
    return pd.DataFrame(rows, columns=[*EVENT_NAMES, "probability"]).astype(
        {"frame": int, "site": int, "from_site": int, "probability": float, "kind": object}
    )


def sites_table(
    places: np.ndarray, stds: np.ndarray, presence: Presence, visible: np.ndarray, events: pd.DataFrame
) -> pd.DataFrame:
    """Places, occupancy and expected numbers of events of the sites.

    Parameters
    ----------
    places, stds : ndarray, shape (S, 2), px, (y, x)
        In frame 0, and their standard deviations.
    presence : Presence
    visible : ndarray of bool, shape (S, T)
        Whether the site is seen in the frame.
    events : DataFrame
        Of :func:`events_table`.
    """
    number = np.maximum(visible.sum(axis=1), 1)
    there = np.where(visible, presence.probability, 0.0)
    # States of neighbouring frames are alike, and so are errors about them.
    memory = np.clip(1 - presence.rates.sum(axis=1), 0.0, 0.95)
    unsure = np.sum(np.where(visible, presence.probability * (1 - presence.probability), 0.0), axis=1)
    hops = events.loc[events["kind"] == HOP, "site"].value_counts()
    sites = np.arange(len(places))
    return pd.DataFrame(
        {
            "site": sites,
            "y_px": places[:, 0],
            "x_px": places[:, 1],
            "occupancy": there.sum(axis=1) / number,
            "occupancy_std": np.sqrt(unsure * (1 + memory) / (1 - memory)) / number,
            "appearances": presence.appearing.sum(axis=1),
            "disappearances": presence.disappearing.sum(axis=1),
            "hops": hops.reindex(sites, fill_value=0).to_numpy(int),
            "appearances_std": np.sqrt((presence.appearing * (1 - presence.appearing)).sum(axis=1)),
            "disappearances_std": np.sqrt((presence.disappearing * (1 - presence.disappearing)).sum(axis=1)),
            "y_std_px": stds[:, 0],
            "x_std_px": stds[:, 1],
        }
    )


def rates_of(presence: Presence, frame_time: float | None) -> dict[str, Any]:
    """Rates over all sites, each with its standard deviation: per frame, and per second if the time of a frame is known."""
    found: dict[str, Any] = {}
    before = presence.probability[:, :-1]
    for name, events, time in (
        ("appearances", presence.appearing, float((1 - before).sum())),
        ("disappearances", presence.disappearing, float(before.sum())),
    ):
        number = float(events.sum())
        rate = (number / time, float(np.sqrt(number + float((events * (1 - events)).sum()))) / time) if time > 0 else (None, None)
        found[name] = {
            "expected_number": number,
            "per_frame": rate[0],
            "per_frame_std": rate[1],
            "per_second": rate[0] / frame_time if frame_time and rate[0] is not None else None,
            "per_second_std": rate[1] / frame_time if frame_time and rate[1] is not None else None,
        }
    return found
