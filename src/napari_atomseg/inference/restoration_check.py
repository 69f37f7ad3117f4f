"""Whether a restored image has lost a lattice that was there, or shows one that was not.

A network that restores believes in lattices. Where it takes one away, the difference to the recorded image has its spots in
the power spectrum; where it makes one up, the restored image has spots that the recorded one does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

LOWEST = 4.0
"""Frequencies below so many periods in the field are no lattice."""
SPOT = 25.0
"""Power of a spot in units of the median of its ring; that of noise is so high at one of 30 million places."""
SEEN = 8.0
"""The same at a known place of a spot and the eight around it; that of noise is so high at one of 30 spots."""
MOST_SPOTS = 24
INVENTED_SHARE = 0.5
"""Share of the restored image's spots that the recorded one may lack: high orders drown in noise."""
FEWEST_SPOTS = 4
SMALLEST_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class LatticeCheck:
    """Spots of the power spectra of half a plane.

    Attributes
    ----------
    restored : int
        Those of the restored image.
    not_recorded : int
        Those of them at which the recorded image has nothing.
    removed : int
        Those of the difference.
    """

    restored: int
    not_recorded: int
    removed: int

    def warnings(self) -> tuple[str, ...]:
        """In words; empty if nothing speaks against the restored image."""
        found = []
        if self.removed:
            found.append(
                f"the difference to the recorded image has {self.removed} lattice spot{'s' if self.removed > 1 else ''} in its "
                "power spectrum: structure was removed"
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
        return LatticeCheck(restored=0, not_recorded=0, removed=0)
    good = np.isfinite(recorded) & np.isfinite(restored)
    before, after = _relative_power(recorded, good), _relative_power(restored, good)
    left = _relative_power(recorded - restored, good)
    spots = _spots(after)
    around = ndimage.maximum_filter(before, 3, mode="wrap")
    missing = int(np.sum(around[tuple(spots.T)] < SEEN))
    return LatticeCheck(restored=len(spots), not_recorded=missing, removed=len(_spots(left)))


def _relative_power(image: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Power spectrum of half a plane in units of the median of each ring, 0 at low frequencies."""
    level = float(image[good].mean()) if good.any() else 0.0
    window = np.outer(*(np.hanning(side) for side in image.shape))
    power = np.abs(fft.rfft2(np.where(good, image - level, 0.0) * window)) ** 2
    rows = fft.fftfreq(image.shape[0])[:, None]
    columns = fft.rfftfreq(image.shape[1])[None]
    # Rings are as wide as two periods in the shorter side of the field.
    ring = np.round(np.hypot(rows, columns) * min(image.shape) / 2).astype(int)
    usual = ndimage.median(power, ring, np.arange(ring.max() + 1))
    # In a restored image all but the lattice may be empty; what is far below the rest is no lattice either.
    least = 1e-9 * float(power.max()) + 1e-300
    low = np.hypot(rows * image.shape[0], columns * image.shape[1]) < LOWEST
    return np.where(low, 0.0, power / np.maximum(usual, least)[ring])


def _spots(relative: np.ndarray) -> np.ndarray:
    """The strongest lattice spots (N, 2) as indices of a spectrum of half a plane."""
    top = (relative == ndimage.maximum_filter(relative, 5, mode="wrap")) & (relative > SPOT)
    # Columns at zero frequency hold each spot twice.
    top[relative.shape[0] // 2 + 1 :, 0] = False
    found = np.argwhere(top)
    return found[np.argsort(-relative[top])][:MOST_SPOTS]
