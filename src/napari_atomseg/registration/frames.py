"""The frames of a series on each other: shifts of all together, whether the data tells them, and which frames are no good.

Neighbours in time are correlated first: a crystal looks the same after a shift by one of its periods, so the shortest shift is
taken, unless something that does not repeat (a corner, a defect, a border) speaks against it. Then each frame is fitted to the
mean of the others, so that errors do not add up along the series.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.jobs import Progress, Steps
from napari_atomseg.registration.frame_fit import FitFrame, FrameShift, fit_frame, fit_shift
from napari_atomseg.registration.frame_pairs import PairShifts, SearchFrame, pair_shifts, search_frame
from napari_atomseg.registration.uniform_shift import moved, shiftable

Frames = Callable[[int], np.ndarray]
"""Gives one frame, (Y, X), by its number."""
PASSES = 2
KEPT = 600 * 2**20
"""Bytes of prepared frames that are kept."""
SAME_CONTENT = 0.5
"""A frame is left out if its correlation with the others is below this share of the usual one."""
LEAST_CORRELATION, USUAL = 0.02, 0.8
SURE = 4.0
"""Standard errors by which one shift has to be better than another that differs by a period of the lattice."""
OVERRULED = 6.0
"""The same for a longer shift to be taken in place of the shortest one."""
CLEARLY, STANDS_OUT = 0.003, 6.0
"""The highest peak of one pair is taken in place of the shortest shift if it is higher than all others by the first, and by so
many times what noise makes of it."""
LITTLE_IN_COMMON = 0.4
TOLD = 1.0
"""Standard deviation in px from which on the data does not tell a shift."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameShifts:
    """Where the content of each frame lies.

    Attributes
    ----------
    shifts, stds : ndarray, shape (T, 2), px, (y, x)
        A feature at p in frame 0 lies at p + shift in frame k; the standard deviations are those of one frame's own fit. NaN for
        frames that are left out.
    brightness : ndarray, shape (T,)
        Contrast in units of that of all.
    correlation : ndarray, shape (T,)
        With the mean of the others.
    dropped : tuple of int
        Frames that show something else, or nothing.
    verdict : str
        What the data cannot tell, in a sentence; empty if there is no such doubt.
    """

    shifts: np.ndarray
    stds: np.ndarray
    brightness: np.ndarray
    correlation: np.ndarray
    dropped: tuple[int, ...]
    verdict: str


def register_frames(frame_of: Frames, number: int, shape: tuple[int, int], passes: int = PASSES) -> Steps[FrameShifts]:
    """Shifts of all frames of a series.

    Parameters
    ----------
    frame_of : callable
        Gives frame k, shape (Y, X), float32; what is not finite is unknown.
    number : int
        Of frames, T.
    shape : tuple of int
        (Y, X).
    passes : int
        How often each frame is fitted to the mean of the others.

    Returns
    -------
    FrameShifts

    Raises
    ------
    AtomsegError
        If fewer than two frames show anything.
    """
    total = number * (1 + 2 * passes)
    pairs = yield from _chain(frame_of, number, total)
    shifts, good = pairs.shifts, pairs.good
    fitted: list[FrameShift | None] = [None] * number
    prepared = _prepared(frame_of, shape, number)
    for one in range(passes):
        done = number * (1 + 2 * one)
        mean, count = yield from _mean(prepared, shifts, good, done, total)
        used = int(good.sum())
        for k in np.flatnonzero(good):
            yield Progress(done + number + int(k), total, "fitting shifts")
            frame = prepared(int(k))
            others = _without(mean, count, frame, shifts[k])
            if one == 0 and used > 2:
                shifts[k] = _where_the_others_say(frame, others, shifts[k])
            fitted[k] = fit_shift(frame, others, shifts[k], 1 / max(used - 1, 1))
        shifts, good = _taken_over(shifts, good, fitted)
    return _finished(shifts, good, fitted, pairs)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chain:
    """Shifts that were added up from frame to frame, and what other shifts there are."""

    shifts: np.ndarray
    good: np.ndarray
    doubts: np.ndarray
    overruled: bool


def _chain(frame_of: Frames, number: int, total: int) -> Steps[_Chain]:
    searched = lru_cache(maxsize=4)(lambda k: search_frame(frame_of(k)))
    good = np.ones(number, bool)
    found: dict[tuple[int, int], PairShifts] = {}
    for k in range(number):
        yield Progress(k, total, "comparing frames")
        good[k] = not searched(k).empty
        if k and good[k] and good[k - 1]:
            found[k - 1, k] = pair_shifts(searched(k - 1), searched(k))
    if good.sum() < 2:
        raise AtomsegError("fewer than two frames show anything; there is nothing to align")
    heights = np.array([pair.highest for pair in found.values()])
    # Each stranger spoils two pairs, so that the median may be theirs.
    usual = float(np.quantile(heights, USUAL)) if len(heights) else 1.0
    _leave_out_strangers(good, found, max(SAME_CONTENT * usual, LEAST_CORRELATION), searched)
    links = _links(good, found, searched)
    steps, doubts, overruled = _chosen(list(links.values()))
    shifts = np.full((number, 2), np.nan)
    first = int(np.argmax(good))
    shifts[first] = 0.0
    for (before, after), step in zip(links, steps, strict=True):
        shifts[after] = shifts[before] + step
    return _Chain(shifts=shifts - shifts[first], good=good, doubts=doubts, overruled=overruled)


