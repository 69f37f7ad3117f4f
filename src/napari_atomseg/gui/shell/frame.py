"""What the parts of the shell may ask of the panel that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari_atomseg.gui.contract import Host

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_atomseg.gui.shell.image_bar import ImageBar
    from napari_atomseg.gui.shell.page_switcher import Pages


class Frame(Host, Protocol):
    """The panel, from inside; a QWidget.

    Attributes
    ----------
    image_bar : ImageBar
    pages : Pages
    destroyed : signal
        As of a QObject.
    """

    image_bar: ImageBar
    pages: Pages
    destroyed: Any

    def window(self) -> Any:
        """As of a QWidget."""

    def isVisible(self) -> bool:  # Qt's name
        """As of a QWidget."""

    def parentWidget(self) -> Any:  # Qt's name
        """As of a QWidget."""

    def installEventFilter(self, watcher: Any) -> None:  # Qt's name
        """As of a QWidget."""

    def cancel(self) -> None:
        """Stop the job under way."""

    def take_as_fitted(self, *layers: Layer) -> None:
        """The view has just been fitted to layers."""

    def show_keys(self) -> None:
        """Show the list of keys."""
