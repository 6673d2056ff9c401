"""HDF5 files of data sets: arrays by name, held to what :mod:`eventsim.events.hdf5` says.

The HDF5 library's way to arrays of variable length may have no end in a damaged file, so that it
reads them in a process of its own, :mod:`eventsim.datasets.guarded`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.datasets import guarded
from eventsim.errors import DataError
from eventsim.events import hdf5


def opened(path: Path, *, expected: str) -> AbstractContextManager[Any]:
    """An HDF5 file; whatever fails in the block because of it is a DataError.

    ``expected`` says what it should hold, for the messages.
    """
    return hdf5.opened(path, expected=expected, error=DataError)


def vector(group: Any, name: str, *, kinds: str) -> NDArray[Any]:
    """One-dimensional array of a file or group, of an accepted kind such as "iu". New array.

    Raises DataError where it is missing, of another shape or type, or claims more than is stored.
    """
    data = dataset(group, name)
    if data.ndim != 1 or data.dtype.kind not in kinds:
        raise DataError(
            hdf5.where(group, name),
            f"has shape {data.shape} and type {data.dtype}",
            f"a one-dimensional array of {_in_words(kinds)}",
        )
    return np.asarray(data[...])


def texts(group: Any, name: str) -> list[str]:
    """One-dimensional array of strings, of fixed or variable length, as UTF-8."""
    import h5py

    data = dataset(group, name)
    if data.ndim == 1 and h5py.check_string_dtype(data.dtype) is not None:
        values = _blocks(data) if data.dtype == object else data[...].tolist()
        try:
            return [value.rstrip(b"\0").decode() for value in values]
        except UnicodeDecodeError as error:
            raise DataError(hdf5.where(group, name), f"is not UTF-8 ({error})") from error
    raise DataError(
        hdf5.where(group, name),
        f"has shape {data.shape} and type {data.dtype}",
        "a one-dimensional array of strings",
    )


def ragged(group: Any, name: str, *, kinds: str) -> tuple[int, Iterator[NDArray[Any]]]:
    """Number of arrays of variable length, and each of them when it is asked for."""
    import h5py

    data = dataset(group, name)
    base = h5py.check_vlen_dtype(data.dtype)
    if data.ndim != 1 or base is None or np.dtype(base).kind not in kinds:
        raise DataError(
            hdf5.where(group, name),
            f"has shape {data.shape} and type {base or data.dtype}",
            f"arrays of variable length of {_in_words(kinds)}",
        )
    return len(data), (np.frombuffer(block, base) for block in _blocks(data))


def _blocks(data: Any) -> Iterator[bytes]:
    path = Path(data.file.filename)
    size = path.stat().st_size
    return guarded.blocks(
        "h5py",
        path,
        data.name,
        where=f"{path}, {data.name.strip('/')}",
        memory=4 * (hdf5.FREE_BYTES + size),
        most=hdf5.FREE_BYTES + hdf5.LARGEST_RATIO * size,
    )


def member(group: Any, name: str) -> Any:
    """The group or data set at a path, or None where nothing is."""
    return hdf5.member(group, name, error=DataError)


def dataset(group: Any, name: str) -> Any:
    """The h5py data set ``name``, its claims held to what is stored."""
    return hdf5.dataset(group, name, error=DataError)


def _in_words(kinds: str) -> str:
    words = {"f": "floats", "i": "integers", "u": "unsigned integers"}
    return " or ".join(words[k] for k in kinds if not (k == "u" and "i" in kinds))
