"""Live diffractogram of what the canvas shows, in a plot of its own: in the viewer it would spoil the units.

Click a spot to read its spacing, and give that spacing to calibrate the image.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import format_length
from napari_atomseg.gui.jobs.workers import Work
from napari_atomseg.gui.layers.conversion import pixel_size_of
from napari_atomseg.gui.widgets.lengths import LengthField
from napari_atomseg.workflows import Diffractogram, Spots, pixel_size_from_spacing, show_frequencies

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

DELAY_MS = 250
SMALLEST_SIDE = 32
GRAB_RADIUS_PX = 12
SIDE_WIDTH = 240
BACKGROUND = "#262930"
SPOT_COLOUR = "#17becf"
CHOSEN_COLOUR = "#f0e442"


class DiffractogramDock(QWidget):
    """Power spectrum of the visible part of the image, with its lattice spots.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Diffractogram"
    tip = "Live Fourier transform of what the canvas shows."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.setObjectName("DiffractogramDock")
        self._host = host
        self._work: Work | None = None
        self._stale = False
        self._result: tuple[Diffractogram, Spots] | None = None
        self._image: weakref.ref[Image] | None = None
        self.chosen: np.ndarray | None = None
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self.compute)
        viewer = host.viewer
        viewer.scene.camera.events.zoom.connect(self.later)
        viewer.scene.camera.events.center.connect(self.later)
        viewer.dims.events.current_step.connect(self.later)
        host.image_changed.connect(self.later)
        host.calibrated.connect(self.draw)
        self.later()

    def _build(self) -> None:
        # Slow to load, and the menu that lists this dock is there from the start.
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3, 3), facecolor=BACKGROUND)
        self.axes = figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.canvas: Any = FigureCanvasQTAgg(figure)  # type: ignore[no-untyped-call]
        self.canvas.setMinimumSize(140, 110)
        self.canvas.mpl_connect("button_press_event", self._on_click)
        # The plot fills its frame, and shows both axes at the same scale whatever the frame's shape.
        self.canvas.mpl_connect("resize_event", lambda _: self.draw())
        self.reading = QLabel("Click a spot to read its spacing.")
        self.reading.setWordWrap(True)
        self.spacing = LengthField("spot_spacing", "Å", "e.g. 2.761", "True spacing of the lattice planes of the chosen spot.")
        self.spacing.entered.connect(self.calibrate)
        self.use = QPushButton("Calibrate")
        self.use.setToolTip("Set the pixel size so that the chosen spot has this spacing.")
        self.use.clicked.connect(self.calibrate)
        side = QVBoxLayout()
        for widget in (self.reading, self.spacing, self.use):
            widget.setFixedWidth(SIDE_WIDTH)
            side.addWidget(widget)
        side.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.canvas, 1)
        layout.addLayout(side)

    def later(self, *_: Any) -> None:
        """Compute anew once the view rests; nothing is computed while the dock is hidden."""
        try:
            self._timer.start()
        except RuntimeError:
            return

    def compute(self) -> None:
        """Compute the diffractogram of the visible part of the image."""
        if not self.isVisible():
            return
        if self._work is not None:
            self._stale = True
            return
        image = self._host.image
        part = visible_part(self._host.viewer, image, self._host.current_plane()) if image is not None else None
        if image is None or part is None:
            self._result = None
            self.draw()
            return
        self._image = weakref.ref(image)
        work = self._work = Work(show_frequencies.steps(part))
        work.finished.connect(self._on_result)
        work.ended.connect(self._on_ended)
        work.start()

    def _on_result(self, result: tuple[Diffractogram, Spots]) -> None:
        self._result = result
        self.chosen = None
        self.draw()

    def _on_ended(self) -> None:
        self._work = None
        if self._stale:
            self._stale = False
            self.later()

    def draw(self) -> None:
        """Show the last result, with the radius in the image's units."""
        self.axes.clear()
        self.axes.set_axis_off()
        if self._result is None:
            self.axes.text(
                0.5, 0.5, "Nothing to transform:\nopen an image, or zoom out.", ha="center", va="center", color="white"
            )
        else:
            self._draw_result(*self._result)
        self._say()
        self.canvas.draw_idle()

    def _draw_result(self, spectrum: Diffractogram, spots: Spots) -> None:
        shown = np.log(spectrum.power + 1e-9 * float(spectrum.power.max()) + 1e-30)
        low, high = np.percentile(shown, (30, 99.95))
        # The zero frequency is the centre of its pixel, which an even number of pixels has not in the middle.
        (top, left), (bottom, right) = spectrum.frequency([(-0.5, -0.5), np.array(spectrum.power.shape) - 0.5])
        extent = (left, right, bottom, top)
        self.axes.imshow(shown, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), extent=extent, aspect="auto")
        zoom = _limit(spots)
        ratio = self.canvas.width() / max(1, self.canvas.height())
        self.axes.set_xlim(-zoom * max(1, ratio), zoom * max(1, ratio))
        self.axes.set_ylim(zoom * max(1, 1 / ratio), -zoom * max(1, 1 / ratio))
        both = np.concatenate([spots.frequencies, -spots.frequencies])
        self.axes.scatter(both[:, 1], both[:, 0], s=60, facecolors="none", edgecolors=SPOT_COLOUR, linewidths=1)
        if self.chosen is not None:
            self.axes.scatter(self.chosen[1], self.chosen[0], s=110, facecolors="none", edgecolors=CHOSEN_COLOUR, linewidths=2)

    def _on_click(self, event: Any) -> None:
        if self._result is None or event.xdata is None:
            return
        spots = self._result[1].frequencies
        clicked = np.array([event.ydata, event.xdata])
        both = np.concatenate([spots, -spots])
        self.chosen = clicked
        if len(both):
            on_screen = self.axes.transData.transform(both[:, ::-1])
            distance = np.hypot(*(on_screen - (event.x, event.y)).T)
            if distance.min() < GRAB_RADIUS_PX:
                self.chosen = both[int(np.argmin(distance))]
        self.draw()

    def _say(self) -> None:
        """Spacing of the chosen spot in pixels and, where known, in Angstrom."""
        image = self._image() if self._image is not None else None
        if self.chosen is None or not np.hypot(*self.chosen) or image is None:
            count = len(self._result[1].strengths) if self._result is not None else 0
            self.reading.setText(f"{count} lattice spots. Click one to read its spacing.")
            return
        text = f"spacing {1 / np.hypot(*self.chosen):.3f} px"
        pixel_size = pixel_size_of(image)
        if pixel_size is not None:
            per_angstrom = self.chosen / pixel_size
            angle = np.degrees(np.arctan2(-self.chosen[0], self.chosen[1]))
            text += f", {format_length(1 / float(np.hypot(*per_angstrom)))}, {angle:.1f}° from x"
        self.reading.setText(text)

    def calibrate(self) -> None:
        """Give the chosen spot the typed spacing."""
        if self.chosen is None:
            self.reading.setText("Click a spot first.")
            return
        try:
            pixel_size = pixel_size_from_spacing(self.chosen.tolist(), self.spacing.value())
        except AtomsegError as error:
            self.reading.setText(str(error))
            return
        self._host.set_pixel_size(pixel_size, "a diffraction spot")

    def showEvent(self, event: Any) -> None:  # Qt's name
        """Catch up with what happened while the dock was hidden."""
        super().showEvent(event)
        self.later()


