"""N-MNIST: handwritten digits that a moving event camera saw, 34 x 34 pixels, ON and OFF.

Two forms are read.

**The published one**: folders ``Train/0`` to ``Train/9`` and ``Test/0`` to ``Test/9``, unpacked or
as ``train.zip`` and ``test.zip``, with one ``.bin`` file per sample: 5 bytes an event,

.. code-block:: text

    byte 0   x
    byte 1   y; 240: no event, but an overflow of the clock: 2^13 us are added from here on
    byte 2   bit 7 polarity (1 = ON), bits 6 to 0 the highest bits of the time
    byte 3,4 the other 16 bits of the time, in us, the highest first

**A packed subset**: ``nmnist_train*.npz`` and ``nmnist_test*.npz`` with the arrays ``t`` (us),
``x``, ``y``, ``p``, all [events], and ``offsets`` [samples + 1], ``label`` and ``index`` [samples].
It is looked for in the folder ``nmnist_small`` as well; ``Dataset.split`` names the file.

Channels are in the order (polarity, y, x): channel = (34 p + y) 34 + x, so that 0 to 1155 are OFF
and 1156 to 2311 are ON, each plane row by row from the top left pixel. Times are us / 1000, rounded
once. The duration of a sample is the first whole millisecond after its last event.

References
----------
Orchard, Jayawant, Cohen, Thakor (2015), Converting static image datasets to spiking neuromorphic
datasets using saccades, Front. Neurosci. 9:437; CC BY-SA 4.0. tonic 1.7 (addresses and checksums).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import every, some
from eventsim.datasets.archive import read_npz, read_zip, zip_names
from eventsim.datasets.cache import Samples, code_digest, digest, file_digest
from eventsim.datasets.dataset import (
    Split,
    check_size,
    check_split,
    duration_after,
    fetch,
    find,
    missing,
)
from eventsim.datasets.sources import Source, loading
from eventsim.errors import DataError
from eventsim.events import DatasetInfo, Recording

SIDE = 34
N_CHANNELS = 2 * SIDE * SIDE
CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_BASE = "https://data.mendeley.com/public-files/datasets/468j46mzdv/files/"
URL = {
    "train": f"{_BASE}39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded",
    "test": f"{_BASE}05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded",
}
MD5 = {"train": "20959b8e626244a1b502305a9e6e2031", "test": "69ca8762b2fe404d9b9bad1103e97832"}

INFO = DatasetInfo(
    name="nmnist",
    description="N-MNIST: handwritten digits seen by a moving event camera, 34 x 34, ON and OFF",
    classes=CLASS_NAMES,
    channels=N_CHANNELS,
    splits="those of MNIST: other writers in test",
    obtain="Downloaded on request (1.2 GB), or put train.zip and test.zip, or the folders Train "
    "and Test, into $EVENTSIM_DATA/nmnist.",
    licence="CC BY-SA 4.0",
    samples="60,000 + 10,000",
    lasts=300.0,
)
LARGEST_FILE = 1 << 22  # bytes; a sample has about 20,000
_EVENT = 5
_OVERFLOW, _OVERFLOW_US = 240, 1 << 13
_ARRAYS = ("t", "x", "y", "p", "offsets", "label", "index")
_NAME = re.compile(r"(?:.*/)?([0-9])/([0-9]+)\.bin")


@dataclass(frozen=True)
class _Files:
    """The ``.bin`` files of a split: the name of each, and a function that reads them all."""

    names: tuple[str, ...]
    read: Callable[[], Iterator[tuple[str, bytes]]]
    packed: bool


def source(
    split: Split = "train", *, root: str | Path | None = None, download: bool = False
) -> Source:
    """Recordings of one split.

    Parameters
    ----------
    split
        "train" or "test".
    root
        Folder that holds one of the two forms, or a packed file; None to look where
        :mod:`eventsim.datasets.dataset` says.
    download
        Fetch the zip file of that split into the user's data folder if it is nowhere.

    Returns
    -------
    Source
        Samples ordered by (digit, number); of a packed subset in its order. Keys are like
        "7/00042", of a packed subset the upstream number. Nothing is known of the writers. New
        arrays.

    Raises
    ------
    DataError
        The files are missing, truncated, or not what they should be.
    """
    check_split("nmnist", split)
    place = _locate(split, root=root, download=download)
    packed = place.suffix == ".npz"
    files = None if packed else _in_zip(place) if place.is_file() else _in_folder(place)

    def key() -> dict[str, str]:
        checksum = file_digest(place) if files is None or files.packed else digest(files.read())
        return {"files": checksum, "split": split, "code": code_digest(__file__)}

    return Source(
        INFO,
        f"{split} of {place.name}" if packed else split,
        make=partial(_packed_samples, place) if files is None else partial(_samples, files, place),
        key=key,
    )


load = loading(source)


def decode(content: bytes, where: str) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Times in ms and channels of a ``.bin`` file, sorted by (time, channel). New arrays.

    Raises DataError (it holds no whole events of this camera).
    """
    if len(content) % _EVENT:
        raise DataError(
            where,
            f"has {len(content)} bytes",
            f"a multiple of {_EVENT}, the bytes of an event",
            "It is truncated or something else; get it anew.",
        )
    raw = np.frombuffer(content, np.uint8).reshape(-1, _EVENT).astype(np.int64)
    x, y, p = raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    overflow = y == _OVERFLOW
    t = (raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]
    t = t + _OVERFLOW_US * np.cumsum(overflow)
    return _events(t[~overflow], x[~overflow], y[~overflow], p[~overflow], where)


