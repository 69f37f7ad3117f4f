"""A recorded and a simulated image along a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from napari_atomseg.plots.picture import Inks, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT_PX, RIGHT_PX, FOOT_PX, HEAD_PX = 56, 8, 34, 20


@dataclass(frozen=True, eq=False)
class LineProfile:
    """Intensities against the distance.

    Attributes
    ----------
    table : DataFrame
        `distance_angstrom`, `experimental`, `simulated`; NaN where nothing is known.
    """

    table: pd.DataFrame

    def draw(self, figure: Figure, inks: Inks) -> None:
        """Both curves, with axes and their names."""
        width, height = size_of(figure)
        room = (LEFT_PX / width, FOOT_PX / height, 1 - (LEFT_PX + RIGHT_PX) / width, 1 - (FOOT_PX + HEAD_PX) / height)
        axes = figure.add_axes(room, facecolor="none")
        distance = self.table["distance_angstrom"]
        axes.plot(distance, self.table["experimental"], color=inks.text, linewidth=1.4, label="recorded")
        axes.plot(distance, self.table["simulated"], color=inks.bright, linewidth=1.4, label="simulated")
        axes.set_xlim(0, float(distance.iloc[-1]))
        axes.set_xlabel("distance, Å", color=inks.text, labelpad=1)
        axes.tick_params(colors=inks.text, length=3, pad=2)
        axes.locator_params(axis="y", nbins=4)
        for spine in axes.spines.values():
            spine.set_color(inks.faint)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, labelcolor=inks.text, borderaxespad=0)
