"""Options of commands that are fields of parameter classes: help, unit, default and kind have one source, the class.

A command names the fields that it offers with :func:`param_options`. Their classes are imported when the command is called or
its help is shown (:class:`CommandsWithParams`), so that the list of commands stays quick.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import typer
import typer.core

from napari_atomseg.cli.option_groups import spread_groups
from napari_atomseg.cli.options import length_of, params_of
from napari_atomseg.core.params import Field, fields_of

P = TypeVar("P")


@dataclass(frozen=True)
class FieldOption:
    """An option that sets a field of one parameter class, or of several that share it.

    Attributes
    ----------
    targets : str
        ``group.field``, the first of which describes the option; more after blanks.
    flag : str
        Its name; by default that of the field. A field that is true by default is turned off by it.
    short : str
        A second name of one letter.
    metavar : str
        What stands for the value; by default from the choices or the unit.
    aliases : tuple of str
        Names of earlier versions, which still work and are not shown.
    default : str
        Shown as the default where the class leaves the value open.
    spelt : mapping
        What may be typed for a value, and the value.
    """

    targets: str
    flag: str = ""
    short: str = ""
    metavar: str = ""
    aliases: tuple[str, ...] = ()
    default: str = ""
    spelt: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the parameter of the command."""
        return self.targets.split()[0].replace(".", "_")

    @property
    def option(self) -> str:
        """As it is typed."""
        return self.flag or "--" + self.targets.split()[0].split(".")[1].replace("_", "-")


@dataclass(frozen=True)
class Typed:
    """What was typed of the options of parameter classes.

    Attributes
    ----------
    values : mapping
        By group, the fields that were typed and their values.
    options : mapping
        By group and field, the name of the option.
    """

    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of(self, group: str) -> dict[str, Any]:
        """Fields of a group that were typed."""
        return dict(self.values.get(group, {}))

    def names(self, group: str, *fields: str) -> list[str]:
        """Options of a group that were typed; of some of its fields if they are named."""
        return [self.options[group, name] for name in self.of(group) if not fields or name in fields]

    def params(self, group: str, cls: type[P], **more: Any) -> P:
        """Parameters with what was typed, and defaults elsewhere.

        Parameters
        ----------
        group : str
        cls : type
            The group's parameter class.
        **more
            Values of further fields, which come from elsewhere.

        Raises
        ------
        typer.BadParameter
            If a value is illegal; names the options.
        """
        return params_of(cls, " and ".join(self.names(group)) or "parameters", **self.of(group), **more)


def param_options(groups: Mapping[str, str], *options: FieldOption) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options for fields of parameter classes; it takes what was typed as ``typed``.

    Parameters
    ----------
    groups : mapping
        Name of a class in :mod:`napari_atomseg.parameters` by the name of its group.
    *options : FieldOption
    """

    def named(function: Callable[..., None]) -> Callable[..., None]:
        def listed() -> None:
            """Stands in the list of commands; called is :func:`completed`."""
            raise NotImplementedError

        listed.__name__, listed.__doc__ = function.__name__, function.__doc__
        listed.param_options = (groups, options, function)  # type: ignore[attr-defined]
        return listed

    return named


def completed(listed: Callable[..., None]) -> Callable[..., None]:
    """A command with its options for fields of parameter classes; as it is if it has none."""
    if not hasattr(listed, "param_options"):
        return listed
    groups, options, grouped = listed.param_options
    function = spread_groups(grouped)
    known = _known_fields(groups)

    def command(**values: Any) -> None:
        given: dict[str, dict[str, Any]] = {}
        names = {}
        for one in options:
            # What is said of an option names it as it was typed.
            by_name = {option: values.pop(name) for name, option, _ in _spellings(one)}
            typed = {option: value for option, value in by_name.items() if value is not None and value is not False}
            option = next(iter(typed), one.option)
            for target in one.targets.split():
                group, name = target.split(".")
                names[group, name] = option
                if typed:
                    given.setdefault(group, {})[name] = _read(one, known[one.targets.split()[0]], typed[option], option)
        function(**values, typed=Typed(values=given, options=names))

    own = [one for name, one in inspect.signature(function).parameters.items() if name != "typed"]
    # Which files are treated, and how, stands behind what the images depend on.
    first = [parameter for parameter in own if parameter.name not in ("force", "quiet", "debug")]
    last = [parameter for parameter in own if parameter not in first]
    made = [parameter for one in options for parameter in _parameters(one, known[one.targets.split()[0]])]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature([*first, *made, *last])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*first, *made, *last)}
    return command


class CommandsWithParams(typer.core.TyperGroup):
    """Commands whose options are completed from parameter classes once one of them is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, with all of its options."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, whole_command(command), rest


