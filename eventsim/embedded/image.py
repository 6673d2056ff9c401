"""The tables of a network as bytes in the memory of ``web/engine.wasm``."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.embedded import wasm
from eventsim.embedded.literals import Constants, Value
from eventsim.embedded.source import constants_of, singles_of, sizes_of
from eventsim.embedded.tables import Tables

TYPES = {"uint32_t": "<u4", "float": "<f4", "double": "<f8"}
# In the order of c/tables.h.
KINDS = ("STRETCHES", "WINDOWS", "EVENTS", "READOUT", "PIECES", "LINEAR_EVENTS")
ALIGNED = 8  # every array begins at a multiple


def _struct(fields: list[tuple[str, str]]) -> np.dtype[Any]:
    """A struct in the layout of wasm32, with pointers of four bytes."""
    return np.dtype([(name, TYPES.get(kind, "<u4")) for kind, name in fields], align=True)


class Image(Constants):
    """Arrays one behind the other, from :data:`wasm.IMAGE` on; the head comes first."""

    row_type = np.uint32
    takes_all = True

    def __init__(self) -> None:
        super().__init__(counts_only=True)
        head = [(kind, name) for kind, names in wasm.HEAD.items() for name in names]
        self._head = np.zeros((), _struct(head + [("const *", name) for name in wasm.pointers()]))
        self._parts = [self._head.tobytes()]
        self._size = 0
        self._at = dict[str, int]()
        self._put("head", self._parts.pop())

    def array(self, what: str, values: NDArray[Any]) -> None:
        """An array by its declaration in C."""
        super().array(what, values)
        self._put(_name(what), np.ascontiguousarray(values).tobytes())

    def rows(self, what: str, rows: list[list[Value]], n_bytes: int) -> None:
        """An array of structs, by the values of their fields."""
        name = _name(what)
        fields = wasm.fields(wasm.pointers()[name])
        struct = _struct([(kind, field) for kind, field, _ in fields])
        found = np.array([tuple(map(self._number, row)) for row in rows], struct)
        self._put(name, found.tobytes())

    def finished(self, values: dict[str, float]) -> bytes:
        """Bytes of the image, with these values in the head."""
        for name in self._head.dtype.names or ():
            self._head[name] = values[name] if name in values else self._at.get(name, 0)
        self._parts[0] = _padded(self._head.tobytes())
        return b"".join(self._parts)

    def _put(self, name: str, content: bytes) -> None:
        self._at[name] = wasm.IMAGE + self._size
        self._parts.append(_padded(content))
        self._size += len(self._parts[-1])

    def _number(self, value: Value) -> float:
        if not isinstance(value, str):
            return float(value)
        if value in KINDS:
            return KINDS.index(value)
        return 0 if value == "0" else self._at[value]


def _name(what: str) -> str:
    found = re.search(r"(\w+)\[", what)
    assert found is not None
    return found[1]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % ALIGNED)


def image_of(t: Tables) -> bytes:
    """The tables of a network, for the engine of any network.

    The engine always reads its outputs through a decision. For a network without a decision it is
    the identity times the gain, which changes no bit.
    """
    to = constants_of(t, Image())
    if t.decision is None:
        gain = np.eye(t.n_scores, dtype=np.float32) * np.float32(singles_of(t.answer)["GAIN"])
        to.array("net_decision[]", gain)
        to.array("net_bias[]", np.zeros(t.n_scores, np.float32))
    return to.finished(sizes_of(t) | singles_of(t.answer) | {"TAIL": t.answer.tail})
