"""Numbers and names in C; each number is read back exactly."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PER_LINE = 8
# Of a field of a struct; text is the name of an array or of a constant, or "0".
Value = str | int | float | np.float32


def macro(name: str) -> str:
    """A name as a part of a macro's name in C."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def single(x: float) -> str:
    """A float, with nine digits, which are enough to read it back."""
    return _decimal(f"{x:.9g}") + "F"


def double(x: float) -> str:
    """A double, with seventeen digits, which are enough to read it back."""
    return _decimal(f"{x:.17g}")


def _decimal(text: str) -> str:
    return text if "." in text or "e" in text else text + ".0"


def whole(x: float) -> str:
    """A whole number >= 0."""
    return f"{int(x)}U"


def _field(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return whole(value)
    return single(float(value)) if isinstance(value, np.float32) else double(value)


class Constants:
    """Text of constants and their size in bytes, or the size alone."""

    row_type: type[np.unsignedinteger[Any]] | None = None  # None: as the network needs it
    takes_all = False  # also what the network makes no use of

    def __init__(self, *, counts_only: bool = False) -> None:
        self.text: list[str] = []
        self.n_bytes = 0
        self._counts_only = counts_only

    def array(self, what: str, values: NDArray[Any]) -> None:
        """An array by its declaration; an empty one gets a zero."""
        self.n_bytes += max(values.nbytes, values.itemsize)
        if self._counts_only:
            return
        kind = values.dtype.kind
        literal = whole if kind in "ui" else (single if values.dtype == np.float32 else double)
        words = [literal(x) for x in values.ravel().tolist()] or [literal(0.0)]
        lines = [", ".join(words[i : i + PER_LINE]) for i in range(0, len(words), PER_LINE)]
        self.text.append(f"{what} = {{\n    " + ",\n    ".join(lines) + "};\n")

    def rows(self, what: str, rows: list[list[Value]], n_bytes: int) -> None:
        """An array of structs by the values of their fields, with its size in bytes."""
        structs = [f"{{{', '.join(map(_field, row))}}}" for row in rows]
        self.text.append(f"{what} = {{\n    " + ",\n    ".join(structs) + "};\n")
        self.n_bytes += n_bytes


def filled(text: str, name: str, parts: Mapping[str, str]) -> str:
    """A template with its parts, and the prefix ``name`` in place of ``net``."""
    for key, value in parts.items():
        text = text.replace(f"@{key}@", value)
    text = text.replace("@name@", name)
    text = re.sub(r"\bnet_", f"{name}_", text)
    return re.sub(r"\bNET_", f"{name.upper()}_", text)
