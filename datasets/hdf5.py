"""HDF5 files of data sets: arrays by name, held to what :mod:`eventsim.events.hdf5` says.

The HDF5 library's way to arrays of variable length may have no end in a damaged file, so that it
reads them in a process of its own, :mod:`eventsim.datasets.guarded`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.datasets import guarded
from eventsim.datasets.dataset import decoded
from eventsim.errors import DataError
from eventsim.events import hdf5


def opened(path: Path, *, expected: str) -> AbstractContextManager[Any]:
    """An HDF5 file; whatever fails in the block because of it is a DataError.

    ``expected`` says what it should hold, for the messages.
    """
    return hdf5.opened(path, expected=expected, error=DataError)


def vector(group: Any, name: str, *, kinds: str) -> NDArray[Any]:
    """Vector of a file or group, of an accepted kind such as "iu". New array.

    Raises DataError where it is missing, of another shape or type, or claims more than is stored.
    """
    data = dataset(group, name)
    checks.vector(hdf5.where(group, name), "", data, kinds, error=DataError)
    return np.asarray(data[...])


def texts(group: Any, name: str) -> list[str]:
    """Strings of a one-dimensional array, of fixed or variable length, as UTF-8."""
    import h5py

    data = dataset(group, name)
    if data.ndim == 1 and h5py.check_string_dtype(data.dtype) is not None:
        values = _blocks(data) if data.dtype == object else data[...].tolist()
        return [decoded(value.rstrip(b"\0"), hdf5.where(group, name)) for value in values]
    _refuse(group, name, data.dtype, "a one-dimensional array of strings")


def ragged(group: Any, name: str, *, kinds: str) -> tuple[int, Iterator[NDArray[Any]]]:
    """Number of arrays of variable length, and each of them when it is asked for."""
    import h5py

    data = dataset(group, name)
    base = h5py.check_vlen_dtype(data.dtype)
    if data.ndim != 1 or base is None or np.dtype(base).kind not in kinds:
        words = "integers" if "i" in kinds else "floats"
        _refuse(group, name, base or data.dtype, f"arrays of variable length of {words}")
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


def _refuse(group: Any, name: str, kind: Any, expected: str) -> NoReturn:
    came = f"has shape {group[name].shape} and type {kind}"
    raise DataError(hdf5.where(group, name), came, expected)
