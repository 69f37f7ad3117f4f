"""The page "Compare": a simulated image laid onto the recorded one, and what is left between them."""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.profile import ProfileDock
from napari_atomseg.gui.layers.comparison import (
    Shown,
    colour_by,
    find_profile_layer,
    frame_of,
    plane_of,
    profile_layer,
    show_comparison,
)
from napari_atomseg.gui.layers.conversion import pixel_size_of
from napari_atomseg.gui.layers.fitting_view import fill_view
from napari_atomseg.gui.layers.structures import method_of
from napari_atomseg.gui.pages.compare.folder import save_comparison
from napari_atomseg.gui.pages.compare.lens_fit import LensFit
from napari_atomseg.gui.pages.compare.numbers import ResultNumbers, shift_text
from napari_atomseg.gui.pages.compare.pair_choice import PairChoice
from napari_atomseg.gui.pages.compare.views import DIFFERENCE, ResultRow
from napari_atomseg.gui.settings import recall_params, remember_params
from napari_atomseg.gui.widgets.folds import fold
from napari_atomseg.gui.widgets.forms import Form, align_labels, enable
from napari_atomseg.gui.widgets.image_pair import OFF
from napari_atomseg.gui.widgets.link_label import LinkLabel
from napari_atomseg.workflows import CompareParams, compare

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host, Links
    from napari_atomseg.workflows import Comparison, FittedSimulation

NO_IMAGE = 'Drop the recorded image here, or <a href="open">open it</a>; then compare a simulated one with it.'
ONLY_SIMULATED = 'Only a simulated image is open: <a href="open">open the recorded one</a> to compare them.'
NO_SIMULATED = 'No simulated image yet: <a href="simulate">simulate one</a>, or <a href="open">open one</a>.'
NO_RESULT = "Compare first."
LONGEST_NAME = 32
DRAWN_MS = 20
"""Rest in which the canvas is drawn before the next thing happens."""


@dataclass(frozen=True)
class _Result:
    comparison: Comparison
    shown: Shown


