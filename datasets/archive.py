"""Packed files (zip, gzip, npz) of unknown origin: unpacked up to a bound, never past it.

How much more a file may be unpacked than packed: :mod:`eventsim.events.npz`.
"""

import gzip
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from eventsim.datasets.cache import scratch_folder
from eventsim.errors import DataError
from eventsim.events import npz

_PIECE = 1 << 20


def read_zip(
    path: Path,
    *,
    wanted: Callable[[str], bool],
    largest: int,
    key: Callable[[str], Any] | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Name and content of every wanted member of a zip file, one after the other.

    They come in the order of the file, or of the ``key`` of their names, with at most ``largest``
    bytes each. Raises DataError if the file is truncated, damaged, encrypted, or unpacks to far
    more than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and wanted(m.filename)]
            # zipfile stops at the claimed size, so that holding claims to a bound is enough.
            _check_size(path, sum(m.file_size for m in members))
            if key is not None:
                members.sort(key=lambda member: key(member.filename))
            for member in members:
                if member.file_size > largest:
                    raise DataError(
                        path,
                        f"{member.filename} has {member.file_size} bytes",
                        f"at most {largest}",
                    )
                yield member.filename, archive.read(member)
    except DataError:
        raise
    except npz.UNREADABLE as error:
        raise _unreadable(path, error) from error


def zip_names(path: Path) -> list[str]:
    """Names of all members of a zip file; raises as :func:`read_zip`."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except npz.UNREADABLE as error:
        raise _unreadable(path, error) from error


def read_npz(path: Path, names: Sequence[str], *, kinds: str) -> dict[str, NDArray[Any]]:
    """One-dimensional arrays of an ``.npz`` file, of accepted kinds such as "iu". New arrays.

    Raises DataError as :func:`read_zip`, or where an array is missing, of another shape or type, or
    claims another size than it has.
    """
    with npz.opened(path, expected="an npz file of events", error=DataError) as archive:
        claims = archive.claims
        missing = [name for name in names if name not in claims]
        if missing:
            raise DataError(
                path, f"has no array {', '.join(missing)}", remedy=f"Expected {', '.join(names)}."
            )
        for name in names:
            shape, dtype = claims[name].shape, claims[name].dtype
            if len(shape) != 1 or dtype.kind not in kinds:
                raise DataError(
                    path,
                    f"{name} has shape {shape} and type {dtype}",
                    f"a one-dimensional array of kind {' or '.join(kinds)}",
                )
        return {name: archive.read(name) for name in names}


@contextmanager
def unpacked(path: Path, *, name: str) -> Iterator[Path]:
    """The file ``name`` that a ``.zip`` or ``.gz`` holds, for the length of the block.

    Any other file is given as it is. What is unpacked lies on the disk of the cache.

    Raises DataError (as :func:`read_zip`, or the zip file does not hold ``name`` once).
    """
    if path.suffix not in (".zip", ".gz"):
        yield path
        return
    with scratch_folder() as folder:
        target = folder / name
        try:
            with open(target, "wb") as output:
                if path.suffix == ".gz":
                    with gzip.open(path, "rb") as packed:
                        _copy(packed, output, path)
                else:
                    _unzip(path, name, output)
        except DataError:
            raise
        except npz.UNREADABLE as error:
            raise _unreadable(path, error) from error
        yield target


def _unzip(path: Path, name: str, output: BinaryIO) -> None:
    with zipfile.ZipFile(path) as archive:
        found = [m for m in archive.infolist() if m.filename.rsplit("/", 1)[-1] == name]
        if len(found) != 1:
            held = ", ".join(archive.namelist()[:5])
            raise DataError(path, f"holds {name} {len(found)} times ({held})", "it once")
        _check_size(path, found[0].file_size)
        with archive.open(found[0]) as packed:
            shutil.copyfileobj(packed, output, _PIECE)


def _copy(packed: "gzip.GzipFile", output: BinaryIO, path: Path) -> None:
    size = 0
    while piece := packed.read(_PIECE):
        size += len(piece)
        _check_size(path, size)
        output.write(piece)


def _check_size(path: Path, size: int) -> None:
    packed = path.stat().st_size
    if size > max(npz.LARGEST_RATIO * packed, _PIECE):
        raise DataError(
            path,
            f"unpacks to {size} bytes or more from {packed}",
            f"at most {npz.LARGEST_RATIO} times as many",
            "It is damaged or made to fill memory and disk.",
        )


def _unreadable(path: Path, error: Exception) -> DataError:
    kind = "gzip" if path.suffix == ".gz" else "zip"
    return DataError(
        path,
        f"cannot be read as a {kind} file ({type(error).__name__}: {error})",
        remedy="It is truncated or something else; get it anew.",
    )
