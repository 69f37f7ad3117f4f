"""The menu in the head: open, import, carry over, diffractogram, what the file says, export."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_atomseg.core.columns import POSITION_NAMES, Columns
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.diffractogram import DiffractogramDock
from napari_atomseg.gui.docks.listed import DOCKS
from napari_atomseg.gui.documents.editing import session_of
from napari_atomseg.gui.documents.results import documents_of, reservations, show_columns
from napari_atomseg.gui.layers.conversion import to_micrograph, usable_image
from napari_atomseg.gui.preferences import PLUGIN
from napari_atomseg.gui.settings import recall, remember
from napari_atomseg.gui.widgets.ask_where import PICTURES, ask_where, suffixes_in
from napari_atomseg.sessions.saving import with_suffix
from napari_atomseg.workflows import attach_to_image, read_columns, straighten_rows, transfer

if TYPE_CHECKING:
    from napari_atomseg.analysis.scan_rows import ScanRows
    from napari_atomseg.gui.dialogs.calibration import CalibrationDialog
    from napari_atomseg.gui.dialogs.synthetic import SyntheticDialog
    from napari_atomseg.gui.shell.frame import Frame


class PanelMenu(QObject):
    """Less frequent work, one menu entry each.

    Parameters
    ----------
    panel : Frame
    """

    def __init__(self, panel: Frame) -> None:
        super().__init__(panel)
        self._panel = panel
        self._calibration: CalibrationDialog | None = None
        self._synthetic: SyntheticDialog | None = None
        menu = panel.image_bar.menu
        menu.setToolTipsVisible(True)
        for text, action, tip in (
            ("Open files …", self.open_files, "Open micrographs with their calibration."),
            ("Open columns …", self.open_columns, "Columns from CSV, text, xyz or an Atomap/TEMUL file, onto the image above."),
            ("Columns from another image …", self.carry_over, "Use the columns of another detector's image here (ADF to ABF)."),
            ("", None, ""),
            ("Pixel size …", self.calibration, "Type it, draw a known length, or name a lattice spacing."),
            *((kind.title, lambda kind=kind: panel.open_dock(kind), kind.tip) for kind in DOCKS),
            (
                "Straighten scan rows",
                self.straighten,
                "Take off what all columns of the same scan rows are displaced by in common.",
            ),
            ("New synthetic image …", self.synthetic, "Make a random synthetic image of a recipe, with its true columns."),
            ("", None, ""),
            (
                "Export the view …",
                self.export_view,
                "What the canvas shows now, as PNG: zoom, colours, visible layers.",
            ),
            (
                "Export the whole image with rings …",
                self.export_rings,
                "The whole image in grey with all its columns and a scale bar, as PNG or SVG, whatever the canvas shows.",
            ),
            ("", None, ""),
            ("Keys …", panel.show_keys, "Every key that does something on the columns."),
        ):
            if action is None:
                menu.addSeparator()
                continue
            entry = menu.addAction(text)
            entry.setToolTip(tip)
            entry.triggered.connect(lambda _=False, chosen=action: chosen())

    def open_files(self) -> None:
        """Open files through our reader, whatever napari's preferences say."""
        files, _ = QFileDialog.getOpenFileNames(self._panel, "Open micrographs", str(recall("folder", "")))
        for file in files:
            self._panel.viewer.open(file, plugin=PLUGIN)
            remember("folder", str(Path(file).parent))

    def open_columns(self, path: str | None = None) -> None:
        """Put a table of columns on the chosen image; how its columns are read can be changed first."""
        if path is None:
            kinds = "Tables (*.csv *.txt *.tsv *.xyz *.hdf5 *.h5);;All files (*)"
            path, _ = QFileDialog.getOpenFileName(self._panel, "Open columns", str(recall("folder", "")), kinds)
        if not path:
            return
        try:
            columns = self._read(Path(path))
        except AtomsegError as error:
            self._panel.show_error(error)
            return
        if columns is None:
            return
        remember("folder", str(Path(path).parent))
        image = self._panel.image
        if image is None:
            self._panel.viewer.open(path, plugin=PLUGIN)
            return
        micrograph = to_micrograph(image)
        columns = attach_to_image(columns, micrograph, dict(columns.provenance))
        session, _ = show_columns(self._panel.viewer, image, columns)
        self._panel.documents.watch(session)
        doubts = "".join(f" ({said})" for said in reservations(columns, micrograph))
        self._panel.say(
            f'{len(columns):,} columns from {Path(path).name}{doubts}. <a href="refine">refine</a> · <a href="table">table</a>'
        )

    def _read(self, path: Path) -> Columns | None:
        """Read a table, asking how where the file does not say; None if the user gives up."""
        from napari_atomseg.gui.dialogs.mapping import ask_mapping
        from napari_atomseg.readers.column_mapping import guess_mapping

        image = self._panel.image
        micrograph = to_micrograph(image) if image is not None else None
        given = (micrograph.pixel_size, micrograph.pixel_size_source) if micrograph is not None else (None, "")
        if path.suffix.lower() in (".hdf5", ".h5", ".xyz"):
            return read_columns(path, None, *given)
        guessed = guess_mapping(path)
        if (guessed.y, guessed.x) == POSITION_NAMES[:2]:
            return read_columns(path)
        mapping = ask_mapping(self._panel, path, guessed)
        return read_columns(path, mapping, *given) if mapping is not None else None

    def carry_over(self) -> None:
        """Use the columns of another image of the same field."""
        target = self._panel.image
        viewer = self._panel.viewer
        others = [layer for layer in viewer.layers if usable_image(layer) and layer is not target and documents_of(viewer, layer)]
        if target is None or not others:
            self._panel.say("No other image has columns yet: find them there first.")
            return
        names = [layer.name for layer in others]
        name, ok = (names[0], True)
        if len(names) > 1:
            name, ok = QInputDialog.getItem(self._panel, "Columns from another image", "Image", names, 0, False)
        if not ok:
            return
        source = session_of(documents_of(viewer, others[names.index(name)])[-1]).columns
        columns = transfer(source, to_micrograph(target))
        session, _ = show_columns(viewer, target, columns)
        self._panel.documents.watch(session)
        self._panel.say(f'{len(columns):,} columns carried over from {name}. <a href="refine">refine</a> them on this image.')

    def calibration(self) -> None:
        """Open the dialog for the pixel size."""
        from napari_atomseg.gui.dialogs.calibration import CalibrationDialog

        if self._calibration is None:
            self._calibration = CalibrationDialog(self._panel, self._panel)
            self._calibration.diffractogram_wanted.connect(lambda: self._panel.open_dock(DiffractogramDock))
            self._panel.image_bar.image_changed.connect(self._calibration.refresh)
            self._panel.image_bar.calibrated.connect(self._calibration.refresh)
        self._calibration.show_beside_the_image()

    def straighten(self) -> None:
        """Free the columns of the displacements of their scan rows, as one edit that can be undone."""
        session = self._panel.documents.session
        if session is None or len(session.columns) == 0:
            self._panel.say("Find or open columns first.")
            return

        asked = session.columns

        def done(result: tuple[Columns, list[ScanRows]]) -> None:
            if session.columns is not asked:
                self._panel.say("The columns have changed meanwhile; nothing was straightened. Do it again.")
                return
            columns, rows = result
            rms = np.sqrt(np.mean([frame.rms**2 for frame in rows], axis=0))
            if not rms.any():
                self._panel.say("The columns show no displaced rows; nothing was changed.")
                return
            session.apply(columns)
            size = columns.pixel_size
            along_y, along_x = (
                (f"{100 * value * scale:.1f} pm" for value, scale in zip(rms, size, strict=True))
                if size
                else (f"{value:.2f} px" for value in rms)
            )
            self._panel.say(
                f"Rows were displaced by {along_x} along x and {along_y} along y (rms). Undo gives the measured positions back."
            )

        self._panel.start(straighten_rows.steps(asked), done, "Straightening scan rows")

    def synthetic(self) -> None:
        """Open the dialog that draws synthetic images."""
        from napari_atomseg.gui.dialogs.synthetic import SyntheticDialog

        if self._synthetic is None:
            self._synthetic = SyntheticDialog(self._panel, self._panel)
        self._synthetic.show()
        self._synthetic.raise_()

    def export_view(self, path: str | None = None) -> None:
        """Write what the canvas shows as PNG."""
        from napari_atomseg.writers.atomic import replacing

        if not self._panel.viewer.layers:
            self._panel.say("Open an image first.")
            return
        path = path or self._ask_where("Export the view", "view.png", "PNG (*.png)")
        if not path:
            return
        target = with_suffix(Path(path), (".png",))
        try:
            with replacing(target) as part:
                self._panel.viewer.screenshot(str(part), canvas_only=True, flash=False)
        except AtomsegError as error:
            self._panel.show_error(error)
            return
        self._panel.say(f"The view is exported to {html.escape(target.name)}.")

    def export_rings(self, path: str | None = None) -> None:
        """Write the whole image with its rings and scale bar; PNG or SVG by suffix."""
        from napari_atomseg.writers.overlay import write_overlay

        image = self._panel.image
        if image is None:
            self._panel.say("Open an image first.")
            return
        path = path or self._ask_where("Export the whole image with rings", "image.png", PICTURES)
        if not path:
            return
        micrograph = to_micrograph(image)
        session = self._panel.documents.session
        columns = (
            session.columns if session is not None else replace(Columns(positions=np.zeros((0, 2))), image_shape=micrograph.shape)
        )
        frame = int(self._panel.viewer.dims.current_step[0]) if image.ndim == 3 else 0
        try:
            written = write_overlay(micrograph, columns, with_suffix(Path(path), suffixes_in(PICTURES)), frame=frame)
        except AtomsegError as error:
            self._panel.show_error(error)
            return
        self._panel.say(f"The whole image is exported to {html.escape(written.name)}.")

    def _ask_where(self, title: str, name: str, kinds: str) -> str:
        return ask_where(self._panel, title, Path(str(recall("folder", ""))) / name, kinds)