class ComparePage(QWidget):
    """Controls of the comparison; the panel's foot runs and cancels it.

    Parameters
    ----------
    host : Host
        The panel.
    """

    title = "Compare"
    tip = "Compare a simulated image with the recorded one."
    run_text = "Compare"
    run_tip = "Lay the simulated image onto the image above, and show what is left between them."

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._results: weakref.WeakKeyDictionary[Image, _Result] = weakref.WeakKeyDictionary()
        self._build()
        self._connect()
        self._fill()

    # -- how it looks ------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.empty = LinkLabel(self._host.viewer, name="nothing_to_compare")
        self.controls = QWidget()
        inside = QVBoxLayout(self.controls)
        inside.setContentsMargins(0, 0, 0, 0)
        self.pair = PairChoice(self._host)
        inside.addWidget(self.pair)
        self.views = ResultRow(self._host.viewer)
        inside.addWidget(self.views)
        self.result = ResultNumbers()
        self.colour = self.result.colour
        inside.addWidget(self.result)
        inside.addLayout(self._buttons())
        for title, folded in (("Fit lens", self._lens()), ("More", self._more())):
            inside.addWidget(fold(title, folded))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 8, 2)
        layout.addWidget(self.empty)
        layout.addWidget(self.controls)
        layout.addStretch(1)

    def _buttons(self) -> QHBoxLayout:
        self.profile_button, self.save_button = QPushButton("Profile"), QPushButton("Save …")
        self.profile_button.setObjectName("profile")
        self.profile_button.setProperty("tip", "Draw a line, and plot both images along it; move it, and the plot follows.")
        self.save_button.setObjectName("save_comparison")
        self.save_button.setProperty("tip", "Save the images, the numbers and the columns to a folder.")
        row = QHBoxLayout()
        row.addWidget(self.profile_button)
        row.addWidget(self.save_button)
        return row

    def _lens(self) -> QWidget:
        self.lens = LensFit(self._host)
        return self.lens

    def _more(self) -> QWidget:
        self.form = Form(CompareParams)
        self.form.set_value(recall_params(CompareParams))
        return self.form

    def _connect(self) -> None:
        self.pair.changed.connect(self._on_simulated)
        self.colour.currentIndexChanged.connect(self._on_colour)
        self.profile_button.clicked.connect(self.show_profile)
        self.save_button.clicked.connect(lambda: self.save())
        self.lens.fitted.connect(self._on_fitted)
        self.form.value_changed.connect(lambda: remember_params(self.form.value()))
        self.empty.linkActivated.connect(self._host.follow_link)
        layers = self._host.viewer.layers
        for event in (layers.events.inserted, layers.events.removed, layers.events.renamed):
            event.connect(self._on_layers)

    def settle(self) -> None:
        """Once the page has its fonts."""
        align_labels(self.pair.form, self.result.form)
        self._fill()

    # -- what can be done --------------------------------------------------------------------------------------------

    @property
    def found(self) -> Comparison | None:
        """The last comparison of the image."""
        result = self._result()
        return result.comparison if result is not None else None

    def _result(self) -> _Result | None:
        image = self._host.image
        return self._results.get(image) if image is not None else None

    def why_not(self) -> str:
        """Why nothing can be compared now; empty if it can."""
        image, chosen = self._host.image, self.pair.chosen
        if image is None:
            return "Open the recorded image first."
        if chosen is None:
            return "Simulate an image first, or choose another one." if self.pair.any_image else "Simulate an image first."
        if pixel_size_of(image) is None:
            return "The image has no pixel size: set it above first."
        if pixel_size_of(chosen) is None:
            return f"{chosen.name} has no pixel size: choose it above, and set it there."
        return ""

    def refresh(self) -> None:
        """Show what belongs to the image and to its last comparison."""
        self._show_empty()
        result = self._result()
        busy = "A job is running; cancel it first." if self._host.busy else ""
        enable(self.profile_button, result is not None, NO_RESULT)
        enable(self.save_button, result is not None and not busy, busy or NO_RESULT)
        self.lens.watch(self.pair.chosen)
        self.result.setVisible(result is not None)
        if result is not None:
            columns = result.shown.columns
            self.result.show_numbers(result.comparison, coloured=columns is not None and columns in self._host.viewer.layers)

    def _show_empty(self) -> None:
        image, some = self._host.image, self.pair.any_image
        if image is None:
            text = NO_IMAGE
        elif not some:
            text = ONLY_SIMULATED if method_of(image) else NO_SIMULATED
        else:
            text = "" if self.pair.chosen is not None else NO_SIMULATED
        self.empty.setText(text)
        self.empty.setVisible(bool(text))
        self.controls.setVisible(image is not None and some)

    def on_image(self) -> None:
        """The chosen image has changed."""
        self._fill()
        result = self._result()
        self.views.watch(self._host.image, result.shown if result is not None else None)
        self._watch_profile()

    @property
    def links(self) -> Links:
        """What the page's links do."""
        return {}

    def on_calibrated(self) -> None:
        """The image has another pixel size."""
        self.refresh()

    def _on_layers(self, event: Any = None) -> None:
        self._fill()
        if self.views.mode == OFF:
            result = self._result()
            self.views.watch(self._host.image, result.shown if result is not None else None)
        self._host.refresh_run()

    def _on_simulated(self) -> None:
        self.refresh()
        self._host.refresh_run()

    def _fill(self) -> None:
        """Offer the images and columns that there are."""
        self.pair.fill()
        self.refresh()

    # -- the job -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Compare the chosen images."""
        image, chosen, viewer = self._host.image, self.pair.chosen, self._host.viewer
        if image is None or chosen is None or self.why_not():
            return
        frame = frame_of(viewer, image)
        try:
            columns, params = self.pair.columns_of(frame), self.form.value()
        except AtomsegError as error:
            self._host.show_error(error)
            return
        steps = compare.steps(plane_of(viewer, chosen), plane_of(viewer, image), columns=columns, params=params)
        begun, name = time.perf_counter(), chosen.name
        self._host.start(steps, lambda found: self._made(image, name, frame, found, time.perf_counter() - begun), "Comparing")

    def _made(self, image: Image, name: str, frame: int, found: Comparison, seconds: float) -> None:
        if not self._show(image, frame, found):
            return
        self._host.say(
            f"{escape(_short(name))} against {escape(_short(image.name))}: 1 − R² {found.one_minus_r2:.3g}, "
            f"SSIM {found.ssim:.3g}, shift {shift_text(found.shift)}; {seconds:.1f} s."
        )

    def _on_fitted(self, image: Image, simulated: Image, frame: int, found: FittedSimulation) -> None:
        self._show(image, frame, found.comparison)

    def _show(self, image: Image, frame: int, found: Comparison) -> bool:
        """Put a comparison into the viewer and on the page."""
        viewer = self._host.viewer
        if image not in viewer.layers:
            self._host.say("The image has been removed meanwhile; its comparison is not shown.")
            return False
        mode = self.views.mode
        self.views.show_as(OFF)
        shown = show_comparison(viewer, image, found, frame)
        self._results[image] = _Result(found, shown)
        self._on_colour()
        self._fill()
        if image is self._host.image:
            self.views.watch(image, shown)
            self.views.show_as(DIFFERENCE if mode == OFF else mode)
            # The structure lies beside the image, and is not compared.
            fill_view(viewer, image)
            self._watch_profile()
        return True

    # -- what came of it ---------------------------------------------------------------------------------------------

    def _on_colour(self, _: int = 0) -> None:
        result = self._result()
        columns = result.shown.columns if result is not None else None
        if columns is None or columns not in self._host.viewer.layers:
            return
        name = self.colour.currentData()
        limit = colour_by(columns, name)
        unit = " pm" if name.endswith("_pm") else ""
        self.colour.setToolTip(f"Blue −{limit:.3g}{unit}, grey zero, orange +{limit:.3g}{unit}; image minus simulation.")

    def show_profile(self) -> None:
        """Show both images along a line."""
        image, result = self._host.image, self._result()
        if image is None or result is None:
            return
        layer = profile_layer(self._host.viewer, image, result.comparison.simulated.data)
        if not layer.visible:
            layer.visible = True
        self._host.viewer.layers.selection.active = layer
        layer.mode = "select"
        # The line is drawn before the window is divided anew, and that before the profile: together they would be felt.
        QTimer.singleShot(DRAWN_MS, self._open_profile)

    def _open_profile(self) -> None:
        self._host.open_dock(ProfileDock)
        QTimer.singleShot(DRAWN_MS, self._watch_profile)

    def _watch_profile(self) -> None:
        profile = self._host.dock(ProfileDock)
        if profile is not None:
            image = self._host.image
            profile.watch(self.found, image, find_profile_layer(self._host.viewer, image))

    def save(self, folder: str | None = None) -> None:
        """Save the comparison to a folder; asks for it unless it is given."""
        if self.found is not None:
            save_comparison(self._host, self, self.found, folder)


def _short(name: str) -> str:
    """A name without its middle if it is long: series differ at the ends of their names."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 :]}"
