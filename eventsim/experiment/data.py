"""The recordings of an experiment: a data set, its division, and how much of it.

By ``held_out`` a division of its own is made: recordings of one group of the data set (speakers,
writers) are the test part, all other ones the training part, whichever part of the data set they
come from.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eventsim import datasets
from eventsim.datasets import Dataset, StoredDataset
from eventsim.errors import DataError, ParameterError
from eventsim.events import concatenate
from eventsim.train import LabelledEvents, StoredLabelledEvents

Part = Literal["train", "test"]
AnyEvents = LabelledEvents | StoredLabelledEvents


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which recordings are learned, and which are asked.

    Attributes
    ----------
    name
        A key of ``eventsim.datasets.DATASETS``.
    file
        File or folder of the data set; None to look in the usual places.
    train_split, test_split
        Parts of the data set.
    held_out
        Groups, each of which is the test part once; empty for the division of the data set.
    train_samples, test_samples
        At most so many, evenly taken from all; None for all of them.
    in_memory
        False to leave the events on disk, of which a batch at a time is read.
    """

    name: str
    file: str | None = None
    train_split: str = "train"
    test_split: str = "test"
    held_out: tuple[str, ...] = ()
    train_samples: int | None = None
    test_samples: int | None = None
    in_memory: bool = True

    def __post_init__(self) -> None:
        given: Any = self.held_out
        names = isinstance(given, list | tuple) and all(isinstance(name, str) for name in given)
        _require("held_out", given, names, "a list of names")
        object.__setattr__(self, "held_out", tuple(given))
        if self.name not in datasets.DATASETS:
            known = ", ".join(datasets.DATASETS)
            _require("name", self.name, False, f"one of {known}")
        parts = datasets.DATASETS[self.name].parts
        for key in ("train_split", "test_split"):
            _require(key, getattr(self, key), getattr(self, key) in parts, f"one of {parts}")
        twice = self.train_split == self.test_split
        _require("test_split", self.test_split, not twice, "another part than train_split")
        for key in ("train_samples", "test_samples"):
            value = getattr(self, key)
            _require(key, value, value is None or (type(value) is int and value > 0), "at least 1")
        _require("file", self.file, self.file is None or isinstance(self.file, str), "a path")
        _require("in_memory", self.in_memory, isinstance(self.in_memory, bool), "true or false")
        both = bool(self.held_out) and not self.in_memory
        _require("in_memory", self.in_memory, not both, "true where groups are held out")

    @property
    def folds(self) -> tuple[str | None, ...]:
        """The groups that are held out one after the other, or None once."""
        return self.held_out or (None,)

    def labelled(self, part: Part, *, fold: str | None = None, download: bool = False) -> AnyEvents:
        """One part as training takes it.

        Parameters
        ----------
        part
            ``train`` or ``test``.
        fold
            The group that is held out; None for the division of the data set.
        download
            Fetch the data set if it is missing and can be fetched.

        Raises
        ------
        DataError
            The data is missing, or has no such group.
        """
        limit = self.train_samples if part == "train" else self.test_samples
        if fold is not None:
            return _labelled(self._divided(part, fold, download), limit)
        split = self.train_split if part == "train" else self.test_split
        load = datasets.load if self.in_memory else datasets.stored
        return _labelled(load(self.name, split=split, root=self.file, download=download), limit)

    def _divided(self, part: Part, fold: str, download: bool) -> Dataset:
        """All recordings of the group, or of all others."""
        halves = [
            datasets.load(self.name, split=split, root=self.file, download=download)
            for split in (self.train_split, self.test_split)
        ]
        groups = np.concatenate([half.groups for half in halves])
        if fold not in groups:
            raise DataError(
                f"{self.name}: held_out {fold!r} is no group of the recordings. There are: "
                f"{', '.join(np.unique(groups))}."
            )
        whole = Dataset(
            concatenate([half.stream for half in halves]),
            np.concatenate([half.labels for half in halves]),
            halves[0].class_names,
            halves[0].info,
            groups,
        )
        return whole.subset(np.flatnonzero((groups == fold) == (part == "test")))


def _labelled(data: Dataset | StoredDataset, limit: int | None) -> AnyEvents:
    chosen = evenly(len(data), limit)
    data = data if chosen is None else data.subset(chosen)
    kind: Any = LabelledEvents if isinstance(data, Dataset) else StoredLabelledEvents
    found: AnyEvents = kind(*data)
    return found


def evenly(n: int, limit: int | None) -> NDArray[np.int64] | None:
    """Numbers of ``limit`` of ``n`` samples, evenly apart; None for all.

    Data sets are sorted by class: the first ones would be all of the same.
    """
    if limit is None or limit >= n:
        return None
    chosen: NDArray[np.int64] = np.arange(limit) * n // limit
    return chosen


def _require(name: str, value: object, good: bool, expected: str) -> None:
    if not good:
        raise ParameterError(f"data: {name} is {value!r}, expected {expected}.")
