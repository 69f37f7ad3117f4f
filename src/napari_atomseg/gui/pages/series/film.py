"""Films of a series: recorded or aligned frames with scale bar and time."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

from napari_atomseg.gui.layers.conversion import to_micrograph
from napari_atomseg.gui.layers.series import aligned_of
from napari_atomseg.gui.settings import recall, recall_params, remember, remember_params
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.gui.widgets.forms import Form, enable
from napari_atomseg.writers.film import FilmParams, why_no_mp4, write_film

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host

RECORDED, ALIGNED = "as recorded", "aligned"


class FilmControls(QWidget):
    """Which frames, how fast, with what on them; and the button that writes the film.

    Parameters
    ----------
    host : Host
        The panel.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self.frames = QComboBox()
        self.frames.setObjectName("film_frames")
        self.frames.addItems([RECORDED, ALIGNED])
        self.frames.setToolTip("The frames as they were recorded, or on each other.")
        self.form = Form(FilmParams)
        self.form.form.insertRow(0, "Frames", self.frames)
        self.form.set_value(recall_params(FilmParams))
        self.form.value_changed.connect(lambda: remember_params(self.form.value()))
        self.button = QPushButton("Save film …")
        self.button.setObjectName("save_film")
        self.button.setProperty("tip", "Write the frames as a film, GIF or MP4, with the contrast of the window.")
        self.button.clicked.connect(lambda: self.save())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.button)

    @property
    def source(self) -> Image | None:
        """The layer whose frames are shown; None if there is none."""
        image = self._host.image
        if image is None or image.ndim != 3:
            return None
        return aligned_of(self._host.viewer, image) if self.frames.currentText() == ALIGNED else image

    def refresh(self) -> None:
        """Show what can be done."""
        image = self._host.image
        if self._host.busy:
            why_not = "A job is running; cancel it first."
        else:
            why_not = "" if image is not None and image.ndim == 3 else "Open a series of frames first."
        enable(self.button, not why_not, why_not)

    def save(self, path: str | None = None) -> None:
        """Write the film, in a worker."""
        image, source = self._host.image, self.source
        if image is None or self._host.busy:
            return
        if source is None:
            self._host.say("There are no aligned frames of this image yet: press Align and average first.")
            return
        start = str(Path(str(recall("folder", ""))) / f"{Path(image.name).stem}.gif")
        kinds = "GIF (*.gif)" if why_no_mp4() else "MP4 (*.mp4);;GIF (*.gif)"
        path = path or ask_where(self, "Save the film", start, kinds)
        if not path:
            return
        remember("folder", str(Path(path).parent))
        low, high = source.contrast_limits
        steps = write_film.steps(to_micrograph(source), path, params=self.form.value(), limits=(float(low), float(high)))
        number = len(source.data)
        self._host.start(steps, lambda done: self._host.say(f"Saved {number} frames in {escape(done.name)}."), "Writing the film")
