"""What DATA, RUN, NET and EVENTS on the command line stand for."""

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventsim import datasets
from eventsim.datasets import Dataset, DatasetInfo
from eventsim.entries import check_types, shown
from eventsim.errors import DataError, StorageError
from eventsim.events import EventStream
from eventsim.network import Network
from eventsim.train import LabelledEvents, load_network

Split = str


@dataclass(frozen=True)
class DataSource:
    """A data set by name, and the file or folder it is read from if the user named one."""

    name: str
    file: str | None = None

    def __post_init__(self) -> None:
        check_types(self, where="data")
        if self.name not in datasets.DATASETS:
            known = ", ".join(datasets.DATASETS)
            raise DataError(f"data: name is {shown(self.name)}, expected one of {known}.")

    @property
    def info(self) -> DatasetInfo:
        """What is known of it."""
        return datasets.DATASETS[self.name]

    def load(self, split: Split, *, download: bool = False) -> Dataset:
        """One split."""
        return datasets.load(self.name, split=split, root=self.file, download=download)

    def labelled(self, split: Split, *, download: bool = False) -> LabelledEvents:
        """One split as training takes it."""
        data = self.load(split, download=download)
        return LabelledEvents(data.stream, data.labels, data.class_names)


def find_data(data: str, file: Path | None = None) -> DataSource:
    """The data set called ``data``, or an HDF5 file of that path in N-TIDIGITS18 layout."""
    if data in datasets.DATASETS:
        return DataSource(data, None if file is None else str(file.resolve()))
    path = Path(data)
    if path.is_file():
        if file is not None:
            raise DataError(f"DATA is already the file {data}: leave out --file.")
        return DataSource("ntidigits", str(path.resolve()))
    near = difflib.get_close_matches(data, datasets.DATASETS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"DATA {data!r} is neither a data set ({', '.join(datasets.DATASETS)}) nor a file.{hint}"
    )


def find_network(place: Path, *, which: str = "last") -> Network:
    """The network in a file, or ``which`` (last, selected, initial) of a run's folder."""
    if place.is_dir():
        file = place / f"{which}.npz"
        if not file.is_file():
            raise StorageError(
                f"{place}: holds no {file.name}. It is no run, or one that is not finished: "
                f"continue it with: eventsim train --resume --out {place}"
            )
        return load_network(file)
    return load_network(place)


def find_events(place: str, *, split: Split, samples: int | None) -> EventStream:
    """Events of an ``EventStream.save`` file or of a data set, at most ``samples`` recordings.

    Those of a data set are spread evenly over its classes, see :func:`spread`.
    """
    if place.endswith(".npz"):
        stream = EventStream.load(place)
        return stream if samples is None else stream[: min(samples, stream.n_samples)]
    return some_events(find_data(place).load(split), samples)


def some_events(data: Dataset, samples: int | None) -> EventStream:
    """Events of a data set, of at most ``samples`` recordings."""
    return data.stream if samples is None else data.stream[spread(data.labels, samples)]


def spread(labels: NDArray[np.int64], samples: int) -> NDArray[np.int64]:
    """Recordings that stand for all: equally many of every class, spread over each class.

    Parameters
    ----------
    labels
        Class of every recording, [recordings].
    samples
        How many, at least 1. What does not go into equal parts, and what a small class lacks, is
        shared out among the others.

    Returns
    -------
    int64, ascending: the recordings by number; all of them if there are no more than ``samples``.
    """
    rank = np.empty(labels.size, np.int64)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    for mine in members:
        rank[mine] = np.arange(mine.size)
    quotas = np.bincount(labels[np.lexsort((labels, rank))[:samples]])
    parts = []
    for mine in members:
        quota = quotas[labels[mine[0]]] if labels[mine[0]] < quotas.size else 0
        parts.append(mine[((np.arange(quota) + 0.5) * mine.size / max(quota, 1)).astype(np.int64)])
    return np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))


def majority_guess(training: LabelledEvents, test: LabelledEvents) -> float:
    """Accuracy on ``test`` of always naming the commonest class of ``training``."""
    commonest = training.class_names[np.bincount(training.labels).argmax()]
    return float(np.mean(np.array(test.class_names)[test.labels] == commonest))
