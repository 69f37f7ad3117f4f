"""How what was measured is looked at: arrows, maps, plots, a report."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from napari.layers import Image

from napari_atomseg.core.columns import DISPLACEMENT, POLAR, STRAIN, SUBLATTICE, TILT
from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.gui.docks.columns_plot import ColumnsPlotDock
from napari_atomseg.gui.documents.editing import ColumnsSession
from napari_atomseg.gui.layers.conversion import pixel_size_of, to_micrograph
from napari_atomseg.gui.layers.measured import show_arrows, show_direction_map, show_feature_map
from napari_atomseg.gui.layers.rings import show_rings
from napari_atomseg.gui.pages.measure.sentences import PM_PER_ANGSTROM
from napari_atomseg.gui.settings import recall
from napari_atomseg.gui.widgets.ask_where import ask_where
from napari_atomseg.gui.widgets.plot_view import PlotView
from napari_atomseg.plots.colour_wheel import ColourWheel, full_colour
from napari_atomseg.workflows import DIRECTIONS, image_strain, map_cells, map_feature, map_vectors, on_same_planes, report

if TYPE_CHECKING:
    from napari_atomseg.gui.contract import Host
    from napari_atomseg.workflows import Measurement

ARROWS = {"polarisation": POLAR, "displacement": DISPLACEMENT}
CELL_MAPS = {"a": "a_angstrom", "b": "b_angstrom", "b / a": "ratio", "angle": "angle_deg", "octahedral tilt": TILT}
"""What of the unit cells is mapped, by the words of the menu."""
WHEEL_PX = 88


class Measured(Protocol):
    """The page whose document is looked at.

    Attributes
    ----------
    session : ColumnsSession or None
        The document in view.
    sublattice : int
        That is measured on.
    """

    @property
    def session(self) -> ColumnsSession | None: ...

    @property
    def sublattice(self) -> int: ...

    def found(self, session: ColumnsSession | None) -> Measurement | None:
        """What was measured last of a document."""


class MeasuredViews:
    """Makes layers, plots and the report of the page's document.

    Parameters
    ----------
    host : Host
        The panel.
    page : Measured
    """

    def __init__(self, host: Host, page: Measured) -> None:
        self._host, self._page = host, page
        self.wheel = PlotView(host.viewer)
        self.wheel.setObjectName("colour_wheel")
        self.wheel.setFixedHeight(WHEEL_PX)
        self.wheel.setToolTip("What the colours of arrows and of their map mean.")
        self.wheel.hide()

    def _arrows(self) -> tuple[ColumnsSession, Image, str, tuple[float, float]] | None:
        """Document, image, what its arrows would show, and the pixel size; None if there are no arrows."""
        session = self._page.session
        image = session.image if session is not None else None
        if session is None or image is None or image not in self._host.viewer.layers:
            return None
        size = pixel_size_of(image)
        title = next((name for name, names in ARROWS.items() if names[0] in session.columns.features), "")
        return (session, image, title, size) if title and size is not None else None

    def _without(self, title: str) -> int | None:
        """Seen from their neighbours, the columns that polarisation is measured against point the other way."""
        return self._page.sublattice if title == "polarisation" else None

    def show_arrows(self) -> None:
        """Draw polarisation, or else displacement, as arrows."""
        drawn = self._arrows()
        if drawn is None:
            return
        session, image, title, size = drawn
        shown = show_arrows(self._host.viewer, image, title, session.columns, ARROWS[title], size, self._without(title))
        if shown is None:
            self._host.say(f"No column has a {title}: it needs a cell of at least two columns.")
            return
        self._show_wheel(title, self._largest(session, title), f"arrows {shown[1]:g} times longer")
        self._host.say(
            f"Arrows of {title}, {shown[1]:g} times longer than measured; the wheel says which colour is which direction. "
            '<a href="directions">As an image</a>'
        )

    def show_rings(self) -> None:
        """Draw the rings of a sheet as polygons, coloured by how many atoms they have."""
        session = self._page.session
        found, image = self._page.found(session), session.image if session is not None else None
        if session is None or found is None or image is None or image not in self._host.viewer.layers:
            return
        if "rings" in found.tables and show_rings(self._host.viewer, image, found.columns, found.tables["rings"]) is None:
            self._host.say("No ring is closed: atoms of a sheet have to be found first.")

    def show_directions(self) -> None:
        """Make an image of polarisation, or else displacement: the colour is the direction."""
        drawn = self._arrows()
        if drawn is None:
            return
        session, image, title, _ = drawn
        frame = int(self._host.viewer.dims.current_step[0]) if image.ndim == 3 else 0
        without = self._without(title)
        steps = map_vectors.steps(session.columns, ARROWS[title], image.data.shape[-2:], frame=frame, without=without)
        largest = self._largest(session, title)

        def show(planes: np.ndarray) -> None:
            if image in self._host.viewer.layers:
                show_direction_map(self._host.viewer, image, title, planes, largest, frame)
                self._show_wheel(title, largest)

        self._host.start(steps, show, "Drawing the map")

    def _largest(self, session: ColumnsSession, title: str) -> float:
        """Length of the full colour, Angstrom."""
        return full_colour(session.columns.features[list(ARROWS[title])].to_numpy(float))

    def _show_wheel(self, title: str, largest: float, note: str = "") -> None:
        self.wheel.show_plot(ColourWheel(title, f"{largest * PM_PER_ANGSTROM:.3g} pm", note))
        self.wheel.setAccessibleName(f"Colours of directions of {title}: red right, green down left, blue up left")
        self.wheel.show()

    def show_cell_map(self, name: str) -> None:
        """Make an image of a number of the unit cells.

        Parameters
        ----------
        name : str
            Of a column of the table of cells.
        """
        session = self._page.session
        found = self._page.found(session)
        image = session.image if session is not None else None
        if found is None or image is None or "cells" not in found.tables or image not in self._host.viewer.layers:
            return
        frame = int(self._host.viewer.dims.current_step[0]) if image.ndim == 3 else 0
        steps = map_cells.steps(found.tables["cells"], name, image.data.shape[-2:], frame=frame)
        self._host.start(steps, lambda plane: self._mapped(image, f"cell {name}", plane, frame), "Drawing the map")

    def write_report(self, path: str | None = None) -> None:
        """Write pictures, numbers and parameters of what was measured on one page.

        Parameters
        ----------
        path : str, optional
            ``.html``; without it the user is asked.
        """
        session = self._page.session
        found = self._page.found(session)
        image = session.image if session is not None else None
        if session is None or found is None or image is None:
            return
        path = path or ask_where(
            self._page, "Write a report", str(Path(str(recall("folder", ""))) / "report.html"), "HTML (*.html)"
        )
        if path:
            frame = int(self._host.viewer.dims.current_step[0]) if image.ndim == 3 else 0
            shown = replace(found, columns=session.columns)
            steps = report.steps(to_micrograph(image), shown, path, frame=frame)
            self._host.start(steps, lambda target: self._host.say(f"Report: {escape(str(target))}."), "Writing the report")

    def show_plot(self) -> None:
        """Plot the feature that the rings show."""
        session = self._page.session
        self._host.open_dock(ColumnsPlotDock).show_feature(session.colour_by if session is not None else "")

    def select_planes(self, direction: str) -> None:
        """Select the columns on the same planes as those that are selected.

        Parameters
        ----------
        direction : str
            One of the directions of the lattice that the menu names.
        """
        session = self._page.session
        if session is None:
            return
        chosen = np.array(sorted(session.layer.selected_data), int)
        try:
            rows = on_same_planes(session.columns, chosen, DIRECTIONS[direction])
        except AtomsegError as error:
            self._host.show_error(error)
            return
        session.layer.selected_data = {int(row) for row in rows}
        self._host.say(f"{len(rows):,} columns on the planes along {escape(direction)} are selected.")

    def show_map(self) -> None:
        """Make an image of the feature that the rings show."""
        session = self._page.session
        image = session.image if session is not None else None
        if session is None or image is None or not session.colour_by or image not in self._host.viewer.layers:
            return
        name, frame = session.colour_by, int(self._host.viewer.dims.current_step[0]) if image.ndim == 3 else 0
        columns = session.columns
        if name in POLAR:
            # Seen from each other, two sublattices point opposite ways.
            columns = columns.select(columns.features[SUBLATTICE].to_numpy() != self._page.sublattice)
        steps = map_feature.steps(columns, name, image.data.shape[-2:], frame=frame)
        self._host.start(steps, lambda plane: self._mapped(image, name, plane, frame), "Drawing the map")

    def _mapped(self, image: Image, name: str, plane: np.ndarray, frame: int) -> None:
        if image in self._host.viewer.layers:
            layer = show_feature_map(self._host.viewer, image, name, plane, frame)
            low, high = layer.contrast_limits
            self._host.say(f"Map of {escape(name.replace('_', ' '))}: colours from {low:.3g} to {high:.3g}.")

    def show_image_strain(self) -> None:
        """Make an image of the strain that the rings show, from the phases of the image."""
        session = self._page.session
        image = session.image if session is not None else None
        if session is None or image is None or session.colour_by not in STRAIN or image not in self._host.viewer.layers:
            return
        name, frame = session.colour_by, int(self._host.viewer.dims.current_step[0]) if image.ndim == 3 else 0
        steps = image_strain.steps(to_micrograph(image), session.columns, frame=frame)
        shown = f"{name} of the image"
        self._host.start(steps, lambda found: self._mapped(image, shown, getattr(found, name), frame), "Measuring phases")
