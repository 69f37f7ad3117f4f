"""A recorded and a simulated image along a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from napari_atomseg.plots.frame import Margins, framed_axes
from napari_atomseg.plots.picture import Inks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGINS = Margins(left=56, head=20)


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
        axes = framed_axes(figure, inks, MARGINS, "distance, Å")
        distance = self.table["distance_angstrom"]
        axes.plot(distance, self.table["experimental"], color=inks.text, linewidth=1.4, label="recorded")
        axes.plot(distance, self.table["simulated"], color=inks.bright, linewidth=1.4, label="simulated")
        axes.set_xlim(0, float(distance.iloc[-1]))
        axes.locator_params(axis="y", nbins=4)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, labelcolor=inks.text, borderaxespad=0)
