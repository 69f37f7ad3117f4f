"""What is remembered between starts: parameters, the last folder, choices of the panel."""

from __future__ import annotations

import atexit
import json
from typing import Any, TypeVar

from qtpy.QtCore import QCoreApplication, QSettings, QTimer

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.params import from_dict, to_dict

P = TypeVar("P")
REST_MS = 300
"""Pause before what was told is written: a slider that is dragged tells a value at every step, and the disk is slow."""
_pending: dict[str, str] = {}


def remember(key: str, value: Any) -> None:
    """Store a plain value under a key, on disk after a moment."""
    begun = bool(_pending)
    _pending[key] = json.dumps(value)
    if QCoreApplication.instance() is None:
        flush()
    elif not begun:
        QTimer.singleShot(REST_MS, flush)


def flush() -> None:
    """Write what has not been written yet."""
    store = _store() if _pending else None
    while store is not None and _pending:
        store.setValue(*_pending.popitem())


atexit.register(flush)


def recall(key: str, default: Any = None) -> Any:
    """The stored value, or the default if there is none or it is damaged."""
    text = _pending[key] if key in _pending else _store().value(key)
    if text is None:
        return default
    try:
        return json.loads(str(text))
    except json.JSONDecodeError:
        return default


def remember_params(params: Any) -> None:
    """Store a parameter object under its class's name."""
    remember(f"params/{type(params).__name__}", to_dict(params))


def recall_params(cls: type[P]) -> P:
    """The parameters used last, or the defaults; what an older version stored and no longer fits is dropped."""
    stored = recall(f"params/{cls.__name__}", {})
    try:
        return from_dict(cls, stored)
    except (AtomsegError, TypeError):
        return cls()


def _store() -> QSettings:
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-atomseg", "napari-atomseg")