def visible_part(viewer: Any, image: Image, plane: Any) -> Any:
    """The part of a plane (Y, X) that the canvas shows; None if it is too small to transform.

    Parameters
    ----------
    viewer : napari viewer
    image : Image
        Layer of the plane, which tells where it lies.
    plane : array, shape (Y, X)
        Numpy or lazy.
    """
    height, width = plane.shape
    canvas = np.array(viewer.canvas.size, dtype=float)
    centre = np.array(viewer.scene.camera.center[-2:], dtype=float)
    half = canvas / (2 * viewer.scene.camera.zoom)
    padding = np.zeros(max(0, image.ndim - 2))
    corners = [image.world_to_data(np.concatenate([padding, centre + sign * half]))[-2:] for sign in (-1, 1)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    y = slice(max(0, int(np.floor(low[0]))), min(height, int(np.ceil(high[0])) + 1))
    x = slice(max(0, int(np.floor(low[1]))), min(width, int(np.ceil(high[1])) + 1))
    if y.stop - y.start < SMALLEST_SIDE or x.stop - x.start < SMALLEST_SIDE:
        return None
    return plane[y, x]


def _limit(spots: Spots) -> float:
    """Frequency up to which the plot reaches: a little beyond the farthest spot."""
    if len(spots.strengths) == 0:
        return 0.25
    # Streaks of line noise reach far; the lattice is where the strong spots are.
    strong = spots.frequencies[spots.strengths > 0.02]
    return float(np.clip(1.5 * np.max(np.hypot(*strong.T)), 0.02, 0.5))
