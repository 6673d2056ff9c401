"""Files of a data set: their folders, how they are opened, and functions for all sets.

Files are looked for in this order: the ``root`` that the caller names, the folder of the
data set inside ``$EVENTSIM_DATA``, the folder of the data set in the user's data folder.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import every, known, one_of, reported
from eventsim.errors import DataError
from eventsim.events import Recording
from eventsim.folders import data_folder

Split = str
Texts = NDArray[np.str_]
Unit = Literal["s", "ms", "us"]
UNITS: tuple[str, ...] = get_args(Unit)
PER_MS: dict[str, float] = {"s": 1e-3, "ms": 1.0, "us": 1e3}  # of a unit in a ms


class Assumed(NamedTuple):
    """A unit of times for files that state none, and why it is this one, in words."""

    unit: Unit
    reason: str


PLAIN = Assumed("ms", "the header names no unit")
CAMERA = Assumed("us", "nothing names a unit, and cameras count microseconds")
UNIX = (1e12, 2.2e12)  # ms since 1970: from 2001 to 2039


def user_folder(name: str) -> Path:
    """Folder of data set ``name`` in the user's data folder; it need not exist."""
    return data_folder() / name


def find(name: str, *, root: str | Path | None, candidates: Sequence[str]) -> Path | None:
    """First existing place of data set ``name``, or None.

    A ``root`` that the caller names must exist, and a folder is searched for ``candidates`` before
    it is returned itself. Without one they are looked for in the data set's folder, and beside it.
    """
    if root is not None:
        place = Path(root).expanduser()
        if not place.exists():
            raise DataError(
                name, f"root {place} does not exist", remedy="Give a file or folder that does."
            )
        return _inside(place, candidates) or place
    for base in _bases():
        found = _inside(base / name, candidates) or _inside(base, candidates)
        if found is not None:
            return found
        if (base / name).is_dir() and any((base / name).iterdir()):
            return base / name
    return None


def _bases() -> Iterator[Path]:
    if os.environ.get("EVENTSIM_DATA"):
        yield Path(os.environ["EVENTSIM_DATA"]).expanduser()
    yield data_folder()


def searched(name: str) -> str:
    """The places where :func:`find` looks without a root, in words."""
    data = os.environ.get("EVENTSIM_DATA")
    first = str(Path(data) / name) if data else f"$EVENTSIM_DATA/{name} (EVENTSIM_DATA is not set)"
    return f"{first} and {user_folder(name)}"


def missing(name: str, what: str, place: Path | None, *, obtain: str) -> NoReturn:
    """Raise DataError: a data set has no ``what`` in a place, or in all where it is looked for."""
    where = searched(name) if place is None else place
    raise DataError(name, f"no {what} in {where}", remedy=obtain)


def check_speakers(where: str, speakers: Sequence[str] | None, there: Collection[str]) -> None:
    """Raise DataError where one of the chosen speakers is none of those that are there."""
    for speaker in speakers or ():
        known(where, "speaker", speaker, sorted(there), error=DataError)


def check_split(name: str, split: str, parts: Sequence[str] = ("train", "test")) -> None:
    """Raise DataError unless ``split`` is one of ``parts``."""
    one_of(name, "split", split, parts, error=DataError)


def duration_after(times: NDArray[np.float64]) -> float:
    """First whole millisecond after the last event, for sources that store no duration."""
    return float(np.floor(times.max(initial=0.0)) + 1.0)


def sorted_recording(
    where: str,
    times: NDArray[np.float64],
    channels: NDArray[Any],
    n_channels: int,
    *,
    names: tuple[str, str],
) -> Recording:
    """Events of one sample by (time, channel), times in ms. New arrays.

    ``names`` are those of a time and of a channel in messages. Raises DataError for an event that
    cannot be.
    """
    when, place = names
    good = np.isfinite(times) & (times >= 0)
    every(where, when, times, good, "a finite time >= 0", of="event", unit="ms", error=DataError)
    good = (channels >= 0) & (channels < n_channels)
    every(where, place, channels, good, f"0 .. {n_channels - 1}", of="event", error=DataError)
    order = np.lexsort((channels, times))
    return Recording(times[order], channels[order], duration_after(times))


