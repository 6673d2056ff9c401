"""Data sets of spoken digits as event streams.

>>> from eventsim import datasets
>>> train = datasets.load("fsdd", split="train")  # doctest: +SKIP
>>> train.stream, train.labels, train.class_names, train.groups  # doctest: +SKIP

``DATASETS`` lists what there is. The modules behind it take more options: ``fsdd`` (selection of
speakers, another encoder), ``ntidigits`` (the division by utterance, spoken sequences),
``spoken_digits`` (size of the set, its voices). :class:`CochleaEncoder` makes events of any audio.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from eventsim.datasets import fsdd, ntidigits, spoken_digits
from eventsim.datasets.dataset import Dataset, DatasetInfo, Split, check_split, find, searched
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.errors import DataError

__all__ = [
    "DATASETS",
    "CochleaEncoder",
    "Dataset",
    "DatasetInfo",
    "Split",
    "load",
]


class Loader(Protocol):
    """What loads a data set; parameters as :func:`load`."""

    def __call__(self, split: Split, *, root: Path | None, download: bool) -> Dataset:
        """One split."""


@dataclass(frozen=True)
class Entry:
    """A data set of the registry: its description and what loads it."""

    info: DatasetInfo
    loader: Loader


def load(
    name: str, *, split: Split, root: str | Path | None = None, download: bool = False
) -> Dataset:
    """One split of a data set.

    Parameters
    ----------
    name
        A key of ``DATASETS``.
    split
        "train" or "test".
    root
        File or folder of the data; None to look in the usual places, see
        :mod:`eventsim.datasets.dataset`.
    download
        Fetch the data set if it is not there and can be fetched.

    Returns
    -------
    Dataset
        New arrays.

    Raises
    ------
    DataError
        The name is unknown, or the data is missing or not what it claims to be. The text
        says where to get it.
    """
    if name not in DATASETS:
        raise DataError(f"No data set {name!r}. There are: {', '.join(DATASETS)}.")
    check_split(name, split)
    place = None if root is None else Path(root)
    return ENTRIES[name].loader(split, root=place, download=download)


def _load_fsdd(split: Split, *, root: Path | None, download: bool) -> Dataset:
    stream, recordings = fsdd.load_with_speakers(split, root=root, download=download)
    return Dataset(stream, recordings.digits, fsdd.CLASS_NAMES, _FSDD, recordings.speakers)


def _load_spoken_digits(split: Split, *, root: Path | None, download: bool) -> Dataset:
    del download  # made here, never fetched
    stream, keys = spoken_digits.load_with_keys(split, root=root)
    groups = np.array([spoken_digits.voice_of(key) for key in keys])
    return Dataset(stream, ntidigits.labels_of(keys), ntidigits.CLASS_NAMES, _SPOKEN_DIGITS, groups)


def _load_ntidigits(split: Split, *, root: Path | None, download: bool) -> Dataset:
    del download  # there is no lasting address to fetch it from
    path = find("ntidigits", root=root, candidates=(_NTIDIGITS_FILE,))
    if path is None or path.is_dir():
        where = searched("ntidigits") if path is None else str(path)
        raise DataError(
            f"ntidigits: no file {_NTIDIGITS_FILE} in {where}. {_NTIDIGITS.obtain} "
            "For a set of the same layout that is made here, use 'spoken_digits'."
        )
    stream, keys = ntidigits.load_with_keys(path, split=split)
    groups = np.array([key.speaker for key in keys])
    return Dataset(stream, ntidigits.labels_of(keys), ntidigits.CLASS_NAMES, _NTIDIGITS, groups)


_NTIDIGITS_FILE = "n-tidigits.hdf5"

_FSDD = DatasetInfo(
    name="fsdd",
    description="Free Spoken Digit Dataset: people say zero to nine, 8 kHz",
    classes=fsdd.CLASS_NAMES,
    channels=fsdd.ENCODER.n_channels,
    splits="takes 0-4 of every speaker and digit are test, 5-49 train; same speakers in both",
    obtain=f"Downloaded on request, or put {fsdd.ARCHIVE_URL} into $EVENTSIM_DATA/fsdd.",
    licence="CC BY-SA 4.0",
)
_SPOKEN_DIGITS = DatasetInfo(
    name="spoken_digits",
    description="The eleven words of TIDIGITS, spoken by eSpeak NG in the layout of N-TIDIGITS18",
    classes=ntidigits.CLASS_NAMES,
    channels=ntidigits.N_CHANNELS,
    splits="60 voices train, 15 other voices test",
    obtain="Made at the first use; needs eSpeak NG: pip install 'eventsim[demo]'.",
    licence="made on your machine by eSpeak NG (GPL-3.0 program)",
)
_NTIDIGITS = DatasetInfo(
    name="ntidigits",
    description="N-TIDIGITS18: single digits of TIDIGITS heard by a silicon cochlea",
    classes=ntidigits.CLASS_NAMES,
    channels=ntidigits.N_CHANNELS,
    splits="official: other speakers in test",
    obtain=(
        f"Get {_NTIDIGITS_FILE} from its authors (Sensors group, INI Zurich) and put it into "
        "$EVENTSIM_DATA/ntidigits."
    ),
    licence="see its authors",
)

ENTRIES: dict[str, Entry] = {
    "spoken_digits": Entry(_SPOKEN_DIGITS, _load_spoken_digits),
    "fsdd": Entry(_FSDD, _load_fsdd),
    "ntidigits": Entry(_NTIDIGITS, _load_ntidigits),
}

DATASETS: dict[str, DatasetInfo] = {name: entry.info for name, entry in ENTRIES.items()}
