"""Options that commands share, as dataclasses: a command names the class, and is handed an object with what was typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from typer.models import ParameterInfo


def spread_groups(function: Callable[..., None]) -> Callable[..., None]:
    """A command that takes the options of its groups one by one, in the places of the groups.

    Parameters
    ----------
    function : callable
        A parameter whose annotation is a dataclass with options among its fields is such a group.
    """
    hints = get_type_hints(function, include_extras=True)
    groups = {name: (kind, options) for name, kind in hints.items() if (options := _options_of(kind))}

    def command(**values: Any) -> None:
        for name, (kind, options) in groups.items():
            values[name] = kind(**{one.name: values.pop(one.name) for one in options})
        function(**values)

    spread: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        one = parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        spread += groups[name][1] if name in groups else [one]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in spread}
    return command


def _options_of(kind: Any) -> list[inspect.Parameter]:
    """Options among the fields of a dataclass; empty for any other type."""
    if not (isinstance(kind, type) and is_dataclass(kind)):
        return []
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(kind)
        if any(isinstance(mark, ParameterInfo) for mark in getattr(hints[one.name], "__metadata__", ()))
    ]
