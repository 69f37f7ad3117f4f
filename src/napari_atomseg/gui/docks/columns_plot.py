"""The dock "Plot of columns": histogram of a feature or one against another, linked with the selection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QComboBox

from napari_atomseg.core.columns import SUBLATTICE
from napari_atomseg.gui.docks.plot_dock import LinkedPlotDock
from napari_atomseg.plots.columns_plot import ColumnsHistogram, ColumnsScatter, Kinds
from napari_atomseg.plots.palette import CATEGORY_COLOURS
from napari_atomseg.plots.picture import Plot
from napari_atomseg.plots.quantity import quantity_of

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

EMPTY = "Find or open columns, and choose a number."
COUNT = "number of columns"
ALIKE = "all the same"
MOST_KINDS = len(CATEGORY_COLOURS)
"""That colours tell apart."""
PLACES = ("y_px", "x_px")
ENOUGH_TO_SEE = 1
"""Known values without which there is nothing to plot."""


class ColumnsPlotDock(LinkedPlotDock):
    """Histogram or scatter of features of the columns in view.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Plot of columns"
    tip = "Histogram of a feature, or one against another; draw in it to select columns on the image."

    def __init__(self, host: Host) -> None:
        super().__init__(host, "columns_plot", "Plot of features of the columns", EMPTY)
        self.x, self.y = QComboBox(), QComboBox()
        self.x.setObjectName("plot_x")
        self.x.setToolTip("What is plotted to the right.")
        self.y.setObjectName("plot_y")
        self.y.setToolTip("What is plotted upwards: how many columns have the value, or another feature.")
        self.kinds = QComboBox()
        self.kinds.setObjectName("plot_kinds")
        self.kinds.setToolTip("Groups that have a colour each: sublattices, grains, classes, and what else has a few values.")
        for box, title in ((self.y, "Up"), (self.x, "Right"), (self.kinds, "Colours")):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(10)
            box.activated.connect(self.refresh)
            self.add_control(box, title)
        self.refresh()
        if self.session is not None and self.session.colour_by:
            self.show_feature(self.session.colour_by)

    def show_feature(self, name: str) -> None:
        """Plot how often which value of a feature occurs, on each sublattice where there are some.

        Parameters
        ----------
        name : str
            What is no number is not shown.
        """
        if self.x.findText(name) >= 0:
            self.x.setCurrentText(name)
            self.y.setCurrentText(COUNT)
            if name != SUBLATTICE and self.kinds.findText(SUBLATTICE) >= 0:
                self.kinds.setCurrentText(SUBLATTICE)
            self.refresh()

    def draw(self) -> None:
        """The plot of the document in view."""
        session = self.session
        features = session.columns.features.select_dtypes("number") if session is not None else pd.DataFrame()
        _offer(self.x, [*PLACES, *features], "intensity")
        _offer(self.y, [COUNT, *PLACES, *features], COUNT)
        if session is None or not len(session.columns):
            self.show_columns(None, None, np.zeros(0, int))
            self.reading.setText("")
            return
        rows = np.flatnonzero(session.columns.frame == self.frame)
        y_px, x_px = session.columns.positions.T
        values = features.assign(y_px=y_px, x_px=x_px)
        _offer(self.kinds, [ALIKE, *_with_few_values(session.columns.features.iloc[rows])], ALIKE)
        kinds = kinds_of(session.columns.features[self.kinds.currentText()].iloc[rows]) if self.kinds.currentIndex() > 0 else None
        x = values[self.x.currentText()].to_numpy(float)[rows]
        plot: ColumnsHistogram | ColumnsScatter
        if self.y.currentText() == COUNT:
            known = np.isfinite(x)
            plot = ColumnsHistogram(x, quantity_of(self.x.currentText()), kinds=kinds)
        else:
            y = values[self.y.currentText()].to_numpy(float)[rows]
            known = np.isfinite(x) & np.isfinite(y)
            plot = ColumnsScatter(x, y, quantity_of(self.x.currentText()), quantity_of(self.y.currentText()), kinds=kinds)
        some = np.count_nonzero(known) >= ENOUGH_TO_SEE
        self.reading.setText(f"{np.count_nonzero(known):,} of {len(rows):,} columns" if some else "No column has such a value.")
        self.show_columns(plot if some else None, plot.table(np.zeros(0, int)) if some else None, rows)

    def saved(self) -> tuple[Plot, pd.DataFrame] | None:
        """The plot with what is selected."""
        shown = self.plot.plot
        if not isinstance(shown, (ColumnsHistogram, ColumnsScatter)):
            return None
        chosen = self.selected
        return replace(shown, selected=chosen), shown.table(chosen)


def kinds_of(values: pd.Series) -> Kinds:
    """Groups of columns by the values of a feature; numbers below 0 and what is not known are none."""
    known = values.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(values):
        known = known & (values >= 0).to_numpy()
    names = sorted(values[known].unique())
    place = {name: row for row, name in enumerate(names)}
    of = np.array([place[value] if there else -1 for value, there in zip(values, known, strict=True)], int)
    return Kinds(names=tuple(f"{name:g}" if isinstance(name, (int, float)) else str(name) for name in names), of=of)


def _with_few_values(features: pd.DataFrame) -> list[str]:
    """Names of features that part the columns into a few groups: words, or whole numbers."""
    found = []
    for name, values in features.items():
        known = values.dropna()
        words = not pd.api.types.is_numeric_dtype(known)
        if len(known) and 2 <= known.nunique() <= MOST_KINDS and (words or (known == known.round()).all()):
            found.append(str(name))
    return found


def _offer(box: QComboBox, names: list[str], first: str) -> None:
    """Offer names, and keep the chosen one where it is still among them."""
    if [box.itemText(row) for row in range(box.count())] == names:
        return
    chosen = box.currentText() if box.currentText() in names else first
    box.clear()
    box.addItems(names)
    box.setCurrentText(chosen)
