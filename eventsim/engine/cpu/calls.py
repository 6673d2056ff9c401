"""All calls of compiled kernels, and how each lies in memory: twin of ``calls.hpp``.

Each role and each call has a NumPy structured type, to which the library is held when it is loaded.
"""

from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import numpy as np

from eventsim.engine.cpu import roles, roles_fanin, roles_loop, roles_mapping, roles_order
from eventsim.engine.cpu.roles import WRITTEN

_ROOMS = (roles, roles_fanin, roles_loop, roles_order, roles_mapping)
ROLES: tuple[type, ...] = sum((room.ROLES for room in _ROOMS), ())
CALLS: tuple[type, ...] = sum((room.CALLS for room in _ROOMS), ())

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


@cache
def structure_of(struct: type) -> np.dtype[np.void]:
    """A role, or a call, as a structured type."""
    fields: list[tuple[str, Any]] = []
    for name, hint in _hints(struct):
        kind = _annotated(hint)[0]
        number = {int: np.int64, float: np.float64}.get(kind, np.uintp)
        fields.append((name, structure_of(kind) if kind in ROLES else number))
    return np.dtype(fields)


def layout() -> str:
    """Sizes and offsets of all structs, a line for each, as library.cpp writes its own."""
    lines = []
    for struct in (*ROLES, *CALLS):
        fields: Any = structure_of(struct).fields
        places = " ".join(f"{name}:{place[1]}" for name, place in fields.items())
        name = struct.__name__.removesuffix("Role")
        lines.append(f"{name} {structure_of(struct).itemsize} {places}\n")
    return "".join(lines)


def _hints(struct: type) -> list[tuple[str, Any]]:
    return list(get_annotations(struct).items())


def _annotated(hint: Any) -> tuple[Any, str]:
    """What is annotated, and by which text."""
    return (hint.__origin__, hint.__metadata__[0]) if get_origin(hint) is Annotated else (hint, "")
