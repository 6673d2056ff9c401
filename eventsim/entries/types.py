"""Dataclasses of settings held to their annotations, so that range checks meet numbers.

Of an annotation ``float`` every real number is accepted, of ``tuple`` a list too: JSON and TOML
have nothing else. ``bool`` is no number.
"""

import dataclasses
import functools
import numbers
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from eventsim.errors import EventSimError, ParameterError

SHOWN = 60  # characters of a wrong value
_PLAIN: Mapping[Any, tuple[type, str]] = {
    bool: (bool, "true or false"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a text"),
    type(None): (type(None), "None"),
}


def shown(value: object) -> str:
    """A value as messages show it, cut if it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def check_types(
    settings: Any, *, where: str | None = None, error: type[EventSimError] = ParameterError
) -> None:
    """Raise ``error`` for the first field of a dataclass that is not what its annotation says.

    Parameters
    ----------
    settings
        An instance.
    where
        For the message; the name of its class by default.
    """
    kind: Any = type(settings)
    for name, hint in _hints(kind).items():
        value = getattr(settings, name)
        if not _fits(value, hint):
            raise error(
                f"{where or kind.__name__}: {name} is {shown(value)}, expected {_words(hint)}."
            )


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if hint in _PLAIN:
        return isinstance(value, _PLAIN[hint][0]) and (hint is bool or not isinstance(value, bool))
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        return isinstance(value, list | tuple) and _all_fit(value, inner)
    return isinstance(value, origin or hint)


def _all_fit(values: Any, inner: tuple[Any, ...]) -> bool:
    if inner[-1] is Ellipsis:
        return all(_fits(value, inner[0]) for value in values)
    return len(values) == len(inner) and all(map(_fits, values, inner))


def _words(hint: Any) -> str:
    """An annotation as people read it."""
    if hint in _PLAIN:
        return _PLAIN[hint][1]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, inner))
    if origin is tuple and inner[-1] is Ellipsis:
        return f"a list, each of it {_words(inner[0])}"
    if origin is tuple:
        return f"a list of {len(inner)}: {', '.join(map(_words, inner))}"
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return f"a {hint.__name__}, or a dict of its keys"
    return "a table of keys and values" if origin is not None else str(hint)
