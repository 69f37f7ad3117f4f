"""napari warns of images with and without a pixel size in one window at every redraw of its units: once a session is enough."""

from __future__ import annotations

from typing import Any

WORDS = "Inconsistent units"


def warn_of_units_once() -> None:
    """Let the warning come once; everything else that napari's canvas says comes as before."""
    from napari._vispy import canvas

    plain = getattr(canvas, "show_warning", None)
    if plain is None or isinstance(plain, _Once):
        return
    canvas.show_warning = _Once(plain)


class _Once:
    def __init__(self, plain: Any) -> None:
        self._plain, self._said = plain, False

    def __call__(self, message: str, *more: Any) -> None:
        ours = str(message).startswith(WORDS)
        if not (ours and self._said):
            self._said = self._said or ours
            self._plain(message, *more)
