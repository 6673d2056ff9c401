"""A list of all calls of compiled kernels, and their layout in memory."""

from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from eventsim.compiled import (
    roles,
    roles_fanin,
    roles_linear,
    roles_loop,
    roles_mapping,
    roles_order,
    roles_poisson,
)
from eventsim.compiled.roles import WRITTEN

_ROOMS = (roles, roles_fanin, roles_linear, roles_loop, roles_mapping, roles_order, roles_poisson)
_DECLARED: list[Any] = [
    each
    for room in _ROOMS
    for each in vars(room).values()
    if getattr(each, "__module__", None) == room.__name__
]
ROLES: tuple[type, ...] = tuple(c for c in _DECLARED if c.__name__.endswith("Role"))
CALLS: tuple[type, ...] = tuple(c for c in _DECLARED if c not in ROLES)

_NUMBERS = {int: "q", float: "d"}


class CallEntry(NamedTuple):
    """A field of a call: ``at`` bytes behind its begin, ``code`` as module struct packs it.

    ``kind`` is that of an array's numbers: letter and bytes, or R for the type of the state.
    """

    name: str
    at: int
    code: str
    kind: str
    written: bool
    optional: bool


@cache
def entries_of(call: type) -> tuple[CallEntry, ...]:
    """The fields of all roles of a call, in their order."""
    entries: list[CallEntry] = []
    for role_name, role_hint in _hints(call):
        role, written = _annotated(role_hint)
        for name, hint in _hints(role):
            optional = type(None) in get_args(hint)
            kind, mark = _annotated(get_args(hint)[0] if optional else hint)
            out = bool(mark) and WRITTEN in mark + written
            code, at = _NUMBERS.get(kind, "Q"), 8 * len(entries)
            entries.append(
                CallEntry(f"{role_name}.{name}", at, code, mark.strip(WRITTEN), out, optional)
            )
    return tuple(entries)


def layout() -> str:
    """The fields of all roles and calls, a line for each, as build.py writes them for the library.

    All have eight bytes, so that they lie in their order.
    """
    return "".join(
        f"{each.__name__.removesuffix('Role')} {' '.join(each._fields)}\n" for each in _DECLARED
    )


def _hints(struct: type) -> list[tuple[str, Any]]:
    return list(get_annotations(struct).items())


def _annotated(hint: Any) -> tuple[Any, str]:
    """The annotated type, and its text."""
    return (hint.__origin__, hint.__metadata__[0]) if get_origin(hint) is Annotated else (hint, "")
