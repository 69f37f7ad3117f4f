"""The dock "Profile": a recorded and a simulated image along a line, live while the line is moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from napari.layers import Shapes
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.gui.documents.saving import PICTURES, ask_where, suffixes_in, with_suffix
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.controls import CountBox
from napari_atomseg.gui.widgets.forms import enable
from napari_atomseg.gui.widgets.painted import ON_WHITE, Inks, Painted, with_small_font
from napari_atomseg.workflows import line_profile

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_atomseg.gui.contract import Host
    from napari_atomseg.workflows import Comparison

EMPTY = "Move the line, or draw another one: the last line counts."
LEAST_PX, MARGIN_PX, LABEL_PX = 100, 6, 16
LIVE_MS = 30
FEW_POINTS = 500
SAVED_SIZE, SAVED_SCALE = QSize(640, 300), 3
LOW_SHARE = 0.05
"""Room above and below the curves, in shares of their range."""
SHARED = ("distance_angstrom", "experimental", "simulated")


class ProfileDock(QWidget):
    """Plot of both images along the line of a Shapes layer.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Profile"
    tip = "Both images along a line."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("ProfileDock")
        self._comparison: Comparison | None = None
        self._image: Image | None = None
        self._layer: Shapes | None = None
        self._ends: tuple[np.ndarray, np.ndarray] | None = None
        self.plot = ProfilePlot(host.viewer)
        self._build()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(LIVE_MS)
        self._soon.timeout.connect(self.update_plot)

    def _build(self) -> None:
        self.width_box = CountBox()
        self.width_box.setObjectName("profile_width")
        self.width_box.setRange(1, 999)
        self.width_box.setSuffix(" px")
        self.width_box.setToolTip("The profile is averaged over this width across the line.")
        self.width_box.valueChanged.connect(self._on_width)
        self.save_button = QPushButton("Save …")
        self.save_button.setObjectName("save_profile")
        self.save_button.setProperty("tip", "Save the plot as PNG or SVG, and its numbers as CSV beside it.")
        self.save_button.clicked.connect(lambda: self.save())
        self.told = QLabel()
        self.told.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.told, 1)
        row.addWidget(QLabel("Width"))
        row.addWidget(self.width_box)
        row.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(2)
        layout.addWidget(self.plot, 1)
        layout.addLayout(row)
        enable(self.save_button, False, "There is no profile yet.")

    def watch(self, comparison: Comparison | None, image: Image | None, layer: Shapes | None) -> None:
        """Show the profile of another comparison, along another line."""
        if layer is not self._layer:
            self._follow(layer)
        self._comparison, self._image, self._ends = comparison, image, None
        self.update_plot()

    def _follow(self, layer: Shapes | None) -> None:
        if self._layer is not None:
            self._layer.events.set_data.disconnect(self._later)
            self._layer.events.data.disconnect(self._later)
        self._layer = layer
        if layer is not None:
            # While a hand drags a shape, only `set_data` is heard.
            layer.events.set_data.connect(self._later)
            layer.events.data.connect(self._later)

    def _later(self, event: Any = None) -> None:
        try:
            if not self._soon.isActive():
                self._soon.start()
        except RuntimeError:  # napari keeps the callback longer than Qt the widget
            return

    def _on_width(self, _: int) -> None:
        self._ends = None
        self.update_plot()

    def update_plot(self) -> None:
        """Show the profile along the line as it now lies."""
        from napari_atomseg.gui.layers.comparison import line_of

        ends = line_of(self._layer, self._image) if self._layer is not None and self._image is not None else None
        if ends is None or self._comparison is None:
            self._show(None)
            return
        if self._ends is not None and np.array_equal(ends, self._ends):
            return
        self._ends = ends
        if np.hypot(*(ends[1] - ends[0])) < 1:
            self._show(None)
            return
        self._show(line_profile(self._comparison, *(tuple(map(float, end)) for end in ends), width_px=self.width_box.value()))

    def _show(self, table: pd.DataFrame | None) -> None:
        self.plot.show_profile(table)
        enable(self.save_button, table is not None, "There is no profile yet.")
        self.told.setText(EMPTY if table is None else _told(table))

    def save(self, path: str | None = None) -> list[Path]:
        """Save the plot, by suffix as PNG or SVG, and its numbers beside it; the files written."""
        table = self.plot.table
        if table is None:
            return []
        if path is None:
            start = str(Path(str(recall("folder", ""))) / "profile.png")
            path = ask_where(self, "Save the profile", start, PICTURES)
        if not path:
            return []
        picture = with_suffix(Path(path), suffixes_in(PICTURES))
        numbers = picture.with_suffix(".csv")
        try:
            self.plot.save(picture)
            table.to_csv(numbers, index=False)
        except OSError as error:
            self.told.setText(f"Could not be saved: {error.strerror or error}. Choose another folder.")
            return []
        remember("folder", str(picture.parent))
        self.told.setText(f"Saved to {picture.name} and {numbers.name}.")
        return [picture, numbers]


