"""What the polynomial is told of a pixel: the window around it, the logarithm of its intensity, its wider surroundings.

Combs et al. (2019), Eq. 5-6, is the window; the surroundings are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.imaging.correction.structure_layers import StructureOptics

LOG_FLOOR = 1e-3
"""Added to the scaled intensity under the logarithm, since vacuum has none; scores hardly depend on it between 1e-4 and 0.1."""
_BLOCK = 8192
_PIXELS_IN_CACHE = 2048


@dataclass(frozen=True, kw_only=True, eq=False)
class Beside:
    """What is known beside a convolution image.

    Attributes
    ----------
    wide : ndarray, shape (Y + 2 B, X + 2 B), or None
        The image with what lies around it.
    layers : ndarray, shape (L, Y, X), or None
        Of :func:`~napari_atomseg.imaging.correction.structure_layers.structure_layers`.
    border : int, px
        B.
    """

    wide: np.ndarray | None = None
    layers: np.ndarray | None = None
    border: int = 0


@dataclass(frozen=True, kw_only=True)
class Variables:
    """The variables of one pixel, in this order: window row by row, logarithm, surroundings, layers of the structure.

    Attributes
    ----------
    side : int, px
        Odd side of the window.
    log : bool
        With the logarithm of the centre.
    surroundings : tuple of float, px
        Standard deviations of Gaussian means around the pixel.
    scale : float
        Intensities are divided by this first.
    structure : StructureOptics or None
        With the layers of the structure, which depend on this.
    """

    side: int
    log: bool
    surroundings: tuple[float, ...]
    scale: float
    structure: StructureOptics | None = None

    @property
    def count(self) -> int:
        """Number of variables."""
        return self.side**2 + self.log + len(self.surroundings) + (0 if self.structure is None else self.structure.layers)

    @property
    def margin(self) -> int:
        """Number of px by which the window reaches beyond its centre, (s - 1) / 2."""
        return (self.side - 1) // 2


class PixelVariables:
    """The variables of all pixels of one image; unless its surroundings are known, it goes on beyond its edges as in a mirror.

    Parameters
    ----------
    image : ndarray, shape (Y, X)
    variables : Variables
    beside : Beside, optional
        Takes the place of the mirror, and holds the layers of the structure.

    Raises
    ------
    AtomsegError
        If the variables need the structure and it is not given.
    """

    def __init__(self, image: np.ndarray, variables: Variables, beside: Beside | None = None) -> None:
        beside = beside or Beside()
        self.shape = image.shape
        self._side = variables.side
        whole = np.asarray(image if beside.wide is None else beside.wide, dtype=np.float64) / variables.scale
        border, margin = (0 if beside.wide is None else beside.border), variables.margin
        missing = max(margin - border, 0)
        self._padded = _cut(np.pad(whole, missing, mode="reflect"), border + missing - margin)
        layers = [np.log(np.maximum(whole, 0) + LOG_FLOOR)] if variables.log else []
        # "mirror" is what NumPy calls "reflect": the pixel at the edge is not repeated.
        layers += [gaussian_filter(whole, sigma, mode="mirror") for sigma in variables.surroundings]
        self._layers = [_cut(layer, border) for layer in layers]
        if variables.structure is not None:
            if beside.layers is None:
                raise AtomsegError(
                    "this correction needs the structure beside the image; simulate the structure, or take another form"
                )
            self._layers += list(beside.layers / variables.scale)

    def rows(self, first: int, last: int) -> np.ndarray:
        """Variables of whole rows of pixels; one row of the result is one variable.

        Parameters
        ----------
        first, last : int
            Rows of pixels, the last one not included.

        Returns
        -------
        ndarray, shape (V, (last - first) X)
        """
        side, width = self._side, self.shape[1]
        block = np.empty((side**2 + len(self._layers), last - first, width))
        for index in range(side**2):
            y, x = divmod(index, side)
            block[index] = self._padded[first + y : last + y, x : x + width]
        for index, layer in enumerate(self._layers, side**2):
            block[index] = layer[first:last]
        return block.reshape(len(block), -1)

    def at(self, places: np.ndarray) -> np.ndarray:
        """Variables of single pixels by flat index, shape (V, N)."""
        y, x = np.divmod(places, self.shape[1])
        corner = y * self._padded.shape[1] + x
        flat = self._padded.ravel()
        block = np.empty((self._side**2 + len(self._layers), len(places)))
        for index in range(self._side**2):
            down, right = divmod(index, self._side)
            block[index] = flat[corner + (down * self._padded.shape[1] + right)]
        for index, layer in enumerate(self._layers, self._side**2):
            block[index] = layer.ravel()[places]
        return block

    def blocks_of_rows(self) -> Iterator[tuple[int, int]]:
        """First and last row of parts small enough to stay in the cache."""
        step = max(1, _PIXELS_IN_CACHE // self.shape[1])
        for first in range(0, self.shape[0], step):
            yield first, min(first + step, self.shape[0])


def _cut(image: np.ndarray, margin: int) -> np.ndarray:
    """An image without its margin."""
    return image[margin:-margin, margin:-margin] if margin else image


def blocks_of(places: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of a list of pixels, small enough that their terms take little memory."""
    for first in range(0, len(places), _BLOCK):
        yield places[first : first + _BLOCK]
