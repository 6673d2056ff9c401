"""Options of a command from the fields of classes: name, type, bounds and help, said once.

Every command passes through :func:`filled`. A parameter that is an object of a dataclass stands for
the fields of that class that are options, ``Annotated[kind, "name", ..]`` for those that are named,
in this order. A table, ``Annotated[Table, fields_of(kind, ..)]``, of a command or of such a class,
stands for fields of settings, which know nothing of a command line; the meaning beside a field is
its help. It has what was typed, by field: what is not typed is not in it, so that defaults stay
those of the settings.
"""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import typer

from eventsim.cli.checks import value_of
from eventsim.cli.options import OPTION, SHARED, option_name, read_pair
from eventsim.entries import hints_of
from eventsim.entries.described import meanings

Table = Mapping[str, Any]


class _Options(NamedTuple):
    """Command-line parameters of a value, and the function that builds it of typed values."""

    parameters: list[inspect.Parameter]
    made: Callable[[Table], Any]


def fields_of(kind: type, *names: str, panel: str, prefix: str = "") -> _Options:
    """Mark of a table: what was typed of fields of settings.

    Parameters
    ----------
    kind
        The dataclass.
    names
        Of the fields: ``tau_mem`` becomes ``--tau-mem``. Fields of several numbers are repeated, as
        are values by name, ``KEY=VALUE``; those of two numbers are written ``1:3``.
    panel
        Heading of these options in the help.
    prefix
        Before the names of the options: ``activity_`` makes ``--activity-target`` of ``target``.
    """
    hints, texts = hints_of(kind), {**meanings(kind), **SHARED}

    def values(given: Table) -> Table:
        said = {name: given[prefix + name] for name in names if given[prefix + name] is not None}
        return {name: _value(prefix + name, hints[name], one) for name, one in said.items()}

    return _Options(
        [_option(prefix + name, hints[name], texts[name], panel) for name in names], values
    )


def filled(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, which takes options and gets objects and tables."""
    own, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    asked = {name: _options(name, hints[name], one.default) for name, one in own.parameters.items()}

    @functools.wraps(command)
    def run(**given: Any) -> Any:
        return command(**{name: options.made(given) for name, options in asked.items()})

    found = [one for options in asked.values() for one in options.parameters]
    run.__signature__ = own.replace(parameters=found)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in found}
    return run


def _options(name: str, hint: Any, default: Any) -> _Options:
    """Options of a parameter of a command, or of a field of a class of options."""
    kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if marks and isinstance(marks[0], _Options):
        return marks[0]
    if dataclasses.is_dataclass(kind):
        return _options_of_class(kind, tuple(marks))
    made = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
    return _Options([made], lambda given: given[name])


def _options_of_class(kind: Any, names: tuple[str, ...]) -> _Options:
    """Options of an object: fields made by ``option``, or annotated as options."""
    hints, fields = dict(hints_of(kind)), {one.name: one for one in dataclasses.fields(kind)}
    for name, one in fields.items():
        if OPTION in one.metadata:
            hints[name] = Annotated[hints[name], one.metadata[OPTION]]
    names = names or tuple(name for name, hint in hints.items() if get_origin(hint) is Annotated)
    parts = {name: _options(name, hints[name], fields[name].default) for name in names}
    return _Options(
        [one for part in parts.values() for one in part.parameters],
        lambda given: kind(**{name: part.made(given) for name, part in parts.items()}),
    )


def _option(name: str, hint: Any, text: str, panel: str) -> inspect.Parameter:
    """The parameter of a command that stands for a field."""
    bare, low = _bare(hint)
    called = [option_name(name)]
    limits: dict[str, Any] = {}
    if bare is bool:
        called = [f"{called[0]}/--no-{called[0].removeprefix('--')}"]
    elif _is_pair(bare):
        bare, limits = str, {"metavar": "MS"}
    elif get_origin(bare) is Mapping:
        bare, limits = list[str], {"metavar": "KEY=VALUE"}
    elif words := _words_beside(hint):
        bare, limits = str, {"metavar": "|".join(["N", *words])}
    elif get_origin(bare) is tuple:
        bare, low = _bare(get_args(bare)[0])
        bare, limits = list[bare], {"min": low}  # type: ignore[valid-type]
    elif bare is int:
        limits = {"min": low}
    option = typer.Option(*called, help=text, rich_help_panel=panel, **limits)
    annotation: Any = Annotated[bare | None, option]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _value(name: str, hint: Any, typed: Any) -> Any:
    """The value of the field for what was typed."""
    if _is_pair(_bare(hint)[0]):
        return read_pair(option_name(name), typed)
    if get_origin(_bare(hint)[0]) is Mapping:
        return dict(value_of(option_name(name), text) for text in typed)
    if _words_beside(hint) and typed.lstrip("-").isdigit():
        return int(typed)
    return tuple(typed) if isinstance(typed, list) else typed


def _words_beside(hint: Any) -> tuple[str, ...]:
    """Words that may stand in place of a whole number."""
    if get_origin(hint) is Annotated:
        return _words_beside(get_args(hint)[0])
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()
    words = [word for one in members if get_origin(one) is Literal for word in get_args(one)]
    if words and int in [_bare(one)[0] for one in members]:
        return tuple(words)
    return next((found for one in members if (found := _words_beside(one))), ())


def _is_pair(bare: Any) -> bool:
    """Whether a field is of two numbers, low and high."""
    inner = get_args(bare)
    return get_origin(bare) is tuple and len(inner) == 2 and _bare(inner[0])[0] is float


def _bare(hint: Any) -> tuple[Any, int | None]:
    """An annotation without bounds and None, and its least whole number."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        least = [mark.ge for mark in marks if getattr(mark, "ge", None) is not None]
        bare, low = _bare(inner)
        return bare, least[0] if least else low
    if get_origin(hint) in (Union, types.UnionType):
        others = [one for one in get_args(hint) if one is not type(None)]
        return _bare(others[0])
    return hint, None
