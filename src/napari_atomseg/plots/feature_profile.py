"""A feature of the columns against the distance, with error bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT_PX, RIGHT_PX, FOOT_PX, HEAD_PX = 66, 8, 34, 8


@dataclass(frozen=True, eq=False)
class FeatureProfile:
    """Means with their errors against the distance.

    Attributes
    ----------
    table : DataFrame
        `distance_angstrom`, `mean`, `mean_std`.
    quantity : str
        What it is, with its unit.
    """

    table: pd.DataFrame
    quantity: str

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Points with error bars, with axes and their names."""
        width, height = size_of(figure)
        room = (LEFT_PX / width, FOOT_PX / height, 1 - (LEFT_PX + RIGHT_PX) / width, 1 - (FOOT_PX + HEAD_PX) / height)
        axes = figure.add_axes(room, facecolor="none")
        error = self.table["mean_std"].fillna(0.0)
        distance, mean = self.table["distance_angstrom"], self.table["mean"]
        axes.errorbar(distance, mean, yerr=error, fmt=".-", capsize=2, color=inks.bright, ecolor=inks.text, elinewidth=0.8)
        axes.set_xlabel("distance, Å", color=inks.text, labelpad=1)
        axes.set_ylabel(self.quantity, color=inks.text, labelpad=1)
        axes.tick_params(colors=inks.text, length=3, pad=2)
        axes.locator_params(axis="y", nbins=4)
        for spine in axes.spines.values():
            spine.set_color(inks.faint)
