"""The recordings of a run: a data set, its division, and how much of it.

By ``held_out`` a division of its own is made: recordings of one group of the data set (speakers,
writers) are the test part, all other ones the training part, whichever part of the data set they
come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eventsim import datasets
from eventsim.datasets import Dataset, StoredDataset, fsdd, spoken_digits
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.entries import check_types, shown
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
    repeats
        How often an epoch takes every recording of the training part, at least 1: more of what
        was recorded beside what voices add. Once where a validation part is held out of it, which
        would hold copies of what is learned.
    encoder
        Parameters of :class:`eventsim.datasets.encoders.CochleaEncoder` that are not the data
        set's. Of ``fsdd`` only.
    voices
        Accents in which the 75 voices of eSpeak NG say the classes, as recordings through
        microphones of all kinds, in addition to the training part (and so in what training holds
        out of it for validation): 1,500 recordings each. 0 for none. Of ``fsdd`` only; they need
        the extra ``demo``.
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
    repeats: int = 1
    encoder: Mapping[str, Any] = field(default_factory=dict)
    voices: int = 0
    in_memory: bool = True

    def __post_init__(self) -> None:
        by_name = isinstance(self.encoder, Mapping)
        _require("encoder", self.encoder, by_name, "parameters of CochleaEncoder by name")
        check_types(self, where="data")
        object.__setattr__(self, "held_out", tuple(self.held_out))
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
        once = self.repeats
        _require("repeats", once, type(once) is int and once >= 1, "a whole number >= 1")
        if self.encoder:
            expected = f"none for the data set {self.name!r}, only for 'fsdd'"
            _require("encoder", self.encoder, self.name == "fsdd", expected)
            self._encoder()
        _require("in_memory", self.in_memory, isinstance(self.in_memory, bool), "true or false")
        most = len(spoken_digits.ACCENTS) if self.name == "fsdd" else 0
        good = type(self.voices) is int and 0 <= self.voices <= most
        _require("voices", self.voices, good, f"0 .. {most} for the data set {self.name!r}")
        changed = bool(self.voices or self.encoder or self.repeats > 1)
        expected = "true with voices, repeats or an encoder"
        _require("in_memory", self.in_memory, self.in_memory or not changed, expected)
        both = bool(self.held_out) and not self.in_memory
        _require("in_memory", self.in_memory, not both, "true where groups are held out")

    def plain(self) -> dict[str, Any]:
        """The settings that decide what is learned and asked, as plain values."""
        return {k: v for k, v in asdict(self).items() if k not in ("held_out", "file")}

    def _encoder(self) -> CochleaEncoder:
        """The encoder of FSDD, with what is asked for."""
        try:
            encoder = replace(fsdd.ENCODER, **self.encoder)
            check_types(encoder)
            return encoder
        except ParameterError as error:
            raise ParameterError(f"data: encoder: {error}") from error
        except TypeError as error:
            raise ParameterError(
                f"data: encoder is {self.encoder!r}, expected parameters of CochleaEncoder by "
                f"name ({error})."
            ) from error

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
        found = self._recorded(part, fold, download)
        if part == "test" or (self.repeats == 1 and not self.voices):
            return found
        assert isinstance(found, LabelledEvents)
        voices = self._spoken(found.class_names) if self.voices else []
        return _joined(*[found] * self.repeats, *voices)

    def _recorded(self, part: Part, fold: str | None, download: bool) -> AnyEvents:
        """One part without voices."""
        limit = self.train_samples if part == "train" else self.test_samples
        if fold is not None:
            return _labelled(self._divided(part, fold, download), limit)
        split = self.train_split if part == "train" else self.test_split
        return _labelled(self._load(split, download), limit)

    def _load(self, split: str, download: bool) -> Dataset | StoredDataset:
        if self.encoder:
            encoder = self._encoder()
            return fsdd.load(split, root=self.file, encoder=encoder, download=download)
        load = datasets.load if self.in_memory else datasets.stored
        return load(self.name, split=split, root=self.file, download=download)

    def _spoken(self, class_names: Sequence[str]) -> list[LabelledEvents]:
        """The classes by the voices of eSpeak NG, as FSDD would have recorded them."""
        recipe = spoken_digits.Recipe(
            accents=self.voices,
            encoder=self._encoder(),
            sample_rate=8000,
            equaliser=6.0,
            noise=0.01,
        )
        found, number = [], {name: k for k, name in enumerate(class_names)}
        for split in spoken_digits.SPLITS:
            data = spoken_digits.load(split, recipe=recipe)
            labels = np.array([number.get(name, -1) for name in data.class_names])[data.labels]
            said = np.flatnonzero(labels >= 0)
            found.append(LabelledEvents(data.stream[said], labels[said], class_names))
        return found

    def _divided(self, part: Part, fold: str, download: bool) -> Dataset:
        """All recordings of the group, or of all others."""
        halves = []
        for split in (self.train_split, self.test_split):
            half = self._load(split, download)
            assert isinstance(half, Dataset)  # Groups are held out of recordings in memory alone.
            halves.append(half)
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


def _joined(*parts: LabelledEvents) -> LabelledEvents:
    """Recordings one behind the other."""
    stream = concatenate([part.stream for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return LabelledEvents(stream, labels, parts[0].class_names)


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
        raise ParameterError(f"data: {name} is {shown(value)}, expected {expected}.")