def _events(
    t: NDArray[Any], x: NDArray[Any], y: NDArray[Any], p: NDArray[Any], where: str
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    for name, values, limit in (("x", x, SIDE), ("y", y, SIDE), ("polarity", p, 2)):
        good = (values >= 0) & (values < limit)
        every(where, name, values, good, f"0 .. {limit - 1}", of="event", error=DataError)
    channels = (SIDE * p.astype(np.int64) + y) * SIDE + x
    order = np.lexsort((channels, t))
    return t[order] / 1e3, channels[order].astype(np.int32)


def _locate(split: Split, *, root: str | Path | None, download: bool) -> Path:
    folder = split.capitalize()
    place = find("nmnist", root=root, candidates=(f"{split}.zip", f"{folder}.zip"))
    if place is None and root is None:
        place = find("nmnist_small", root=None, candidates=())
    if place is None and download:
        packed = f"{split}.zip"
        return fetch("nmnist", URL[split], file=packed, known_hash=f"md5:{MD5[split]}")
    if place is not None and place.is_dir():
        packs = sorted(place.glob(f"nmnist_{split}*.npz"))
        if (place / folder).is_dir() or packs:
            return place / folder if (place / folder).is_dir() else packs[0]
    elif place is not None and split in place.name.lower():
        return place
    what = f"{split}.zip, no folder {folder} and no nmnist_{split}*.npz"
    missing("nmnist", what, place, obtain=INFO.obtain)


def _in_folder(place: Path) -> _Files:
    paths = {p.relative_to(place).as_posix(): p for p in place.glob("[0-9]/*.bin")}
    names = tuple(sorted(name for name in paths if _NAME.fullmatch(name)))

    def read() -> Iterator[tuple[str, bytes]]:
        for name in names:
            check_size(paths[name], paths[name].stat().st_size, LARGEST_FILE)
            yield name, paths[name].read_bytes()

    return _some(names, read, place)


def _in_zip(place: Path) -> _Files:
    names = sorted(filter(_NAME.fullmatch, zip_names(place)), key=_short)

    def read() -> Iterator[tuple[str, bytes]]:
        return read_zip(place, wanted=set(names).__contains__, largest=LARGEST_FILE, key=_short)

    return _some(tuple(names), read, place)


def _some(
    names: tuple[str, ...], read: Callable[[], Iterator[tuple[str, bytes]]], place: Path
) -> _Files:
    what = "file named like 7/00042.bin"
    some(names, f"nmnist, {place}", what, remedy=INFO.obtain, error=DataError)
    return _Files(names, read, packed=place.is_file())


def _samples(files: _Files, place: Path) -> Samples:
    def recordings() -> Iterator[Recording]:
        for name, content in files.read():
            times, channels = decode(content, f"{place}, {name}")
            yield Recording(times, channels, duration_after(times))

    keys = [_short(name) for name in files.names]
    return Samples(
        recordings(),
        np.array([int(key[0]) for key in keys], np.int64),
        np.full(len(keys), ""),
        np.array(keys),
        N_CHANNELS,
    )


def _short(name: str) -> str:
    match = _NAME.fullmatch(name)
    assert match is not None
    return f"{match[1]}/{match[2]}"


def _packed_samples(path: Path) -> Samples:
    arrays = read_npz(path, _ARRAYS, kinds="iu")
    offsets = arrays["offsets"].astype(np.int64)
    n, sizes = offsets.size - 1, {arrays[name].size for name in ("t", "x", "y", "p")}
    whole = n >= 0 and offsets[0] == 0 and (np.diff(offsets) >= 0).all() and sizes == {offsets[-1]}
    if not whole or arrays["label"].size != n or arrays["index"].size != n:
        raise DataError(
            path,
            f"{offsets.size} offsets, {arrays['label'].size} labels and {sorted(sizes)} events do "
            "not belong together",
            remedy="It is damaged; get it anew.",
        )

    def recordings() -> Iterator[Recording]:
        for k in range(n):
            part = slice(offsets[k], offsets[k + 1])
            t, x, y, p = (arrays[name][part].astype(np.int64) for name in ("t", "x", "y", "p"))
            times, channels = _events(t, x, y, p, f"{path}, sample {k}")
            yield Recording(times, channels, duration_after(times))

    return Samples(
        recordings(),
        arrays["label"].astype(np.int64),
        np.full(n, ""),
        arrays["index"].astype(str),
        N_CHANNELS,
    )
