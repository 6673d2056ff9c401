"""Files of named arrays with a kind and a version, written whole or not at all.

The format is NumPy's ``.npz`` with two more entries, ``__kind__`` and ``__version__``. A file
is first written beside its target and then moved over it, so that a reader sees the old
file or the new one, never half of one. What a killed process left half-written is removed by the
first write into that folder a day later. Nothing is unpickled.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from eventsim.entries import shown
from eventsim.errors import StorageError
from eventsim.events import npz

Arrays = dict[str, NDArray[Any]]

UNFINISHED = ".unfinished"  # ends the name of a file that is being written
ABANDONED_AFTER = 86400.0  # s since the last write to a file that was never finished


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """An empty file beside ``path`` for the block to fill; moved over ``path`` when it is done.

    If the block raises, the file is removed and ``path`` stays as it was. An OSError, as of a full
    disk, names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, f".*{UNFINISHED}")
    handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if (cause := _unnamed(error)) is not None:
            raise _naming(path, cause) from error
        raise


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove what processes that were killed have left: files and folders untouched for a day."""
    for left in folder.glob(pattern):
        with suppress(OSError):  # another process may remove it as well
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _unnamed(error: BaseException) -> OSError | None:
    """The OSError that an error is or hides, if it names no file.

    zipfile raises a ValueError when it closes a file after a write that failed.
    """
    found = error.__context__ if isinstance(error, ValueError) else error
    return found if isinstance(found, OSError) and found.filename is None else None


def _naming(path: Path, error: OSError) -> OSError:
    reason = f"{error.strerror or error}; what was there before is unchanged"
    if error.errno is None:
        return OSError(f"{path}: cannot be written: {reason}")
    return OSError(error.errno, reason, str(path))


def write_atomically(path: str | Path, content: str | bytes | Callable[[BinaryIO], None]) -> None:
    """Write a file beside ``path``, then move that file over ``path``.

    ``content`` is a text, bytes, or what writes into an open file.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content.encode() if isinstance(content, str) else content)


def write_json(path: str | Path, values: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write an object to a JSON file, atomically; in one line if ``indent`` is None."""
    write_atomically(path, json.dumps(values, indent=indent) + "\n")


def write_arrays(path: str | Path, arrays: Mapping[str, Any], *, kind: str, version: int) -> None:
    """Write ``arrays`` to ``path`` as one file of that kind and version, atomically."""
    header = {"__kind__": np.array(kind), "__version__": np.array(version)}
    whole: dict[str, Any] = {**header, **arrays}
    size = sum(np.asarray(values).nbytes for values in arrays.values())

    def write(file: BinaryIO) -> None:
        np.savez_compressed(file, **whole)
        if size > npz.FREE_BYTES and size > npz.LARGEST_RATIO / 2 * file.tell():
            # Mostly zeros: packed it would look like a file that is made to fill memory.
            file.seek(0)
            np.savez(file, **whole)
            file.truncate()

    write_atomically(path, write)


def check_header(path: Path | str, found: tuple[Any, Any], wanted: tuple[Any, Any]) -> None:
    """Raise StorageError unless kind and version of a file are those wanted."""
    if found[0] != wanted[0]:
        raise StorageError(path, f"is a file of kind {shown(found[0])}", f"{wanted[0]!r}")
    if found[1] != wanted[1]:
        raise StorageError(
            path,
            f"has version {found[1]}",
            f"version {wanted[1]}, which this eventsim reads",
            "Write the file again with this version, or use the eventsim that wrote it.",
        )


def read_arrays(
    path: str | Path, *, kind: str, version: int, check: Callable[[npz.Archive], None] | None = None
) -> Arrays:
    """Read a file that :func:`write_arrays` wrote.

    ``check`` looks at the claims of the headers before values are read; what it raises is a
    StorageError that names the file, as it is where the file is missing, truncated, of another kind
    or version, or claims to be larger than it can be.
    """
    with npz.opened(path, expected=f"an {kind} file") as archive:
        claims = archive.claims
        found = archive.text("__kind__") if "__kind__" in claims else "unknown"
        found_version = archive.number("__version__") if "__version__" in claims else -1
        check_header(path, (found, found_version), (kind, version))
        if check is not None:
            check(archive)
        names = [name for name in claims if name not in ("__kind__", "__version__")]
        return {name: archive.read(name) for name in names}
