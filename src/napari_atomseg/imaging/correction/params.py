"""What a fit of the polynomial correction may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import check
from napari_atomseg.core.quantities import Fraction, Quantity

PAPER_MARGIN = 2
"""px: the paper's form with s = 5 predicts no pixel nearer to the edge; the others are fitted and scored on the same ones."""
SURROUNDINGS = (6.0, 9.0, 13.0, 18.0, 24.0)
"""px: standard deviations of the Gaussians through which the form `better` sees the surroundings of a pixel."""


@dataclass(frozen=True, kw_only=True)
class CorrectionParams:
    """Form of the correction and its cross-validation.

    Attributes
    ----------
    form : str
        Form of the correction. ``auto``: the simplest one that predicts images left out one by one about as well as the best of
        them, from a quadratic of one pixel upwards; ``robust``: principal components of a patch, symmetric under the flips and
        rotations of the image; ``paper``: the polynomial of Combs et al., Eq. 5-8, for exact images in double precision only;
        ``better``: like robust, with Gaussian means of wider surroundings; ``structure``: the pixel, and what the atoms tell of
        the depth at which each lies, for pairs that hold them.
    side : int, px
        Odd side s of the paper's grid of input pixels.
    degree : int
        Degree d of the paper's polynomial.
    log : bool
        Use the logarithm of the intensity of the central pixel, in the paper's form.
    interactions : bool
        Use products of different pixels, in the paper's form.
    patch : int, px
        Odd side of the patch of the forms robust and better.
    components : int
        At most so many principal components of that patch.
    depths : int
        Depths in a column of which the form structure has layers: 1, or 3 where there are many pairs.
    ridge : float or None
        Penalty on the standardised terms; None takes what suits the form.
    pixels : int
        Largest number of pixels of each image that are fitted, taken at random; 0 for all. All are scored.
    split : str
        What is left out together: whole images, blocks of 7 x 7 pixels, or single pixels.
    folds : int
        Parts of the data of which each is left out once.
    repeats : int
        How often the data are divided anew.
    left_out : float or None
        Share of the data left out in each repeat, in place of folds.
    seed : int
        Random seed of the division and of the pixels that are fitted. It is fixed so that scores can be compared; it is not
        tuned.
    """

    form: Literal["auto", "robust", "paper", "better", "structure"] = "auto"
    side: Annotated[int, Quantity(unit="px", low=1, high=15)] = 5
    degree: Annotated[int, Quantity(low=1, high=5)] = 2
    log: bool = True
    interactions: bool = True
    patch: Annotated[int, Quantity(unit="px", low=3, high=31)] = 15
    components: Annotated[int, Quantity(low=1, high=100)] = 36
    depths: Literal[1, 3] = 3
    ridge: Annotated[float, Quantity(low=0, high=1, decimals=10)] | None = None
    pixels: Annotated[int, Quantity(low=0, high=10**9)] = 20_000
    split: Literal["image", "block", "pixel"] = "image"
    folds: Annotated[int, Quantity(low=2, high=1000)] = 2
    repeats: Annotated[int, Quantity(low=1, high=1000)] = 2
    left_out: Fraction | None = None
    seed: Annotated[int, Quantity(low=0, high=2**31)] = 0

    def __post_init__(self) -> None:
        check(self)
        for name in ("side", "patch"):
            if getattr(self, name) % 2 == 0:
                raise AtomsegError(
                    f"CorrectionParams.{name} must be odd, so that a pixel is its centre, got {getattr(self, name)}"
                )
        if self.form != "paper" and (self.side, self.degree, self.log, self.interactions) != (5, 2, True, True):
            raise AtomsegError(
                f"side, degree, log and interactions belong to the form paper and change nothing of {self.form}; "
                "leave them out or choose the form paper"
            )
        if self.left_out is not None and not 0 < self.left_out < 1:
            raise AtomsegError(f"CorrectionParams.left_out must lie between 0 and 1, got {self.left_out:g}")

    @property
    def window(self) -> int:
        """Side in px of the square of pixels that the form looks at."""
        return {"paper": self.side, "structure": 1}.get(self.form, self.patch)

    @property
    def margin(self) -> int:
        """Width in px of the edge, whose pixels are neither fitted nor scored."""
        return (self.side - 1) // 2 if self.form == "paper" else PAPER_MARGIN
