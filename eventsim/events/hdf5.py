"""HDF5 files of unknown origin: nothing outside the file is read, and every claim is checked.

A name in an HDF5 file may be a link to another file. A data set may keep its values in other files,
may claim a size that it does not have, or be compressed a thousandfold. So

* only hard links are followed: an external link is not even looked at, because opening it may do
  harm (a pipe never ends), and a soft link may lead to one,
* storage outside the file (external, virtual) is refused,
* a claimed size is compared with the stored bytes before memory is taken.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eventsim.errors import EventSimError, StorageError
from eventsim.events.npz import explained

T = TypeVar("T")
LARGEST_RATIO = 100  # claimed over stored; recorded events reach 2 to 5
FREE_BYTES = 1 << 24  # claims below 16 MiB need no proof


@contextmanager
def opened(
    path: Path, *, expected: str, error: type[EventSimError] = StorageError
) -> Iterator[Any]:
    """An HDF5 file; whatever fails in the block because of it is ``error``.

    ``expected`` says what it should hold, for the messages.
    """
    import h5py

    with explained(path, expected=expected, error=error), h5py.File(path, "r") as file:
        yield file


class Written(io.FileIO):
    """A file that keeps what fails for the end: a write that fails crashes the HDF5 library."""

    def __init__(self, path: Path):
        super().__init__(path, "w+b")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """As any file, but for what fails."""
        left = memoryview(data)
        while self._error is None and left.nbytes:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self._error = error
        return memoryview(data).nbytes

    def passing(self, value: T) -> T:
        """The value; the OSError of a write before it, if one failed."""
        if self._error is not None:
            raise self._error
        return value

    @contextmanager
    def content(self, libver: str | None = None) -> Iterator[Any]:
        """HDF5 file to write into; the OSError of a write that failed is raised at its end."""
        import h5py

        try:
            with h5py.File(self, "w", libver=libver) as file:
                yield file
        finally:
            if self._error is not None:
                raise self._error


def member(group: Any, name: str, *, error: type[EventSimError]) -> Any:
    """The group or data set at a path below ``group``, or None where nothing is.

    Raises ``error`` (a part of the path is a link, which might lead out of the file).
    """
    import h5py

    found = group
    for part in name.split("/"):
        if not isinstance(found, h5py.Group):
            return None
        link = found.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            to = getattr(link, "filename", None) or getattr(link, "path", "?")
            raise error(
                where(group, name),
                f"its values lie in other files, or may ({part!r} is a link to {to})",
                "them in this one",
            )
        found = found[part]
    return found


def dataset(
    group: Any, name: str, *, error: type[EventSimError], ratio: float = LARGEST_RATIO
) -> Any:
    """The h5py data set ``name``, its claims held to ``ratio`` times what is stored."""
    import h5py

    data = member(group, name, error=error)
    if not isinstance(data, h5py.Dataset):
        held = ", ".join(sorted(map(str, group))[:8])
        raise error(where(group, name), "is missing", f"it beside {held or 'nothing'}")
    if data.is_virtual or data.external:
        raise error(where(group, name), "its values lie in other files", "them in this one")
    stored = data.id.get_storage_size()
    chunk = int(np.prod(data.chunks, dtype=object)) if data.chunks else 0
    claimed = max(int(data.size or 0), chunk) * data.dtype.itemsize
    if claimed > FREE_BYTES and claimed > ratio * stored:
        raise error(
            where(group, name),
            f"claims {claimed} bytes, but {stored} are stored",
            f"at least {claimed / ratio:.0f}",
            "The file is damaged or made to exhaust memory.",
        )
    return data


def attribute(group: Any, name: str) -> Any:
    """A number or text of an attribute; None if it is not there, or of variable length.

    Texts of variable length lie in a heap that the library may search for ever if it is damaged.
    """
    found = name in group.attrs and group.attrs.get_id(name)
    return group.attrs[name] if found and found.dtype.kind in "Siuf" and found.shape == () else None


def check_all(path: Path, *, expected: str, error: type[EventSimError] = StorageError) -> None:
    """Hold everything in a file that another library will read to the rules of this module."""
    import h5py

    with opened(path, expected=expected, error=error) as file:
        seen, waiting = set(), [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                found = member(group, name, error=error)
                if isinstance(found, h5py.Dataset):
                    dataset(group, name, error=error)
                elif isinstance(found, h5py.Group):
                    address = h5py.h5o.get_info(found.id).addr
                    if address in seen:
                        raise error(where(group, name), "is there twice", "no loops")
                    seen.add(address)
                    waiting.append(found)


def where(group: Any, name: str) -> str:
    """File and path of a member, for messages."""
    inner = f"{str(group.name).strip('/')}/{name}".strip("/")
    return f"{group.file.filename}, {inner}"
