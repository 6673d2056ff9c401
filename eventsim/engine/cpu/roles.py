"""What compiled kernels are called with: twins of ``roles.hpp`` and ``calls.hpp``.

A role is a tuple of arrays and numbers in the order of a struct's fields, a call a tuple of roles.
Each has a NumPy structured type, to which the library is held when it is loaded. What a field is
says its annotation: an array of a type, C-contiguous, which may be ``| None``; or ``int`` or
``float``. Arrays called ``Out`` are written to. All fields have 8 bytes.
"""

from functools import cache
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

# Kind of the numbers and their bytes, R for the type of the state; w where they are written.
WRITTEN = "w"
_NUMBERS = {int: "q", float: "d"}
Flags = Annotated[NDArray[np.bool_], "b1"]
Rows = Annotated[NDArray[np.int32], "i4"]
RowsOut = Annotated[NDArray[np.int32], "i4w"]
Ints = Annotated[NDArray[np.int64], "i8"]
IntsOut = Annotated[NDArray[np.int64], "i8w"]
Doubles = Annotated[NDArray[np.float64], "f8"]
DoublesOut = Annotated[NDArray[np.float64], "f8w"]
Reals = Annotated[NDArray[np.floating[Any]], "R"]
RealsOut = Annotated[NDArray[np.floating[Any]], "Rw"]


class TasksRole(NamedTuple):
    """Tasks to run: number sample * n_blocks + block."""

    todo: Ints
    n: int
    n_blocks: int


class EventsRole(NamedTuple):
    """Events of all sources, sorted by time in each sample."""

    offsets: Ints
    times: Doubles
    rows: Rows
    duration: Doubles
    heard: Flags
    skip: Ints
    met: IntsOut


class WeightsRole(NamedTuple):
    """Weights by block, zero behind the last neuron and in the last row."""

    values: Reals
    n_rows: int
    width: int


class NeuronsRole(NamedTuple):
    """Parameters of all neurons; strength and rate are those of an adaptive threshold."""

    par: Reals
    refractory: Doubles
    strength: Doubles | None
    rate: Doubles | None
    size: int
    fastest: float


class StandingRole(NamedTuple):
    """How neurons stand, [samples, size]; ``a`` and ``last`` of an adaptive threshold."""

    time: Doubles
    v: Reals
    j: Reals
    until: Doubles
    a: Doubles | None
    last: Doubles | None


class SpikesRole(NamedTuple):
    """Where spikes go, by task."""

    time: DoublesOut
    neuron: RowsOut
    current: DoublesOut
    restart: DoublesOut
    starts: Ints
    limits: Ints
    counts: IntsOut
    reached: DoublesOut


class DenseForward(NamedTuple):
    """The forward pass of a layer whose neurons all meet the same events."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    begin: StandingRole
    end: Annotated[StandingRole, WRITTEN]
    spikes: SpikesRole


ROLES: tuple[type, ...] = (
    TasksRole,
    EventsRole,
    WeightsRole,
    NeuronsRole,
    StandingRole,
    SpikesRole,
)
CALLS: tuple[type, ...] = (DenseForward,)


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
    return list(get_type_hints(struct, include_extras=True).items())


def _annotated(hint: Any) -> tuple[Any, str]:
    """What is annotated, and by which text."""
    return (hint.__origin__, hint.__metadata__[0]) if get_origin(hint) is Annotated else (hint, "")
