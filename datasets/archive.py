"""Packed files (zip, gzip, npz) of unknown origin: unpacked up to a bound, never past it.

How much more a file may be unpacked than packed: :mod:`eventsim.events.npz`.
"""

import gzip
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from eventsim.checks import some, vector
from eventsim.datasets.cache import scratch_folder
from eventsim.datasets.dataset import check_size
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
    with _readable(path), zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and wanted(m.filename)]
        # zipfile stops at the claimed size, so that holding claims to a bound is enough.
        _check_ratio(path, sum(m.file_size for m in members))
        if key is not None:
            members.sort(key=lambda member: key(member.filename))
        for member in members:
            check_size(f"{path}, {member.filename}", member.file_size, largest)
            yield member.filename, archive.read(member)


def zip_names(path: Path) -> list[str]:
    """Names of all members of a zip file; raises as :func:`read_zip`."""
    with _readable(path), zipfile.ZipFile(path) as archive:
        return archive.namelist()


def read_npz(path: Path, names: Sequence[str], *, kinds: str) -> dict[str, NDArray[Any]]:
    """Vectors of an ``.npz`` file, of accepted kinds such as "iu". New arrays.

    Raises DataError as :func:`read_zip`, or where an array is missing, of another shape or type, or
    claims another size than it has.
    """
    with npz.opened(path, expected="an npz file of events", error=DataError) as archive:
        claims = archive.claims
        for name in names:
            some(
                name in claims, path, f"array {name!r}", expected=", ".join(names), error=DataError
            )
            vector(path, name, claims[name], kinds, error=DataError)
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
        with _readable(path), open(target, "wb") as output:
            if path.suffix == ".gz":
                with gzip.open(path, "rb") as packed:
                    _copy(packed, output, path)
            else:
                _unzip(path, name, output)
        some(target.stat().st_size, path, "content", expected=name, error=DataError)
        yield target


def _unzip(path: Path, name: str, output: BinaryIO) -> None:
    with zipfile.ZipFile(path) as archive:
        found = [m for m in archive.infolist() if m.filename.rsplit("/", 1)[-1] == name]
        if len(found) != 1:
            held = ", ".join(archive.namelist()[:5])
            raise DataError(path, f"holds {name} {len(found)} times ({held})", "it once")
        _check_ratio(path, found[0].file_size)
        with archive.open(found[0]) as packed:
            shutil.copyfileobj(packed, output, _PIECE)


def _copy(packed: "gzip.GzipFile", output: BinaryIO, path: Path) -> None:
    size = 0
    while piece := packed.read(_PIECE):
        size += len(piece)
        _check_ratio(path, size)
        output.write(piece)


def _check_ratio(path: Path, size: int) -> None:
    packed = path.stat().st_size
    if size > max(npz.LARGEST_RATIO * packed, _PIECE):
        raise DataError(
            path,
            f"unpacks to {size} bytes or more from {packed}",
            f"at most {npz.LARGEST_RATIO} times as many",
            "It is damaged or made to fill memory and disk.",
        )


def _readable(path: Path) -> AbstractContextManager[None]:
    kind = "gzip" if path.suffix == ".gz" else "zip"
    return npz.explained(path, expected=f"a {kind} file", error=DataError)
