"""Whether a restored image has lost a lattice that was there, shows one that was not, needed no restoring, or shows nothing.

A network that restores believes in lattices. Where it takes one away, the power of its spots goes from the recorded image into
the difference; where it makes one up, the restored image has spots that the recorded one does not have. Scan rows that are put
back where they belong leave a little of each spot in the difference, as they should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from napari_atomseg.inference.labelled_medians import labelled_medians

LOWEST = 4.0
"""Frequencies below so many periods in the field are no lattice."""
SPOT = 25.0
"""Power of a spot in units of the median of its ring; that of noise is so high at one of 30 million places."""
SEEN = 8.0
"""The same at a known place of a spot and the eight around it; that of noise is so high at one of 30 spots."""
MOST_SPOTS = 24
REMOVED_SHARE = 0.05
"""Share of the power of the lattice spots, about a fifth of their amplitude, that may be in the difference."""
STREAK = 0.05
"""Power of a summit of a streak in units of the strongest spot, at most."""
INVENTED_SHARE = 0.5
"""Share of the restored image's spots that the recorded one may lack: high orders drown in noise."""
FEWEST_SPOTS = 4
EMPTY = 0.1
"""Deviation of a restored image, in units of that of the recorded one, below which hardly anything is seen in it."""
SMALLEST_SIDE = 32
LITTLE = 0.3
"""Deviation of the difference, in units of that of the restored image, below which the recorded one has little noise: of 28 such
images among 360 drawn ones (60 of each kind), 7 were farther from the truth after restoring, and half gained less than 3 dB."""


@dataclass(frozen=True, kw_only=True)
class LatticeCheck:
    """Spots of the power spectra of half a plane.

    Attributes
    ----------
    restored : int
        Those of the restored image.
    not_recorded : int
        Those of them at which the recorded image has nothing.
    removed : float
        Share of the power of the recorded image's spots that is in the difference, from 0 on.
    """

    restored: int
    not_recorded: int
    removed: float

    def warnings(self) -> tuple[str, ...]:
        """In words; empty if nothing speaks against the restored image."""
        found = []
        if self.removed > REMOVED_SHARE:
            found.append(
                f"{100 * self.removed:.0f} % of the power of the recorded lattice spots is missing in the restored image: "
                "structure was removed"
            )
        if self.restored >= FEWEST_SPOTS and self.not_recorded > INVENTED_SHARE * self.restored:
            found.append(
                f"{self.not_recorded} of {self.restored} lattice spots of the restored image are not seen in the recorded one: "
                "structure may be invented"
            )
        return tuple(found)


def check_lattice(recorded: np.ndarray, restored: np.ndarray) -> LatticeCheck:
    """Compare the lattices of a recorded image (Y, X) and the restored one.

    Parameters
    ----------
    recorded, restored : ndarray, shape (Y, X)
        On the same scale of intensities; what is not finite in either is left out of both.
    """
    if min(recorded.shape) < SMALLEST_SIDE:
        return LatticeCheck(restored=0, not_recorded=0, removed=0.0)
    good = np.isfinite(recorded) & np.isfinite(restored)
    before, after = _power(recorded, good), _power(restored, good)
    relative = _relative(before)
    spots, recorded_spots = _spots(_relative(after)), _spots(relative)
    around = ndimage.maximum_filter(relative, 3, mode="wrap")
    seen = float(restored[good].std()) > EMPTY * float(recorded[good].std()) if good.any() else False
    missing = int(np.sum(around[tuple(spots.T)] < SEEN)) if seen else 0
    strength = before[tuple(recorded_spots.T)]
    # Rows that are displaced draw each spot out into a streak, whose summits are no spots.
    places = tuple(recorded_spots[strength > STREAK * strength.max(initial=0)].T)
    kept = float(before[places].sum())
    removed = float(_power(recorded - restored, good)[places].sum()) / kept if kept > 0 else 0.0
    return LatticeCheck(restored=len(spots), not_recorded=missing, removed=removed)


def little_noise(recorded: np.ndarray, restored: np.ndarray) -> str:
    """A warning where so little was taken off that the recorded image may be the better one; empty elsewhere.

    Parameters
    ----------
    recorded, restored : ndarray, shape (Y, X)
        On the same scale of intensities; what is not finite in either is left out of both.
    """
    good = np.isfinite(recorded) & np.isfinite(restored)
    kept = float(restored[good].std()) if good.any() else 0.0
    share = float((recorded - restored)[good].std()) / kept if kept > 0 else np.inf
    if share > LITTLE:
        return ""
    return (
        f"the image has little noise (what was taken off is {100 * share:.0f} % of the contrast): restoring makes one of four "
        "such images worse; compare the two"
    )


def little_left(recorded: np.ndarray, restored: np.ndarray) -> str:
    """A warning where nearly all was taken for noise, so that what is left may be noise too; empty elsewhere.

    Parameters
    ----------
    recorded, restored : ndarray, shape (Y, X)
        On the same scale of intensities; what is not finite in either is left out of both.
    """
    good = np.isfinite(recorded) & np.isfinite(restored)
    before, after = (float(values[good].std()) if good.any() else 0.0 for values in (recorded, restored))
    if before == 0 or after > EMPTY * before:
        return ""
    return (
        f"the network takes nearly all of this image for noise ({100 * after / before:.0f} % of the contrast is left): what "
        "is left may be noise that looks like structure; compare the two"
    )


def _power(image: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Power spectrum of half a plane."""
    level = float(image[good].mean()) if good.any() else 0.0
    window = np.outer(*(np.hanning(side) for side in image.shape))
    return np.asarray(np.abs(fft.rfft2(np.where(good, image - level, 0.0) * window)) ** 2)


def _relative(power: np.ndarray) -> np.ndarray:
    """A power spectrum in units of the median of each ring, 0 at low frequencies."""
    # Of half a plane; the shorter axis of an image of odd width is known to a pixel, which is enough for rings.
    shape = power.shape[0], 2 * (power.shape[1] - 1)
    rows = fft.fftfreq(shape[0])[:, None]
    columns = fft.rfftfreq(shape[1])[None]
    # Rings are as wide as two periods in the shorter side of the field.
    ring = np.round(np.hypot(rows, columns) * min(shape) / 2).astype(np.uint16)
    usual = labelled_medians(power, ring)
    # In a restored image all but the lattice may be empty; what is far below the rest is no lattice either.
    least = 1e-9 * float(power.max()) + 1e-300
    low = np.hypot(rows * shape[0], columns * shape[1]) < LOWEST
    return np.where(low, 0.0, power / np.maximum(usual, least)[ring])


def _spots(relative: np.ndarray) -> np.ndarray:
    """The strongest lattice spots (N, 2) as indices of a spectrum of half a plane."""
    top = (relative == ndimage.maximum_filter(relative, 5, mode="wrap")) & (relative > SPOT)
    # Columns at zero frequency hold each spot twice.
    top[relative.shape[0] // 2 + 1 :, 0] = False
    found = np.argwhere(top)
    return found[np.argsort(-relative[top])][:MOST_SPOTS]
