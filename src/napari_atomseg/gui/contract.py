"""What the panel asks of its pages and docks, and what they may ask of the panel: none of them knows the others by name.

A page is a folder below ``pages`` and a line in ``pages/listed.py``; a dock is a file in ``docks`` and, if the menu is to offer
it, a line in ``docks/listed.py``. Both are widgets that are made with the panel as their only argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qtpy.QtWidgets import QWidget

from napari_atomseg.gui.host import BasicHost, Links

if TYPE_CHECKING:
    from napari.layers import Image
    from qtpy.QtCore import SignalInstance

    from napari_atomseg.gui.documents.current import CurrentDocument
    from napari_atomseg.gui.jobs.workers import Work
    from napari_atomseg.gui.widgets.network_settings import NetworkSettings

__all__ = ["Dock", "Host", "Links", "Page", "Widget"]
Widget = TypeVar("Widget", bound=QWidget)


class Page(Protocol):
    """One task of the panel.

    Attributes
    ----------
    title, tip : str
        On the button that turns to the page, and in its tooltip; the title is also the name by which the page is remembered.
    run_text, run_tip : str
        On the button in the foot.
    links : mapping of str to callable
        What the page's links in the foot do.
    """

    title: str
    tip: str
    run_text: str
    run_tip: str

    @property
    def links(self) -> Links: ...

    def run(self) -> None:
        """What the button in the foot does."""

    def why_not(self) -> str:
        """Why that cannot be done now; empty if it can."""

    def refresh(self) -> None:
        """Show what can be done; called when a job begins or ends."""

    def settle(self) -> None:
        """Once the page has its place and its fonts."""

    def on_image(self) -> None:
        """Another image has been chosen."""

    def on_calibrated(self) -> None:
        """The image has another pixel size."""


class Dock(Protocol):
    """A widget below the image.

    Attributes
    ----------
    title, tip : str
        In the menu, and on the dock.
    """

    title: str
    tip: str


class Host(BasicHost, Protocol):
    """What pages, docks and dialogs may ask of the panel.

    Attributes
    ----------
    image_bar : QWidget
        Shows the chosen image and its pixel size.
    image_changed, calibrated : signals
        Another image has been chosen; it has been given another pixel size.
    documents : CurrentDocument
        The columns that are worked on.
    networks : NetworkSettings
        The models at hand, and how they are asked.
    jobs_begun : int
        How many jobs there have been, so that a late result does not speak over a new one.
    """

    image_bar: QWidget
    image_changed: SignalInstance
    calibrated: SignalInstance
    documents: CurrentDocument
    networks: NetworkSettings
    jobs_begun: int

    def width(self) -> int:
        """As of a QWidget, px."""

    def current_plane(self) -> Any:
        """The frame in view of the chosen image, shape (Y, X)."""

    def choose_image(self, image: Image) -> None:
        """Work on another image."""

    def set_pixel_size(self, pixel_size: tuple[float, float] | None, source: str) -> None:
        """Calibrate the chosen image and all that belongs to it."""

    def keep(self, name: str, work: Work) -> None:
        """Let a short job end with the window."""

    def refresh_run(self) -> None:
        """Show anew what the button in the foot does."""

    def open_files(self) -> None:
        """Ask for files and open them."""

    def turn_to(self, kind: type[Widget]) -> Widget:
        """Bring a page to the front."""

    def open_dock(self, kind: type[Widget]) -> Widget:
        """Bring a dock to the front; it is made where it is not open."""

    def dock(self, kind: type[Widget]) -> Widget | None:
        """A dock that was opened and not closed since."""