def whole_command(command: Any) -> Any:
    """A command of the list with all of its options."""
    listed = getattr(getattr(command, "callback", None), "__wrapped__", None)
    if listed is None or not hasattr(listed, "param_options"):
        return command
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(command.name, hidden=command.hidden)(completed(listed))
    return typer.main.get_command(app)


def _known_fields(groups: Mapping[str, str]) -> dict[str, Field]:
    from napari_atomseg import parameters

    return {f"{group}.{one.name}": one for group, cls in groups.items() for one in fields_of(getattr(parameters, cls))}


def _spellings(one: FieldOption) -> list[tuple[str, str, bool]]:
    """Names of the parameters of an option, the option as it is typed, and whether that is a former one."""
    former = [(f"{one.name}_formerly_{number}", alias, True) for number, alias in enumerate(one.aliases)]
    return [(one.name, one.option, False), *former]


def _parameters(one: FieldOption, known: Field) -> Iterator[inspect.Parameter]:
    """The parameter of a command, and hidden ones for former names."""
    kind: Any = bool if known.kind is bool else str | None if _is_length(known) else known.kind | None
    empty = False if known.kind is bool else None
    shown: dict[str, Any] = {}
    if known.kind is not bool:
        shown = {"metavar": one.metavar or _metavar(known), "show_default": _default(one, known)}
    for name, option, hidden in _spellings(one):
        names = (one.short, option) if one.short and not hidden else (option,)
        info = typer.Option(*names, help=help_of(known), hidden=hidden, **shown)
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=empty, annotation=Annotated[kind, info])


def _is_length(known: Field) -> bool:
    return known.kind is float and known.quantity.unit == "Å"


def _metavar(known: Field) -> str:
    if known.choices:
        return "|".join(map(str, known.choices))
    if _is_length(known):
        return "LENGTH"
    unit = {"mrad": "MRAD", "eV": "EV", "px": "PX", "°": "DEG", "e/Å²": "DOSE"}.get(known.quantity.unit, "")
    return unit or {int: "N", float: "X"}.get(known.kind, "TEXT")


def _default(one: FieldOption, known: Field) -> str | bool:
    """The default as people read it; False for none."""
    if one.default:
        return one.default
    if known.default is None or known.default == "":
        return False
    return f"{known.default:g}A" if _is_length(known) else str(known.default) if known.kind is str else f"{known.default:g}"


def help_of(known: Field) -> str:
    """The field's own description; with its unit, unless that is typed too; what an option turns off with "Do not"."""
    if known.kind is bool and known.default:
        return f"Do not {known.help[0].lower()}{known.help[1:]}"
    unit = known.quantity.unit.replace("°", "degrees")
    first, dot, rest = known.help.partition(". ")
    if unit and not _is_length(known) and not set(",;:(") & set(first):
        first = f"{first.rstrip('.')} in {unit}{'' if dot else '.'}"
    return f"{first}{dot}{rest}"


def _read(one: FieldOption, known: Field, value: Any, option: str) -> Any:
    """The value of a field from what was typed."""
    if known.kind is bool:
        return not known.default
    return length_of(value, option) if _is_length(known) else one.spelt.get(value, value)
