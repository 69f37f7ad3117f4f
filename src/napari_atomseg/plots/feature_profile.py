"""A feature of the columns against the distance, with error bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_atomseg.plots.frame import Margins, framed_axes
from napari_atomseg.plots.picture import Inks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SPARE = 0.05  # of the lengths of the axes


@dataclass(frozen=True, eq=False)
class FeatureProfile:
    """Means with their errors against the distance.

    Attributes
    ----------
    strips : DataFrame
        `distance_angstrom`, `mean`, `mean_std`.
    quantity : str
        What it is, with its unit.
    along : ndarray, shape (N,), Angstrom
        Distance of each column, NaN of those that do not count, by which columns are selected.
    """

    strips: pd.DataFrame
    quantity: str
    along: np.ndarray = field(default_factory=lambda: np.zeros(0))
    margins: Margins = field(default_factory=Margins)

    @property
    def span(self) -> bool:
        """Only the distance counts."""
        return True

    @cached_property
    def limits(self) -> tuple[float, float, float, float]:
        """Of the means and their error bars."""
        error = self.strips["mean_std"].fillna(0.0)
        distance, ends = self.strips["distance_angstrom"], pd.concat([self.strips["mean"] - error, self.strips["mean"] + error])
        room = [_SPARE * float(np.ptp(values)) or 1e-9 for values in (distance, ends)]
        return distance.min() - room[0], distance.max() + room[0], ends.min() - room[1], ends.max() + room[1]

    def rows_within(self, outline: np.ndarray) -> np.ndarray:
        """Rows of the columns between the ends of an outline (K, 2)."""
        return np.flatnonzero((self.along >= outline[:, 0].min()) & (self.along <= outline[:, 0].max()))

    def marks(self, rows: np.ndarray) -> np.ndarray:
        """Points (M, 2) of the strips that hold any of the rows."""
        distance = self.strips["distance_angstrom"].to_numpy()
        along = self.along[rows][np.isfinite(self.along[rows])]
        if not len(along):
            return np.zeros((0, 2))
        strip = np.unique(np.argmin(np.abs(along[:, None] - distance), axis=1))
        return np.column_stack([distance[strip], self.strips["mean"].to_numpy()[strip]])

    def table(self, selected: np.ndarray) -> pd.DataFrame:
        """The strips; what is selected is a matter of columns."""
        return self.strips

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Points with error bars, with axes and their names."""
        axes = framed_axes(figure, inks, self.margins, "distance, Å", self.quantity)
        error = self.strips["mean_std"].fillna(0.0)
        distance, mean = self.strips["distance_angstrom"], self.strips["mean"]
        axes.errorbar(distance, mean, yerr=error, fmt=".-", capsize=2, color=inks.bright, ecolor=inks.text, elinewidth=0.8)
        axes.set(xlim=self.limits[:2], ylim=self.limits[2:])
        axes.locator_params(axis="y", nbins=4)
