"""Periodic structure that a network took off with the noise, put back as it was recorded.

A network sees a few cells of a crystal at a time; what repeats over a whole image stands out of the noise even where no single
cell shows it. What the network took off (recorded less restored image) is noise where it was right. Fourier coefficients of it
that stand above the noise around them cannot be noise: they are structure of the recording, are estimated (shrunk as the noise
demands, after Wiener) and put back, as far as each place of the image bears them out. Unlike the rest of a restored image this
part is measured.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import fft, ndimage

from napari_atomseg.inference.displaced_rows import row_displacements
from napari_atomseg.inference.labelled_medians import labelled_medians
from napari_atomseg.inference.whole_normalisation import cut_off

BY_CHANCE = 0.1
"""Coefficients of nothing but noise that may be taken for structure in an image, on average; what stands so high is certain."""
LIKELY = 3.0
"""Amplitude in units of the noise's deviation along one axis of the complex plane that is structure too where a coefficient
touches a certain one, or others that do: spots of a strained or cut lattice are wide ..."""
BESIDE = 1.4
"""... and the places around these."""
TILE = 16
"""Side of the squares of Fourier space over which the noise is taken to be the same, places."""
STREAK = 32
"""Length of the pieces of columns of Fourier space over which it is taken to be the same too: what differs from scan row to
scan row, their level or their displacement, makes streaks along the columns, which are no lattice."""
SECTORS, FEWEST = 4, 12
"""Pieces of the rings of half a plane over which an image that no beam has scanned is taken to have the same noise too, and the
fewest places of a piece: a film without order has steep rings (Thon's), whose summits are no lattice."""
MEDIAN = float(np.sqrt(2 * np.log(2)))
"""Median amplitude of complex noise of unit deviation along each axis (Rayleigh's distribution)."""
BORNE_OUT = 16.0
"""Standard deviation of the Gaussian window in which an image bears structure out, px."""
SMALLEST_SIDE = 2 * TILE


def periodic_plane(recorded: np.ndarray, scanned: bool = True) -> np.ndarray:
    """What seems to repeat over a recorded image, about its mean, as networks that restore are shown it.

    Parameters
    ----------
    recorded, scanned
        As for :func:`periodic_structure`.

    Returns
    -------
    ndarray, float32, shape (Y, X)
    """
    good = np.isfinite(recorded)
    level = recorded[good].mean() if good.any() else 0.0
    return periodic_structure(recorded, np.full(recorded.shape, level, np.float32), scanned)


def periodic_structure(recorded: np.ndarray, restored: np.ndarray, scanned: bool = True) -> np.ndarray:
    """What a restoration took off that repeats over the image, to be added to the restored one.

    Parameters
    ----------
    recorded, restored : ndarray, shape (Y, X)
        On the same scale of intensities; nothing is put back where either is not finite. Hot and dead pixels are cut off first.
    scanned : bool
        Whether rows were recorded one after the other, and may differ in level and be displaced: what that makes is no structure.

    Returns
    -------
    ndarray, float32, shape (Y, X)
        Zero everywhere if the difference looks like noise, or the image is smaller than 32 px.
    """
    good = np.isfinite(recorded) & np.isfinite(restored)
    if min(recorded.shape) < SMALLEST_SIDE or not good.any():
        return np.zeros(recorded.shape, np.float32)
    shown = np.where(good, restored, 0).astype(np.float32)
    seen = np.where(good, recorded, np.median(recorded[good])).astype(np.float32)
    difference = cut_off(torch.from_numpy(seen)[None, None])[0, 0].numpy() - shown
    difference = np.where(good, difference - difference[good].mean(), 0)
    if scanned:
        difference = without_row_shifts(difference, shown)
    found = _significant(difference, scanned)
    return np.where(good, found * _borne_out(difference, found), 0).astype(np.float32)


def without_row_shifts(difference: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """The difference without what displaced scan rows leave in it: a multiple of the image's slope along each row.

    Parameters
    ----------
    difference, restored : ndarray, shape (Y, X)

    Returns
    -------
    ndarray, shape (Y, X)
        Displacements are estimated row by row and shrunk by what noise alone would make of them, to nothing where rows lie
        straight.
    """
    return np.asarray(difference + row_displacements(difference, restored)[:, None] * np.gradient(restored, axis=1))


def _significant(difference: np.ndarray, scanned: bool) -> np.ndarray:
    """The part of an image (Y, X) whose Fourier coefficients stand above the noise around them."""
    spectrum = np.fft.fftshift(fft.rfft2(difference), axes=0)
    amplitude = np.abs(spectrum)
    noise = _noise(amplitude, scanned)
    around = np.ones((3, 3))
    spots = ndimage.binary_propagation(amplitude > _certain(amplitude.size) * noise, around, amplitude > LIKELY * noise)
    kept = ndimage.binary_dilation(spots, around) & (amplitude > BESIDE * noise)
    if not kept.any():
        return np.zeros_like(difference)
    share = np.zeros_like(amplitude)
    share[kept] = 1 - 2 * (noise[kept] / amplitude[kept]) ** 2
    return np.asarray(fft.irfft2(np.fft.ifftshift(spectrum * share.clip(0), axes=0), s=difference.shape))


def _certain(places: int) -> float:
    """Amplitude that noise reaches :data:`BY_CHANCE` times at so many places, as :data:`LIKELY` is given (Rayleigh)."""
    return float(np.sqrt(2 * np.log(places / BY_CHANCE)))


def _noise(amplitude: np.ndarray, scanned: bool) -> np.ndarray:
    """Deviation of the noise of half a plane of coefficients along one axis of the complex plane, smooth over tiles."""
    found = _smooth_medians(amplitude, (TILE, TILE)) / MEDIAN
    other = _smooth_medians(amplitude, (STREAK, 1)) if scanned else _ring_medians(amplitude)
    found = np.maximum(found, other / MEDIAN)
    return np.asarray(np.maximum(found, 1e-7 * amplitude.max() + 1e-30), amplitude.dtype)


def _ring_medians(amplitude: np.ndarray) -> np.ndarray:
    """Medians of pieces of rings that are a pixel wide, of half a plane of coefficients; 0 where a piece has few places."""
    height, width = amplitude.shape
    rows = (np.arange(height)[:, None] - height // 2) / height
    columns = np.arange(width)[None] / max(1, 2 * (width - 1))
    ring = np.round(np.hypot(rows, columns) * min(height, 2 * (width - 1))).astype(int)
    sector = np.minimum((np.arctan2(rows, columns) / np.pi + 0.5) * SECTORS, SECTORS - 1).astype(int)
    label = ring * SECTORS + sector
    label = label.astype(np.min_scalar_type(label.max()))
    return np.asarray(labelled_medians(amplitude, label, FEWEST)[label])


def _smooth_medians(values: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
    """Medians of tiles, between whose middles they go linearly; of the shape of the values (Y, X)."""
    sides = [-(-length // side) for length, side in zip(values.shape, tile, strict=True)]
    spare = [(0, number * side - length) for number, side, length in zip(sides, tile, values.shape, strict=True)]
    tiles = np.pad(values, spare, mode="symmetric").reshape(sides[0], tile[0], sides[1], tile[1])
    places = [(np.arange(length) + 0.5) / side - 0.5 for side, length in zip(tile, values.shape, strict=True)]
    at = np.meshgrid(*places, indexing="ij")
    return np.asarray(ndimage.map_coordinates(np.median(tiles, axis=(1, 3)), at, order=1, mode="nearest"))


def _borne_out(difference: np.ndarray, found: np.ndarray) -> np.ndarray:
    """From 0 to 1, how far a difference shows what was found in it about each place (Y, X)."""
    if not found.any():
        return found
    both, own = (ndimage.gaussian_filter(found * other, BORNE_OUT) for other in (difference, found))
    least = 1e-6 * float(own.max())
    return np.asarray(np.clip(both / np.maximum(own, least), 0, 1))
