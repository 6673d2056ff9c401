"""Packed files (zip, gzip) of unknown origin: unpacked up to a bound, never past it."""

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eventsim.errors import DataError

LARGEST_RATIO = 100  # unpacked over packed; recorded events and sound reach 2 to 5
_PIECE = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a method of packing that zipfile does not know
    ValueError,
    LookupError,
)


def read_zip(path: Path, *, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every wanted member of a zip file, one after the other.

    Raises
    ------
    DataError
        It is truncated, damaged, encrypted, or unpacks to far more than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and wanted(m.filename)]
            # zipfile stops at the claimed size, so that holding claims to a bound is enough.
            _check_size(path, sum(m.file_size for m in members))
            for member in members:
                yield member.filename, archive.read(member)
    except _UNREADABLE as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: cannot be read as a zip file ({error}). It is truncated or something else; "
            "get it anew."
        ) from error


@contextmanager
def unpacked(path: Path, *, name: str) -> Iterator[Path]:
    """The file ``name`` that a ``.zip`` or ``.gz`` holds, for the length of the block.

    Any other file is given as it is. What is unpacked lies in the folder for temporary files
    (``$TMPDIR``).

    Raises
    ------
    DataError
        As :func:`read_zip`, or the zip file does not hold ``name`` once.
    """
    if path.suffix not in (".zip", ".gz"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="eventsim-") as folder:
        target = Path(folder) / name
        try:
            with open(target, "wb") as output:
                if path.suffix == ".gz":
                    with gzip.open(path, "rb") as packed:
                        _copy(packed, output, path)
                else:
                    _unzip(path, name, output)
        except _UNREADABLE as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{path}: cannot be unpacked ({error}). It is truncated or something else; get it "
                "anew."
            ) from error
        yield target


def _unzip(path: Path, name: str, output: BinaryIO) -> None:
    with zipfile.ZipFile(path) as archive:
        found = [m for m in archive.infolist() if m.filename.rsplit("/", 1)[-1] == name]
        if len(found) != 1:
            held = ", ".join(archive.namelist()[:5])
            raise DataError(f"{path}: holds {name} {len(found)} times ({held}), expected it once.")
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
    if size > max(LARGEST_RATIO * packed, _PIECE):
        raise DataError(
            f"{path}: unpacks to {size} bytes or more from {packed}, expected at most "
            f"{LARGEST_RATIO} times as many. It is damaged or made to fill memory and disk."
        )
