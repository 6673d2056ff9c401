"""HDF5 files of unknown origin: what is read is bounded, what is wrong is named.

A data set inside a file may claim any size and hold nothing of it, or be compressed a thousandfold.
So a claim is held to the bytes that are stored for it before memory is taken: values may be
``LARGEST_RATIO`` times larger, which no recorded events reach. Storage outside the file is refused.

Arrays of variable length are not left to the HDF5 library, whose way through a damaged heap may
have no end; :mod:`eventsim.datasets.vlen` reads them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim.datasets.vlen import Ragged
from eventsim.errors import DataError, EventSimError

LARGEST_RATIO = 100
FREE_BYTES = 1 << 24  # claims below 16 MiB need no proof

# What h5py raises on a damaged file.
_UNREADABLE = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


@contextmanager
def opened(path: Path, *, expected: str) -> Iterator[Any]:
    """An HDF5 file; whatever fails in the block because of it is a DataError.

    ``expected`` says what it should hold, for the messages.
    """
    if not path.is_file():
        what = "is no regular file" if path.exists() else "no such file"
        raise DataError(f"{path}: {what}, expected {expected}.")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except EventSimError:
        raise
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: cannot be read as an HDF5 file ({type(error).__name__}: {error}). It is "
            f"truncated, damaged or something else; expected {expected}. Get it anew."
        ) from error


def vector(group: Any, name: str, *, kinds: str) -> NDArray[Any]:
    """One-dimensional array ``name`` of a file or group. New array.

    Parameters
    ----------
    kinds
        Accepted kinds of NumPy types, for example "iu".

    Raises
    ------
    DataError
        It is missing, of another shape or type, or claims more than is stored.
    """
    data = dataset(group, name)
    if data.ndim != 1 or data.dtype.kind not in kinds:
        raise DataError(
            f"{_where(group, name)}: has shape {data.shape} and type {data.dtype}, expected a "
            f"one-dimensional array of {_in_words(kinds)}."
        )
    return np.asarray(data[...])


def texts(group: Any, name: str) -> list[str]:
    """One-dimensional array of strings, of fixed or variable length, as UTF-8."""
    data = dataset(group, name)
    if data.ndim == 1 and h5py.check_string_dtype(data.dtype) is not None:
        variable = data.dtype.kind == "O"
        values = [v.tobytes() for v in Ragged(data)] if variable else data[...].tolist()
        try:
            return [value.rstrip(b"\0").decode() for value in values]
        except UnicodeDecodeError as error:
            raise DataError(f"{_where(group, name)}: is not UTF-8 ({error}).") from error
    raise DataError(
        f"{_where(group, name)}: has shape {data.shape} and type {data.dtype}, expected a "
        "one-dimensional array of strings."
    )


def ragged(group: Any, name: str, *, kinds: str) -> Ragged:
    """Arrays of variable length, each read when it is asked for."""
    data = dataset(group, name)
    base = h5py.check_vlen_dtype(data.dtype)
    if data.ndim != 1 or base is None or np.dtype(base).kind not in kinds:
        raise DataError(
            f"{_where(group, name)}: has shape {data.shape} and type {base or data.dtype}, "
            f"expected arrays of variable length of {_in_words(kinds)}."
        )
    return Ragged(data)


def dataset(group: Any, name: str) -> Any:
    """The h5py data set ``name``, its claims held to what is stored."""
    data = group.get(name)
    if not isinstance(data, h5py.Dataset):
        held = ", ".join(sorted(map(str, group))[:8])
        raise DataError(f"{_where(group, name)}: is missing; there are: {held or 'none'}.")
    if data.is_virtual or data.external or data.file.filename != group.file.filename:
        raise DataError(
            f"{_where(group, name)}: its values lie in other files, expected them in this one."
        )
    stored = data.id.get_storage_size()
    chunk = int(np.prod(data.chunks, dtype=object)) if data.chunks else 0
    claimed = max(int(data.size or 0), chunk) * data.dtype.itemsize
    if claimed > FREE_BYTES and claimed > LARGEST_RATIO * stored:
        raise DataError(
            f"{_where(group, name)}: claims {claimed} bytes, but {stored} are stored, expected at "
            f"least a {LARGEST_RATIO}th. The file is damaged or made to exhaust memory."
        )
    return data


def _where(group: Any, name: str) -> str:
    inner = f"{group.name.strip('/')}/{name}".strip("/")
    return f"{group.file.filename}, {inner}"


def _in_words(kinds: str) -> str:
    words = {"f": "floats", "i": "integers", "u": "unsigned integers"}
    return " or ".join(words[k] for k in kinds if not (k == "u" and "i" in kinds))
