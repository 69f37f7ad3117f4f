"""The way from the hooks of the manifest to the foot of the panel, where sentences are not cut; light to import."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

_feet: weakref.WeakKeyDictionary[Any, weakref.WeakMethod[Callable[[str], None]]] = weakref.WeakKeyDictionary()


def set_foot(viewer: Any, show_error: Callable[[str], None]) -> None:
    """Name the method that shows a sentence in the foot of a viewer's panel."""
    _feet[viewer] = weakref.WeakMethod(show_error)


def has_panel(viewer: Any) -> bool:
    """True if a panel is open in a viewer."""
    known = _feet.get(getattr(viewer, "__wrapped__", viewer))
    foot = known() if known is not None else None
    try:
        return foot is not None and foot.__self__.parent() is not None  # type: ignore[attr-defined]
    except RuntimeError:  # its Qt side is gone
        return False


def tell(viewer: Any, sentence: str) -> None:
    """Show a sentence in the foot of the panel, if there is one."""
    known = _feet.get(getattr(viewer, "__wrapped__", viewer))
    foot = known() if known is not None else None
    if foot is None:
        return
    try:
        foot(sentence)
    except RuntimeError:
        return