def _leave_out_strangers(
    good: np.ndarray, found: dict[tuple[int, int], PairShifts], least: float, searched: Callable[[int], SearchFrame]
) -> None:
    """Leave out frames that look like no neighbour; those whose neighbours do so are compared with the nearest ones left."""
    if good.sum() < 3:
        return
    alike = {k for pair, one in found.items() if one.highest >= least for k in pair}
    if len(alike) < 2:
        return
    for k in np.flatnonzero(good):
        if k not in alike:
            nearest = min(alike, key=lambda other: abs(other - int(k)))
            pair = (min(nearest, int(k)), max(nearest, int(k)))
            good[k] = pair_shifts(searched(pair[0]), searched(pair[1])).highest >= least


def _links(
    good: np.ndarray, found: dict[tuple[int, int], PairShifts], searched: Callable[[int], SearchFrame]
) -> dict[tuple[int, int], PairShifts]:
    """Pairs of frames that are good and follow each other, those between which others were left out compared anew."""
    left = [int(k) for k in np.flatnonzero(good)]
    pairs = itertools.pairwise(left)
    return {pair: found[pair] if pair in found else pair_shifts(searched(pair[0]), searched(pair[1])) for pair in pairs}


def _chosen(links: list[PairShifts]) -> tuple[np.ndarray, np.ndarray, bool]:
    """The step of each pair (N, 2), periods that the data does not exclude (M, 2), and whether longer steps were taken.

    The shortest shift of each pair is taken, unless another one is surely better. All pairs together then say whether all of them
    are a period longer, as in a drift that is steady and fast.
    """
    likeliest = [_likeliest(one) for one in links]
    longer = any(place for place in likeliest)
    steps = np.array([one.shifts[place] for one, place in zip(links, likeliest, strict=True)]).reshape(-1, 2)
    periods = _periods(links)
    if len(periods) == 0 or len(links) == 0:
        return steps, np.zeros((0, 2)), longer
    better, doubts = None, []
    for period in periods:
        gains = np.array([_gain(one, step + period) for one, step in zip(links, steps, strict=True)])
        known = gains[np.isfinite(gains)]
        if len(known) < max(1, len(gains) // 2):
            continue
        mean, error = float(known.mean()), _standard_error(known)
        if mean > OVERRULED * error and len(known) > 2 and (better is None or mean > better[0]):
            better = mean, period
        elif mean > -SURE * error:
            doubts.append(period)
    if better is not None:
        steps = np.array([_nearest(one, step + better[1]) for one, step in zip(links, steps, strict=True)])
    return steps, np.array(doubts).reshape(-1, 2), longer or better is not None


def _likeliest(pair: PairShifts, shift: np.ndarray | None = None) -> int:
    """The peak at a shift (the shortest one), or one around it that is higher than all others by more than noise makes it."""
    here, around = pair.around(pair.shifts[0] if shift is None else shift)
    if len(around) == 0:
        return here
    heights = pair.heights[around]
    best = int(around[np.argmax(heights)])
    rivals = np.append(np.sort(heights)[:-1], pair.heights[here])
    return best if pair.heights[best] - rivals.max() > max(CLEARLY, STANDS_OUT * pair.noise) else here


def _periods(links: list[PairShifts]) -> np.ndarray:
    """Differences of the shortest shift of a pair and its next ones, met in most pairs, shape (M, 2)."""
    differences = [one.shifts[1:9] - one.shifts[0] for one in links if len(one.shifts) > 1]
    if not differences:
        return np.zeros((0, 2))
    everything = np.concatenate(differences)
    found: list[np.ndarray] = []
    for one in differences[len(differences) // 2]:
        near = everything[np.hypot(*(everything - one).T) < max(2.0, 0.1 * float(np.hypot(*one)))]
        if len(near) >= max(1, len(links) // 2):
            found.append(near.mean(axis=0))
    return np.array(found).reshape(-1, 2)


def _gain(pair: PairShifts, shift: np.ndarray) -> float:
    """By how much the correlation is higher at another shift; NaN where it has no peak near there."""
    apart = np.hypot(*(pair.shifts - shift).T)
    place = int(np.argmin(apart))
    if place == 0 or apart[place] > max(2.0, 0.1 * float(np.hypot(*(shift - pair.shifts[0])))):
        return float("nan")
    return float(pair.heights[place] - pair.heights[0])


def _nearest(pair: PairShifts, shift: np.ndarray) -> np.ndarray:
    apart = np.hypot(*(pair.shifts - shift).T)
    return pair.shifts[int(np.argmin(apart))] if apart.min() < max(2.0, 0.2 * float(np.hypot(*shift))) else shift


def _standard_error(values: np.ndarray) -> float:
    if len(values) < 3:
        return float(np.abs(values).mean()) if len(values) else np.inf
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _prepared(frame_of: Frames, shape: tuple[int, int], number: int) -> Callable[[int], FitFrame]:
    kept = max(2, min(number, KEPT // (4 * shape[0] * shape[1])))
    return lru_cache(maxsize=kept)(lambda k: fit_frame(frame_of(k)))


def _mean(
    prepared: Callable[[int], FitFrame], shifts: np.ndarray, good: np.ndarray, done: int, total: int
) -> Steps[tuple[np.ndarray, np.ndarray]]:
    """Sum of all frames on the first one's grid, and how many of them reach each pixel."""
    first = prepared(int(np.argmax(good)))
    summed, count = np.zeros(first.image.shape), np.zeros(first.image.shape)
    for k in np.flatnonzero(good):
        yield Progress(done + int(k), total, "averaging")
        frame = prepared(int(k))
        there = moved(shiftable(frame.image), -shifts[k] / frame.step)
        if there is not None:
            summed[there.where] += there.values
            count[there.where] += 1
    return summed, count


def _without(summed: np.ndarray, count: np.ndarray, frame: FitFrame, shift: np.ndarray) -> np.ndarray:
    """Mean of the other frames, NaN where none reaches: a frame would be drawn to where its own noise lies in the mean."""
    total, left = summed.copy(), count.copy()
    there = moved(shiftable(frame.image), -shift / frame.step)
    if there is not None:
        total[there.where] -= there.values
        left[there.where] -= 1
    return np.where(left > 0.5, total / np.maximum(left, 1), np.nan)


def _where_the_others_say(frame: FitFrame, others: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The shift of a frame, or another one at which it is surely more like the mean of the others."""
    found = pair_shifts(search_frame(others), search_frame(frame.image))
    here, _ = found.around(shift / frame.step)
    best = _likeliest(found, shift / frame.step)
    return shift if best == here else found.shifts[best] * frame.step


def _taken_over(shifts: np.ndarray, good: np.ndarray, fitted: list[FrameShift | None]) -> tuple[np.ndarray, np.ndarray]:
    """Fitted shifts, those of the first good frame 0; frames that do not look like the others are left out."""
    good = good.copy()
    correlations = np.array([np.nan if one is None else one.correlation for one in fitted])
    usual = float(np.nanmedian(correlations[good]))
    if good.sum() > 2:
        good &= ~(correlations < max(SAME_CONTENT * usual, LEAST_CORRELATION))
    shifts = np.array([one.shift if one is not None and use else [np.nan] * 2 for one, use in zip(fitted, good, strict=True)])
    return shifts - shifts[int(np.argmax(good))], good


def _finished(shifts: np.ndarray, good: np.ndarray, fitted: list[FrameShift | None], chain: _Chain) -> FrameShifts:
    none = FrameShift(shift=np.full(2, np.nan), std=np.full(2, np.nan), brightness=np.nan, correlation=np.nan)
    ends = [none if one is None else one for one in fitted]
    stds = np.array([one.std if use else [np.nan] * 2 for one, use in zip(ends, good, strict=True)])
    return FrameShifts(
        shifts=shifts,
        stds=stds,
        brightness=np.array([one.brightness for one in ends]),
        correlation=np.array([one.correlation for one in ends]),
        dropped=tuple(int(k) for k in np.flatnonzero(~good)),
        verdict=_verdict(stds[good], float(np.nanmedian([one.correlation for one in ends])), chain),
    )


def _verdict(stds: np.ndarray, correlation: float, chain: _Chain) -> str:
    usual = np.median(stds, axis=0)
    if (usual > TOLD).all() and correlation < LITTLE_IN_COMMON:
        return f"the frames have little in common (correlation {correlation:.2f}): they change, or hold little but noise"
    if (usual > TOLD).any():
        axis = "along y and x" if (usual > TOLD).all() else ("along y", "along x")[int(np.argmax(usual))]
        return f"nothing in the frames tells the shift {axis}: an edge or bare noise looks the same after it"
    if chain.overruled:
        return "steps longer than half a period of the lattice: what does not repeat in the frames says so"
    if len(chain.doubts):
        y, x = chain.doubts[np.argmin(np.hypot(*chain.doubts.T))]
        return (
            f"a lattice without a landmark: the data does not tell the shifts from others that differ by ({y:.1f}, {x:.1f}) px a "
            "frame; the shortest steps were taken"
        )
    return ""
