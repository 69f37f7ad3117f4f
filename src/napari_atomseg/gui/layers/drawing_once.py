"""Change several properties of a Points layer at the cost of one redraw: napari draws all points anew after each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from napari.layers import Points

LOOKS = ("data", "symbol", "border_color", "highlight")
"""Events of the layer that draw the points, or tell that a hand has moved some."""


@contextmanager
def drawn_once(layer: Points) -> Iterator[None]:
    """Hold the drawing back, and draw once at the end."""
    with ExitStack() as held:
        for name in LOOKS:
            held.enter_context(getattr(layer.events, name).blocker())
        # napari 0.9 has no public way to these two.
        held.enter_context(layer._border.events.blocker_all())
        held.enter_context(layer._block_refresh())
        yield
    layer.refresh()
