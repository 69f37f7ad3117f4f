"""The strip "Fit quality": how sure the fitted positions are, which columns to look at again, and what the fit leaves."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.columns import FITS, FLAGGED_FITS, Columns
from napari_atomseg.gui.docks.table import centre_on
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.residual import show_residual
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.gui.widgets.histogram import HistogramView
from napari_atomseg.workflows import residual
from napari_atomseg.writers.overlay import FLAGGED_RING, RING

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

WORST = 20
PM_PER_ANGSTROM = 100.0
TITLE = "Fit quality"
CHIPS = {
    "ok": ("ok", "fitted without reservation"),
    "border": ("border", "whose window reaches over the image's border"),
    "overlap": ("overlap", "with a neighbour nearer than 1.5 sigma"),
    "failed": ("failed", "whose fit cannot be believed; they keep their earlier place"),
    "none": ("not fitted", "that have not been fitted since they were found or moved"),
}
NO_VALUES = "No fit gave an uncertainty.\nLook at the failed columns, or try another width under More."
NOT_REFINED = "Not refined yet: press Refine to fit the columns."
BUSY = "A job is running; cancel it first."


class QualityStrip(QWidget):
    """Histogram of position uncertainties, counts of the verdicts, the worst, and the residual.

    Hidden until a refinement has said something of the columns.

    Parameters
    ----------
    host : Host
        The panel.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("QualityStrip")
        self._host = host
        self._session: ColumnsSession | None = None
        self._shown: Columns | None = None
        self._build()
        self.setVisible(False)

    def _build(self) -> None:
        self.numbers = QLabel()
        self.numbers.setWordWrap(True)
        self.numbers.setToolTip(
            "Standard deviation of a position along one axis, from the noise and the neighbours of each column; scan "
            "distortion is not in it. Solid line: median; dashed line: 95th percentile."
        )
        self.histogram = HistogramView(self._host.viewer, "position σ")
        self.histogram.setAccessibleName("Histogram of the position uncertainties")
        self.histogram.empty = NO_VALUES
        self.histogram.picked.connect(self._select)
        self.chips = {fit: self._chip(fit) for fit in CHIPS}
        chips = QGridLayout()
        chips.setSpacing(4)
        # Two by two, so that five digits fit into the narrowest dock.
        for place, fit in enumerate(("ok", "border", "overlap", "failed")):
            chips.addWidget(self.chips[fit], *divmod(place, 2))
        chips.addWidget(self.chips["none"], 2, 0, 1, 2)
        self.worst_button = QPushButton(f"Worst {WORST}")
        self.worst_button.setObjectName("worst")
        self.worst_button.setProperty(
            "tip", f"Select the {WORST} columns to look at first: failed ones, then those of the largest uncertainty."
        )
        self.worst_button.clicked.connect(self.select_worst)
        self.residual_button = QPushButton("Residual")
        self.residual_button.setObjectName("residual")
        self.residual_button.setProperty(
            "tip",
            "Show the image minus the fitted columns, of the frame in view: blue is darker than the fit, orange brighter.",
        )
        self.residual_button.clicked.connect(self.draw_residual)
        for button in (*self.chips.values(), self.worst_button, self.residual_button):
            enable(button, False, "No column has been fitted.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.worst_button)
        buttons.addWidget(self.residual_button)
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.numbers)
        layout.addWidget(self.histogram)
        layout.addLayout(chips)
        layout.addLayout(buttons)
        self.fold = fold(TITLE, inside)
        self.fold.expand(animate=False)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(self.fold)

    def _chip(self, fit: str) -> QPushButton:
        chip = QPushButton()
        chip.setObjectName(f"chip_{fit}")
        colour = FLAGGED_RING if fit in FLAGGED_FITS else RING
        chip.setStyleSheet(
            f"QPushButton {{ padding: 1px 2px; border-radius: 7px; border: 1px solid {colour}; font-size: 8pt; }}"
            "QPushButton:disabled { border-color: transparent; }"
        )
        chip.setProperty("tip", f"Select the columns {CHIPS[fit][1]}.")
        chip.clicked.connect(lambda: self.select_fit(fit))
        return chip

    def watch(self, session: ColumnsSession | None) -> None:
        """Show the columns of a session as they are now; called after every change of them, and when a job begins or ends."""
        self._session = session
        columns = session.columns if session is not None else None
        if columns is not self._shown:
            self._shown = columns
            self._show(columns)
        if self.isVisibleTo(self.parentWidget()):
            has_image = self._image() is not None
            enable(self.residual_button, has_image and not self._host.busy, BUSY if has_image else "Their image is gone.")

    def _show(self, columns: Columns | None) -> None:
        self.setVisible(columns is not None and was_refined(columns))
        if columns is None or not was_refined(columns):
            return
        sigma, unit = position_sigmas(columns)
        self.histogram.empty = NO_VALUES if was_fitted(columns) else NOT_REFINED
        self.histogram.show_values(sigma, unit)
        marks = self.histogram.counted.marks
        self.numbers.setVisible(marks is not None)
        if marks is not None:
            self.numbers.setText(f"median {marks[0]:.3g} · 95 % < {marks[1]:.3g} {unit}")
        counts = columns.features["fit"].value_counts()
        for fit, chip in self.chips.items():
            count = int(counts.get(fit, 0))
            chip.setText(f"{CHIPS[fit][0]} {count:,}")
            enable(chip, count > 0, f"There are no columns {CHIPS[fit][1]}.")
        self.chips["none"].setVisible(self.chips["none"].isEnabled())
        any_fitted = bool(counts.get("failed", 0)) or marks is not None
        enable(self.worst_button, any_fitted, "No column has been fitted.")

    def select_fit(self, fit: str) -> None:
        """Select all columns of one verdict."""
        if self._session is not None:
            rows = np.flatnonzero(self._session.columns.features["fit"] == fit)
            self._select(rows, f"{len(rows):,} {'column' if len(rows) == 1 else 'columns'} {CHIPS[fit][1]}")

    def select_worst(self) -> None:
        """Select the columns to look at first."""
        if self._session is not None:
            rows = worst(self._session.columns, WORST)
            self._select(rows, f"the worst {len(rows)} columns, failed ones first")

    def _select(self, rows: np.ndarray, what: str) -> None:
        """Select rows on the canvas and in the table, and bring the first into the middle."""
        session = self._session
        if session is None or len(rows) == 0:
            return
        layer = session.layer
        layer.visible = True
        self._host.viewer.layers.selection.active = layer
        layer.selected_data = {int(row) for row in rows}
        centre_on(self._host.viewer, session, int(rows[0]))
        self._host.say(f'Selected: {what}. The first is in the middle of the view. <a href="table">table</a>')

    def _image(self) -> Image | None:
        image = self._session.image if self._session is not None else None
        return image if image is not None and image in self._host.viewer.layers else None

    def draw_residual(self) -> None:
        """Show what the fitted columns leave of the frame in view."""
        session, image = self._session, self._image()
        if session is None or image is None:
            return
        frame = int(self._host.viewer.dims.current_step[0]) if image.ndim == 3 else 0

        def done(left: np.ndarray) -> None:
            if image not in self._host.viewer.layers:
                self._host.say("The image has been removed meanwhile; there is no residual to show.")
                return
            layer = show_residual(self._host.viewer, image, left, frame)
            self._host.say(f"{escape(layer.name)}: the fit leaves a standard deviation of {left[np.isfinite(left)].std():.3g}.")

        self._host.start(residual.steps(to_micrograph(image), session.columns, frame), done, "Drawing the residual")


