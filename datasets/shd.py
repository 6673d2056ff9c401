"""Spiking Heidelberg Digits and Spiking Speech Commands: words heard by a model of the inner ear.

Files ``shd_{train,test}.h5`` and ``ssc_{train,valid,test}.h5``, as they are, or packed by gzip
(``.h5.gz``) or zip (``.h5.zip``) as they are published:

==================  ========================================  ====================================
``/spikes/times``   floats of variable length, 16 or 32 bits  **seconds**, one array per sample
``/spikes/units``   integers of variable length               0 .. 699
``/labels``         integers [samples]                        class
``/extra/speaker``  integers [samples]                        who spoke; may be missing
``/extra/keys``     strings [classes]                         word of every class; may be missing
==================  ========================================  ====================================

Seconds are widened to float64 first and multiplied by 1000 then; for 16 and for 32 bits that is
exact. The resolution of 16 bits is 0.5 ms at 0.5 s and 1 ms beyond 1 s. Events are sorted by (time,
unit). The duration of a sample is the first whole millisecond after its last event.

SSC has 75,466 training samples, about 7 GB as a stream in memory: train it from
:func:`eventsim.datasets.stored`.

References
----------
Cramer, Stradmann, Schemmel, Zenke (2022), The Heidelberg spiking data sets for the systematic
evaluation of spiking neural networks, IEEE Trans. Neural Netw. Learn. Syst. 33:2744. tonic 1.7
(addresses and checksums of the files).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eventsim.checks import one_each
from eventsim.datasets import dataset, guarded, guarded_child, hdf5
from eventsim.datasets.archive import unpacked
from eventsim.datasets.cache import Samples, code_digest, file_digest
from eventsim.datasets.dataset import (
    Split,
    check_split,
    fetch,
    find,
    missing,
    sorted_recording,
    to_ms,
)
from eventsim.datasets.sources import Source, loading
from eventsim.errors import DataError
from eventsim.events import DatasetInfo, Recording

N_CHANNELS = 700

_ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_GERMAN = ("null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun")
_COMMANDS = """
yes no up down left right on off stop go backward bed bird cat dog eight five follow forward four
happy house learn marvin nine one seven sheila six three tree two visual wow zero
"""

URL = "https://zenkelab.org/datasets/"
MD5 = {
    "shd_train.h5.zip": "f3252aeb598ac776c1b526422d90eecb",
    "shd_test.h5.zip": "1503a5064faa34311c398fb0a1ed0a6f",
    "ssc_train.h5.zip": "d102be95e7144fcc0553d1f45ba94170",
    "ssc_valid.h5.zip": "b4eee3516a4a90dd0c71a6ac23a8ae43",
    "ssc_test.h5.zip": "a35ff1e9cffdd02a20eb850c17c37748",
}

SHD = DatasetInfo(
    name="shd",
    description="Spiking Heidelberg Digits: 12 people say zero to nine in English and German",
    classes=_ENGLISH + _GERMAN,
    channels=N_CHANNELS,
    splits="two of the twelve speakers are heard in test only",
    obtain=f"Downloaded on request, or put shd_train.h5.gz and shd_test.h5.gz of {URL} into "
    "$EVENTSIM_DATA/shd.",
    licence="CC BY 4.0",
    samples="8,156 + 2,264",
    lasts=700.0,
)
SSC = DatasetInfo(
    name="ssc",
    description="Spiking Speech Commands: many people say one of 35 words",
    classes=tuple(_COMMANDS.split()),
    channels=N_CHANNELS,
    splits="those of Speech Commands 0.02; the file tells which label a word has",
    obtain=f"Downloaded on request, or put ssc_train.h5.gz and so on of {URL} into "
    "$EVENTSIM_DATA/ssc.",
    licence="CC BY 4.0",
    parts=("train", "valid", "test"),
    samples="75,466 + 9,981 + 20,382",
    lasts=1000.0,
)
_EXPECTED = "a file of SHD or SSC"


def source(
    split: Split = "train",
    *,
    info: DatasetInfo = SHD,
    root: str | Path | None = None,
    download: bool = False,
) -> Source:
    """Recordings of one split of SHD, or of SSC.

    Parameters
    ----------
    split
        "train" or "test"; of SSC also "valid".
    info
        ``SHD`` or ``SSC``.
    root
        Folder of the files, or one of them; None to look where :mod:`eventsim.datasets.dataset`
        says. Packed files are unpacked once, into the cache.
    download
        Fetch the file of that split into the user's data folder if it is nowhere.

    Returns
    -------
    Source
        Samples in the file's order; groups are speakers, keys the numbers of the samples. New
        arrays.

    Raises
    ------
    DataError
        The file is missing, truncated, of another layout, or one of its samples is not what the
        layout promises.
    """
    check_split(info.name, split, info.parts)
    path = _locate(info, split, root=root, download=download)
    return Source(
        info,
        split,
        make=partial(_samples, path, info, split),
        key=lambda: {
            "file": file_digest(path),
            "code": code_digest(
                __file__, *(str(m.__file__) for m in (guarded, guarded_child, hdf5, dataset))
            ),
        },
        encoded=path.suffix in (".gz", ".zip"),
    )


load = loading(source)


ssc_source = partial(source, info=SSC)


def _locate(info: DatasetInfo, split: Split, *, root: str | Path | None, download: bool) -> Path:
    name = f"{info.name}_{split}.h5"
    names = (name, f"{name}.gz", f"{name}.zip")
    if root is not None and Path(root).is_file():
        # The file of one split was named: that of another lies beside it.
        root = Path(root).parent
    path = find(info.name, root=root, candidates=(*names, f"{info.name.upper()}/{name}"))
    if (path is None or path.is_dir()) and root is None and download:
        packed = f"{name}.zip"
        return fetch(info.name, URL + packed, file=packed, known_hash=f"md5:{MD5[packed]}")
    if path is None or path.is_dir():
        missing(info.name, f"file {' or '.join(names)}", path, obtain=info.obtain)
    return path


def _samples(path: Path, info: DatasetInfo, split: Split) -> Samples:
    # The first thing that the generator yields describes the rest; from then on it holds the file
    # open, and what was unpacked, until its end.
    found = _read(path, info, split)
    head: Samples = next(found)
    return Samples(found, head.labels, head.groups, head.keys, head.n_channels, head.class_names)


def _read(path: Path, info: DatasetInfo, split: Split) -> Iterator[Any]:
    name = f"{info.name}_{split}.h5"
    with unpacked(path, name=name) as plain, hdf5.opened(plain, expected=_EXPECTED) as file:
        n_times, times = hdf5.ragged(file, "spikes/times", kinds="f")
        n_units, fired = hdf5.ragged(file, "spikes/units", kinds="iu")
        labels = hdf5.vector(file, "labels", kinds="iu").astype(np.int64)
        who = (
            hdf5.vector(file, "extra/speaker", kinds="iu")
            if hdf5.member(file, "extra/speaker")
            else None
        )
        counts = {"arrays of times": n_times, "of units": n_units, "labels": labels.size}
        counts |= {} if who is None else {"speakers": who.size}
        one_each(path, counts, error=DataError)
        yield Samples(
            (),
            labels,
            np.array([""] * labels.size if who is None else who.astype(str), dtype=str),
            np.arange(labels.size).astype(str),
            N_CHANNELS,
            _class_names(file, info),
        )
        yield from _recordings(path, times, fired)


def _recordings(path: Path, stored: Iterator[Any], fired: Iterator[Any]) -> Iterator[Recording]:
    for index, (seconds, channels) in enumerate(zip(stored, fired, strict=True)):
        where = f"{path}, sample {index}"
        one_each(where, {"times": seconds.size, "units": channels.size}, error=DataError)
        times = to_ms(seconds, "s")
        yield sorted_recording(where, times, channels, N_CHANNELS, names=("time", "unit"))


def _class_names(file: Any, info: DatasetInfo) -> tuple[str, ...]:
    """Words of the file; without them those of SHD, whose order is published, else numbers."""
    if "extra/keys" in file:
        return tuple(hdf5.texts(file, "extra/keys"))
    return info.classes if info is SHD else tuple(map(str, range(len(info.classes))))
