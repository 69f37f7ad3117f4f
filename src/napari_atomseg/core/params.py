"""Frozen parameter dataclasses: checked when made, plain dictionaries and JSON when stored.

A parameter is written once, as a field with an annotated type (:class:`~napari_atomseg.core.quantities.Quantity`)
and one line in the class docstring's Attributes section; forms, the command line and files are made from that.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from napari_atomseg.core.errors import AtomsegError
from napari_atomseg.core.quantities import Quantity

P = TypeVar("P")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """Everything that a form or a command line needs to know about one parameter."""

    name: str
    kind: type
    optional: bool
    choices: tuple[Any, ...]
    quantity: Quantity
    default: Any
    help: str


_FIELDS: dict[type, tuple[Field, ...]] = {}


def fields_of(cls: type) -> tuple[Field, ...]:
    """The parameters of a dataclass in order of declaration, with unit, limits, default and help text."""
    # Parameters are made by the thousand when images are drawn, and a class does not change.
    if cls not in _FIELDS:
        _FIELDS[cls] = _read_fields(cls)
    return _FIELDS[cls]


def _read_fields(cls: type) -> tuple[Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    helps = _attribute_lines(cls)
    found = []
    for field in dataclasses.fields(cls):
        kind, optional, choices, quantity = _unfold(hints[field.name])
        found.append(
            Field(
                name=field.name,
                kind=kind,
                optional=optional,
                choices=choices,
                quantity=quantity,
                default=field.default,
                help=helps.get(field.name, ""),
            )
        )
    return tuple(found)


def check(params: object) -> None:
    """Raise a clear error if a value lies outside its limits or is of a wrong kind.

    Raises
    ------
    AtomsegError
        Names the class, the field, the limits with their unit, and the value.
    """
    cls = type(params)
    for field in fields_of(cls):
        value = getattr(params, field.name)
        if value is None and field.optional:
            continue
        where = f"{cls.__name__}.{field.name}"
        if field.choices:
            if value not in field.choices:
                raise AtomsegError(f"{where} must be one of {', '.join(map(str, field.choices))}, got {value!r}")
        elif field.kind in (int, float):
            _check_number(where, value, field.quantity)
        elif not isinstance(value, field.kind):
            raise AtomsegError(f"{where} must be of type {field.kind.__name__}, got {value!r}")


def to_dict(params: Any) -> dict[str, Any]:
    """Plain dictionary of a parameter dataclass, fit for JSON."""
    return dataclasses.asdict(params)


def from_dict(cls: type[P], values: Mapping[str, Any]) -> P:
    """Parameter object from a dictionary.

    Parameters
    ----------
    cls : type
        A parameter dataclass.
    values : mapping
        By the names of its fields; those that are left out keep their defaults.

    Raises
    ------
    AtomsegError
        If a name is unknown or a value illegal.
    """
    names = [field.name for field in fields_of(cls)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise AtomsegError(f"{cls.__name__} has no parameter {', '.join(unknown)}; it has {', '.join(names)}")
    return cls(**values)


def _check_number(where: str, value: Any, quantity: Quantity) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise AtomsegError(f"{where} must be a finite number, got {value!r}")
    if not quantity.low <= value <= quantity.high:
        unit = f" {quantity.unit}" if quantity.unit else ""
        raise AtomsegError(f"{where} must lie in [{quantity.low:g}, {quantity.high:g}]{unit}, got {value:g}{unit}")


def _unfold(hint: Any) -> tuple[type, bool, tuple[Any, ...], Quantity]:
    """Kind, optional, choices and quantity of an annotation such as ``Annotated[float, ...] | None``."""
    quantity = Quantity()
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        parts = [part for part in get_args(hint) if part is not type(None)]
        optional = len(parts) < len(get_args(hint))
        hint = parts[0]
    if hasattr(hint, "__metadata__"):
        quantity = next((item for item in hint.__metadata__ if isinstance(item, Quantity)), quantity)
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return type(choices[0]), optional, choices, quantity
    return hint, optional, (), quantity


def _attribute_lines(cls: type) -> dict[str, str]:
    """Help text of each attribute, from the numpydoc Attributes sections of the class and of those that it extends."""
    helps: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        helps |= _own_attribute_lines(base)
    return helps


def _own_attribute_lines(cls: type) -> dict[str, str]:
    helps: dict[str, str] = {}
    names: list[str] = []
    # Python 3.13 takes the indentation off docstrings, earlier ones do not.
    _, _, section = inspect.cleandoc(cls.__doc__ or "").partition("Attributes\n")
    for line in section.splitlines()[1:]:
        head = re.match(r"^(\w+(?:, \w+)*) : ", line)
        if head:
            names = head[1].split(", ")
            helps |= dict.fromkeys(names, "")
        elif line.startswith(" "):
            helps |= {name: f"{helps[name]} {line.strip()}".strip() for name in names}
    return helps