def was_refined(columns: Columns) -> bool:
    """True if a fit has said anything of the columns, good or bad."""
    fitted = columns.features["fit"].isin([fit for fit in FITS if fit != "none"]).any()
    return bool(fitted) or bool(columns.features["y_std_px"].notna().any())


def was_fitted(columns: Columns) -> bool:
    """True if a refinement has fitted any column; a column at the border is marked as such already when it is found."""
    return bool(columns.features["fit"].isin(("ok", *FLAGGED_FITS)).any()) or bool(columns.features["y_std_px"].notna().any())


def position_sigmas(columns: Columns) -> tuple[np.ndarray, str]:
    """Standard deviation of each position along one axis (mean square of y and x), shape (N,), and its unit, pm or px."""
    spread = columns.features[["y_std_px", "x_std_px"]].to_numpy(dtype=float)
    if columns.pixel_size is not None:
        spread = spread * np.asarray(columns.pixel_size) * PM_PER_ANGSTROM
    return np.sqrt(np.mean(spread**2, axis=1)), "px" if columns.pixel_size is None else "pm"


def worst(columns: Columns, count: int) -> np.ndarray:
    """Rows of the columns to look at first: failed ones, then by falling uncertainty; those never fitted are not among them."""
    sigma, _ = position_sigmas(columns)
    failed = (columns.features["fit"] == "failed").to_numpy()
    badness = np.where(failed, np.inf, np.where(np.isfinite(sigma), sigma, -np.inf))
    order = np.argsort(-badness, kind="stable")
    return np.asarray(order[badness[order] > -np.inf][:count])