def check_unit(unit: str, where: str) -> None:
    """Raise DataError unless ``unit`` is one of ``UNITS``."""
    one_of(where, "unit", unit, UNITS, error=DataError)


def check_no_unix_clock(times: NDArray[np.float64], assumed: Unit, where: str) -> None:
    """Raise DataError where times of which nothing says the unit may count from 1970 in another.

    Whole numbers in the range of seconds are a counter where microseconds are assumed, which is
    there within a quarter of an hour.
    """
    low, high = UNIX
    units = [u for u, n in PER_MS.items() if low * n <= times.min() and times.max() < high * n]
    is_counter = (assumed, units) == ("us", ["s"]) and bool((times == np.floor(times)).all())
    if units and assumed not in units and not is_counter:
        raise DataError(
            where,
            "nothing says the unit of its times, which may be those of a Unix clock in "
            f"{units[0]}: the first is {times.min():.15g}",
            remedy=f"Name it: --unit {units[0]}, or s, ms or us (in Python unit=).",
        )


def to_ms(times: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Times in ms as float64; infinite where they leave its range. New array."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = times.astype(np.float64)
        # 1000 is a float64 and 0.001 is not: this rounds once.
        return values * 1e3 if unit == "s" else values / 1e3 if unit == "us" else values


@contextmanager
def opened(path: Path, *, expected: str) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file and its size in bytes; ``expected`` says what it should hold.

    Raises DataError (there is no such file, it is a folder, a pipe or a device, it cannot be
    opened, or it is empty).
    """
    if not path.is_file():  # a pipe would block, a device never end
        what = "is no regular file" if path.exists() else "does not exist"
        raise DataError(path, what, expected)
    with reported(path, "cannot be opened ({})", OSError, expected=expected, error=DataError):
        file = open(path, "rb")  # noqa: SIM115 - closed below; errors of the body are not ours
    with file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise DataError(path, "is empty", expected)
        yield file, size


def read_content(path: Path, *, expected: str, largest: int) -> bytes:
    """Bytes of a file; DataError as :func:`opened`, or if it has more than ``largest`` bytes."""
    with opened(path, expected=expected) as (file, size):
        check_size(path, size, largest, expected=expected)
        return file.read(size)


def check_size(where: object, size: int, largest: int, *, expected: str = "") -> None:
    """Raise DataError for more than ``largest`` bytes, before memory is taken for them."""
    if size > largest:
        words = ", ".join(filter(None, (expected, f"at most {largest:,} bytes")))
        raise DataError(where, f"has {size:,} bytes", words)


def decoded(content: bytes, where: str) -> str:
    """The text of UTF-8, without a byte order mark; DataError in the name of ``where``."""
    failure, words = UnicodeDecodeError, "cannot be decoded ({})"
    with reported(where, words, failure, expected="text in UTF-8", error=DataError):
        return content.decode("utf-8-sig")


def fetch(name: str, url: str, *, file: str, known_hash: str | None, otherwise: str = "") -> Path:
    """Download a file of data set ``name`` into the user's data folder and return its path.

    ``known_hash`` is the ``"md5:..."`` or ``"sha256:..."`` that it must have; None if the caller
    checks it. Raises DataError if it cannot be fetched or is another file than expected; the text
    says where to put one that was fetched by hand, or what else can be done.
    """
    # Slow to import, and needed for downloads only.
    import pooch  # type: ignore[import-untyped, unused-ignore]

    folder = user_folder(name)
    remedy = (
        f"Fetch it by other means and put it into {folder} as {file}, or into "
        f"$EVENTSIM_DATA/{name}. {otherwise}"
    ).rstrip()
    words = f"download of {url} failed ({{}})"
    with reported(name, words, OSError, ValueError, remedy=remedy, error=DataError):
        found = pooch.retrieve(
            url, known_hash=known_hash, fname=file, path=folder, progressbar=False
        )
    return Path(found)


def _inside(folder: Path, candidates: Sequence[str]) -> Path | None:
    if not folder.is_dir():
        return None
    return next((folder / c for c in candidates if (folder / c).is_file()), None)
