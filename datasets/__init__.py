"""Data sets of event streams, and audio as event streams.

>>> from eventsim import datasets
>>> train = datasets.load("yinyang", split="train")
>>> train.stream.n_samples, train.labels.size, train.class_names
(5000, 5000, ('yin', 'yang', 'dot'))

``DATASETS`` lists the data sets. The module of a data set has its description (``INFO``) and a
``load`` that takes more options, for example ``fsdd.load(speakers=...)``; ``source`` takes the same
options and reads no events yet. :func:`stored` leaves the events on disk; the samples of a batch
are read when they are needed. :class:`CochleaEncoder` makes events of any audio.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from eventsim.checks import known
from eventsim.datasets import (
    fsdd,
    nmnist,
    ntidigits,
    shd,
    spoken_digits,
    ti46,
    yinyang,
)
from eventsim.datasets.dataset import Split, check_split
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.encoders.operations import bank_operations, cochlea_operations
from eventsim.datasets.sources import Source
from eventsim.errors import DataError
from eventsim.events import Dataset, DatasetInfo, EncoderOperations, StoredStream

__all__ = [
    "DATASETS", "CochleaEncoder", "Dataset", "DatasetInfo", "Source", "Split", "StoredDataset",
    "encoder_operations", "load", "source", "stored",
]  # fmt: skip


SAMPLE_RATES = {"fsdd": 8_000, "spoken_digits": 22_050}  # Hz, of all recordings


class OpenSource(Protocol):
    """Function of every data set's module that opens a split; parameters as :func:`load`."""

    def __call__(self, split: Split, *, root: Path | None, download: bool) -> Source:
        """Source of one split."""


# Description of every data set, and what opens it.
_ENTRIES: tuple[tuple[DatasetInfo, OpenSource], ...] = (
    (spoken_digits.INFO, spoken_digits.source),
    (fsdd.INFO, fsdd.source),
    (ntidigits.INFO, ntidigits.source),
    (ntidigits.STRINGS, ntidigits.strings_source),
    (ti46.INFO["digits"], ti46.digits),
    (ti46.INFO["alpha"], ti46.alpha),
    (shd.SHD, shd.source),
    (shd.SSC, shd.ssc_source),
    (nmnist.INFO, nmnist.source),
    (yinyang.INFO, yinyang.source),
)
_SOURCES: Mapping[str, OpenSource] = {info.name: opener for info, opener in _ENTRIES}
StoredDataset = Dataset  # the name that a data set on disk had here
DATASETS: Mapping[str, DatasetInfo] = {info.name: info for info, _ in _ENTRIES}


def encoder_operations(
    name: str, encoder: CochleaEncoder | None = None
) -> EncoderOperations | None:
    """Operations that make the events of a data set from its audio, sample by sample.

    Parameters
    ----------
    name
        A key of ``DATASETS``.
    encoder
        Of fsdd and spoken_digits, if it is not the data set's own.

    Returns
    -------
    EncoderOperations
        None where a sensor sends events, there was no signal, or the encoder is unknown.
    """
    if name == fsdd.INFO.name:
        return cochlea_operations(encoder or fsdd.ENCODER, SAMPLE_RATES[name])
    if name == spoken_digits.INFO.name:
        return cochlea_operations(encoder or spoken_digits.ENCODER, SAMPLE_RATES[name])
    if name in (info.name for info in ti46.INFO.values()):
        return bank_operations(ti46.EAR, ti46.CODER, ti46.SAMPLE_RATE)
    return None


def load(
    name: str, *, split: Split, root: str | Path | None = None, download: bool = False
) -> Dataset:
    """Recordings of one split of a data set, in memory.

    Parameters
    ----------
    name
        A key of ``DATASETS``.
    split
        One of ``DATASETS[name].parts``.
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
    return source(name, split=split, root=root, download=download).load()


def stored(
    name: str, *, split: Split, root: str | Path | None = None, download: bool = False
) -> Dataset[StoredStream]:
    """As :func:`load`, with the events left on disk, in the cache."""
    return source(name, split=split, root=root, download=download).stored()


def source(
    name: str, *, split: Split, root: str | Path | None = None, download: bool = False
) -> Source:
    """As :func:`load`, before any events are read."""
    known("datasets", "data set", name, DATASETS, error=DataError)
    check_split(name, split, DATASETS[name].parts)
    return _SOURCES[name](split, root=None if root is None else Path(root), download=download)
