"""Parts of a picture that are no image: frames, data bars, burnt-in scale bars and their labels.

They are drawn in one even shade with straight, sharp edges, which nothing in a micrograph is. Every row and column of the
border that is mostly of one shade is left out if the next one inwards is not; inside, rectangles of the picture's darkest or
brightest shade, and what is written beside them in that shade. The vacuum around a particle has no sharp edge and stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

LARGEST_PICTURE = 4096 * 4096
"""Pixels; larger images are no pictures to show and are not looked through."""
SAME_SHADE = 0.015
"""Greatest difference within one shade, relative to the picture's range (compression leaves as much)."""
MOSTLY, HARDLY = 0.7, 0.35
"""Share of the pixels of a line that are of one shade in a frame or bar (writing is not), and in the image beside it."""
THICKEST = 0.4
"""No frame or bar is thicker than this share of the picture."""
LARGEST_SHARE = 0.6
"""Where more than this share would be left out, it is the image that looks like that."""
SHARP_EDGE = 0.1
"""Least step from a bar to what surrounds it, relative to the picture's range."""
LONG, LARGE = 12, 0.003
"""A bar is at least so many pixels long and takes so large a share of the picture."""
SLENDER = 3.0
"""Ratio of the sides of a bar."""
STRAIGHT = 0.9
"""Share of the outline of a rectangle that a bar or label fills."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotations:
    """What is no image in a picture.

    Attributes
    ----------
    mask : ndarray of bool, shape (Y, X)
        True where nothing may be looked for.
    words : str
        In words; empty if there is nothing.
    """

    mask: np.ndarray
    words: str


def find_annotations(image: np.ndarray) -> Annotations:
    """Frames, data bars and scale bars of a picture.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
        Any intensities; NaN allowed.
    """
    mask = np.zeros(image.shape, bool)
    values = np.asarray(image, np.float32)
    finite = values[np.isfinite(values)]
    if finite.size == 0 or image.size > LARGEST_PICTURE:
        return Annotations(mask=mask, words="")
    tolerance = SAME_SHADE * float(finite.max() - finite.min())
    inner = _without_frame(values, tolerance)
    mask[:] = True
    mask[inner] = False
    parts = _frame_in_words(inner, image.shape)
    bars = _bars(values[inner], tolerance)
    if bars.any():
        mask[inner] |= bars
        parts.append("a scale bar or label")
    share = float(mask.mean())
    if not parts or share > LARGEST_SHARE:
        return Annotations(mask=np.zeros_like(mask), words="")
    return Annotations(mask=mask, words=f"{' and '.join(parts)} ({100 * share:.0f} % of the pixels)")


def _without_frame(values: np.ndarray, tolerance: float) -> tuple[slice, slice]:
    """The window that is left when even margins are cut off, side by side until none is found."""
    window = [slice(0, length) for length in values.shape]
    for _ in range(2):
        for axis in (0, 1):
            lines = np.moveaxis(values[tuple(window)], axis, 0)
            first, last = _margin(lines, tolerance), _margin(lines[::-1], tolerance)
            start, stop = window[axis].start, window[axis].stop
            if start + first < stop - last:
                window[axis] = slice(start + first, stop - last)
    return window[0], window[1]


def _margin(lines: np.ndarray, tolerance: float) -> int:
    """Number of lines from the first that belong to a frame or bar of its shade; its sharp edge is one line wide or less."""
    shade = _shade(lines[0], tolerance)
    if shade is None:
        return 0
    away = np.abs(lines[: int(THICKEST * len(lines))] - shade)
    even = np.mean(away <= tolerance, axis=1)
    other = np.mean(away > SHARP_EDGE / SAME_SHADE * tolerance, axis=1)
    for line in range(len(even) - 1, 0, -1):
        ends = even[line - 1] > MOSTLY and even[line] < HARDLY and np.max(other[line : line + 2]) > 1 - HARDLY
        if ends and np.median(even[:line]) > MOSTLY:
            return line if other[line] > 1 - HARDLY else line + 1
    return 0


def _shade(line: np.ndarray, tolerance: float) -> float | None:
    """The most frequent shade of a line, if most of it is of one."""
    finite = np.sort(line[np.isfinite(line)])
    if len(finite) == 0 or tolerance == 0:
        return None
    within = np.searchsorted(finite, finite + tolerance, side="right") - np.arange(len(finite))
    most = int(np.argmax(within))
    return float(np.median(finite[most : most + within[most]])) if within[most] > MOSTLY * len(line) else None


def _frame_in_words(inner: tuple[slice, slice], shape: tuple[int, ...]) -> list[str]:
    cut = [(part.start > 0) + (part.stop < length) for part, length in zip(inner, shape, strict=True)]
    if sum(cut) == 0:
        return []
    return ["a data bar" if sum(cut) == 1 else "a frame"]


def _bars(values: np.ndarray, tolerance: float) -> np.ndarray:
    """Rectangles of the darkest or brightest shade, a little widened, and what is written beside them."""
    found = np.zeros(values.shape, bool)
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return found
    extent = float(np.ptp(finite))
    for shade in (float(finite.max()), float(finite.min())):
        even = np.abs(values - shade) <= tolerance
        labels, _ = ndimage.label(even)
        places = ndimage.find_objects(labels)
        # Where little is counted, most of the image is islands of the darkest shade.
        for number in np.flatnonzero(np.bincount(labels.ravel())[1:] >= LONG) + 1:
            place = places[number - 1]
            if _is_bar(labels[place] == number, values, place, shade, extent):
                found |= _with_label(labels, place, int(number))
    return ndimage.binary_dilation(found, iterations=2) if found.any() else found


def _is_bar(part: np.ndarray, values: np.ndarray, place: tuple[slice, slice], shade: float, extent: float) -> bool:
    """True for a long or large rectangle with sharp edges."""
    height, width = part.shape
    slender = max(height, width) >= SLENDER * min(height, width)
    if max(height, width) < LONG or min(height, width) < 2 or not (slender or part.size > 4 * LARGE * values.size):
        return False
    if part.size < LARGE * values.size / 4:
        return False
    outline = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    if outline.mean() < STRAIGHT:
        return False
    around = tuple(slice(max(0, along.start - 2), along.stop + 2) for along in place)
    ring = np.ones(values[around].shape, bool)
    ring[tuple(slice(at.start - out.start, at.stop - out.start) for at, out in zip(place, around, strict=True))] = False
    steps = np.abs(values[around][ring] - shade)
    return bool(len(steps) > 0 and np.mean(steps > SHARP_EDGE * extent) > STRAIGHT)


def _with_label(labels: np.ndarray, place: tuple[slice, slice], number: int) -> np.ndarray:
    """A bar, all that lies in its outline, and the writing of its shade above or below."""
    height, width = (along.stop - along.start for along in place)
    found = np.zeros(labels.shape, bool)
    found[place] = True
    room = (
        slice(max(0, place[0].start - max(4 * height, width // 2)), place[0].stop + max(4 * height, width // 2)),
        slice(max(0, place[1].start - width // 4), place[1].stop + width // 4),
    )
    near = np.unique(labels[room])
    whole = np.unique(np.where(np.isin(labels, near[near > 0]), labels, 0))
    for other in whole[whole > 0]:
        found |= labels == other
    return found
