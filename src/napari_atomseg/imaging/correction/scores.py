"""How far predicted images are from multislice images: 1 - R2 and the fractional error of Combs et al. (2019), Eq. 4."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass
class Scores:
    """Sums over all pixels of the target set, taken image by image.

    Attributes
    ----------
    count : int
        Pixels so far.
    squares : float
        Sum of the squared errors.
    mean : float
        Mean of the multislice intensities.
    scatter : float
        Sum of their squared distances from the mean.
    """

    count: int = 0
    squares: float = 0.0
    mean: float = 0.0
    scatter: float = 0.0

    def add(self, predicted: np.ndarray, actual: np.ndarray) -> None:
        """Take in more pixels; both of one shape."""
        if actual.size == 0:
            return
        new = actual.size
        mean = float(actual.mean())
        total = self.count + new
        # Sums of squares about a common mean would cancel; these are about each part's own, put together.
        self.scatter += float(((actual - mean) ** 2).sum()) + (mean - self.mean) ** 2 * self.count * new / total
        self.mean += (mean - self.mean) * new / total
        self.squares += float(((predicted - actual) ** 2).sum())
        self.count = total

    @property
    def one_minus_r2(self) -> float:
        """Share of the variance of the multislice images that is not predicted."""
        return self.squares / self.scatter if self.scatter > 0 else math.nan

    @property
    def frms(self) -> float:
        r"""Fractional root mean square error.

        Notes
        -----
        .. math:: E_{FRMS} = \frac{\sqrt{\sum_i (y_{pred,i} - y_i)^2 / n}}{\sqrt{\sum_i (y_i - \bar y)^2 / n}}

        over one target set, of which :math:`1 - R^2` is the square.
        """
        return math.sqrt(self.one_minus_r2)