class ProfilePlot(Painted):
    """Two curves over the distance, painted by Qt itself in the colours of napari's theme."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(viewer, parent)
        self.table: pd.DataFrame | None = None
        self.setMinimumHeight(LEAST_PX)
        self.setAccessibleName("Profile of the image and its simulation")

    def show_profile(self, table: pd.DataFrame | None) -> None:
        """Show other curves; None for none."""
        self.table = table if table is not None and len(table) > 1 else None
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """The curves in the colours of the theme."""
        self._paint(QPainter(self), QRectF(self.rect()), self.inks)

    def save(self, path: Path) -> None:
        """Paint the curves on white into a PNG or SVG file.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        from qtpy.QtSvg import QSvgGenerator

        area = QRectF(0, 0, SAVED_SIZE.width(), SAVED_SIZE.height())
        with path.open("wb"):  # an error of the file system that names its reason; Qt tells none
            pass
        if path.suffix.lower() == ".svg":
            drawing = QSvgGenerator()
            drawing.setFileName(str(path))
            drawing.setSize(SAVED_SIZE)
            drawing.setViewBox(area)
            painter = QPainter(drawing)
            self._paint(painter, area, ON_WHITE)
            painter.end()
            return
        image = QImage(SAVED_SIZE * SAVED_SCALE, QImage.Format.Format_RGB32)
        image.fill(QColor("white"))
        painter = QPainter(image)
        painter.scale(SAVED_SCALE, SAVED_SCALE)
        self._paint(painter, area, ON_WHITE)
        painter.end()
        image.save(str(path))

    def _paint(self, painter: QPainter, area: QRectF, inks: Inks) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        with_small_font(painter)
        painter.setPen(inks.text)
        if self.table is None:
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, EMPTY)
            return
        distance, recorded, made = (self.table[name].to_numpy(float) for name in SHARED)
        low, high = _range(recorded, made)
        numbers = [f"{value:.4g}" for value in (high, low)]
        left = MARGIN_PX + max(painter.fontMetrics().horizontalAdvance(one) for one in numbers) + 4
        room = QRectF(left, MARGIN_PX + LABEL_PX, area.width() - left - MARGIN_PX, area.height() - 2 * LABEL_PX - 2 * MARGIN_PX)
        painter.setPen(inks.faint)
        painter.drawRect(room)
        # Wide lines of many points are slow to draw.
        width = 1.6 if len(distance) <= FEW_POINTS else 1.0
        for values, colour in ((recorded, inks.text), (made, inks.bright)):
            painter.setPen(QPen(colour, width))
            for line in _lines(distance, values, room, low, high):
                painter.drawPolyline(line)
        self._label(painter, area, room, numbers, float(distance[-1]), inks)

    def _label(
        self,
        painter: QPainter,
        area: QRectF,
        room: QRectF,
        numbers: list[str],
        length: float,
        inks: Inks,
    ) -> None:
        above = QRectF(room.left(), 1, room.width(), LABEL_PX + 2)
        painter.setPen(inks.text)
        painter.drawText(above, Qt.AlignmentFlag.AlignLeft, "— recorded")
        step = painter.fontMetrics().horizontalAdvance("— recorded     ")
        painter.setPen(inks.bright)
        painter.drawText(above.adjusted(step, 0, 0, 0), Qt.AlignmentFlag.AlignLeft, "— simulated")
        painter.setPen(inks.text)
        beside = QRectF(0, room.top() - 2, room.left() - 4, room.height() + 4)
        painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, numbers[0])
        painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, numbers[1])
        below = QRectF(room.left(), room.bottom() + 1, room.width(), LABEL_PX)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "distance, Å")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{length:.4g}")


def _told(table: pd.DataFrame) -> str:
    difference = (table["experimental"] - table["simulated"]).to_numpy(float)
    known = difference[np.isfinite(difference)]
    if not known.size:
        return "The simulation does not reach this line."
    return f"{table['distance_angstrom'].iloc[-1]:.3g} Å; difference {np.sqrt(np.mean(known**2)):.3g} (rms)."


def _range(*curves: np.ndarray) -> tuple[float, float]:
    """Ends of the axis: those of all values, and a little more."""
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    spare = LOW_SHARE * (high - low) or 1e-12
    return low - spare, high + spare


def _lines(distance: np.ndarray, values: np.ndarray, room: QRectF, low: float, high: float) -> list[QPolygonF]:
    """A curve as lines, broken where nothing is known."""
    x = room.left() + distance / max(float(distance[-1]), 1e-12) * room.width()
    y = room.bottom() - (values - low) / (high - low) * room.height()
    known = np.isfinite(y)
    pieces = np.split(np.arange(len(y)), np.flatnonzero(np.diff(known.astype(int))) + 1)
    return [QPolygonF([QPointF(float(x[one]), float(y[one])) for one in piece]) for piece in pieces if known[piece[0]]]
