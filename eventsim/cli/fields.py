"""Options of a command from the fields of a class: name, type, bounds and help, said once.

:func:`filled` gives a command an object of a class whose fields are annotated as options, which
several commands may share.

:func:`options_of` puts the fields of settings, which know nothing of a command line, among the
options of a command, with the meaning that stands beside the field as help. An option that is not
given is not in what the command gets, so that defaults stay those of the settings.
"""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from eventsim.cli.options import OPTION, option_name, read_pair, read_pairs
from eventsim.entries import hints_of
from eventsim.entries.described import meanings


def options_of(
    kind: type, *names: str, into: str, panel: str, prefix: str = ""
) -> Callable[[Any], Any]:
    """Let a command take fields of settings as options.

    Parameters
    ----------
    kind
        The dataclass.
    names
        Of the fields: ``tau_mem`` becomes ``--tau-mem``. Fields of several numbers are repeated, as
        are values by name, ``KEY=VALUE``; those of two numbers are written ``1:3``.
    into
        Parameter of the command that gets the given values by name, a dict; ``tables.network`` is
        the entry ``network`` of the parameter ``tables``.
    panel
        Heading of these options in the help.
    prefix
        Before the names of the options: ``activity_`` makes ``--activity-target`` of ``target``.
    """
    hints, texts = hints_of(kind), meanings(kind)
    added = {name: _option(prefix + name, hints[name], texts[name], panel) for name in names}

    def values(given: Mapping[str, Any]) -> dict[str, Any]:
        said = {name: one for name, one in given.items() if one is not None}
        return {name: _value(prefix + name, hints[name], one) for name, one in said.items()}

    return _taking(added, values, into, last=True)


def filled(kind: type, *names: str, into: str) -> Callable[[Any], Any]:
    """Let a command take fields of a dataclass as options, and get it filled.

    Parameters
    ----------
    kind
        The dataclass; these fields are made by :func:`~eventsim.cli.options.option`, or annotated
        as options. Its other fields keep their defaults.
    names
        Of the fields, in the order of the help; all with options of their own if none is named.
    into
        Parameter of the command that gets the object; the options stand in its place.
    """
    hints = dict(hints_of(kind))
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    for field in dataclasses.fields(kind):
        if OPTION in field.metadata:
            hints[field.name] = Annotated[hints[field.name], field.metadata[OPTION]]
    names = names or tuple(name for name, hint in hints.items() if get_origin(hint) is Annotated)
    added = {
        name: inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hints[name]
        )
        for name in names
    }
    return _taking(added, lambda given: kind(**given), into)


def _taking(
    added: Mapping[str, inspect.Parameter],
    made: Callable[[Mapping[str, Any]], Any],
    into: str,
    *,
    last: bool = False,
) -> Callable[[Any], Any]:
    """Let a command take parameters, by field, in the place of what is made of them, or last."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(command)

        @functools.wraps(command)
        def run(**typed: Any) -> Any:
            given = {field: typed.pop(parameter.name) for field, parameter in added.items()}
            parameter, inner, key = into.partition(".")
            value = {**typed.pop(parameter, {}), key: made(given)} if inner else made(given)
            return command(**typed, **{parameter: value})

        found: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            one = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            own_place = one.name == into.partition(".")[0]
            found += [one] if not own_place else [] if last else added.values()
        found += added.values() if last else []
        run.__signature__ = own.replace(parameters=found)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in found}
        return run

    return decorate


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
        return read_pairs(option_name(name), typed)
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


Given = Mapping[str, Any]
