"""The recordings of a run: a data set or a file of one's own, its division, and how much of it.

A file is divided as its column ``splits`` says. Without one a seeded part of every class is the
test part, or of the groups where the file names groups: those of one group stay together.

By ``held_out`` a division of its own is made: recordings of one group of the data set (speakers,
writers) are the test part, all other ones the training part, whichever part of the data set they
come from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from eventsim import datasets
from eventsim.datasets import fsdd, spoken_digits
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.entries import Count, Natural, Positive, Share, check_types, shown
from eventsim.errors import DataError, ParameterError
from eventsim.events import AnyDataset, Dataset, DatasetInfo, StoredStream, stratified_split
from eventsim.events.labelled import grouped_split, joined, splits_of

Part = Literal["train", "test"]
Encoder = Annotated[Mapping[str, Any], "parameters of CochleaEncoder by name"]
OWN = "file"  # the name of a data set that is a file of one's own


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which recordings are learned, and which are asked.

    Attributes
    ----------
    name
        A key of ``eventsim.datasets.DATASETS``, or ``file`` for recordings of your own.
    file
        File or folder of the data set; None to look in the usual places. Of your own: a file that
        ``eventsim data import`` or :meth:`eventsim.events.Dataset.save` wrote.
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
    round_times
        ms, > 0: every time of an event becomes a multiple of it, as
        :meth:`eventsim.EventStream.round_times` says; None for the times of the recordings. The
        run's own choice: recordings that a command reads for the run are rounded as well.
    in_memory
        False to leave the events on disk, of which a batch at a time is read.
    test_file
        Of your own: another such file, all of which is the test part.
    test_fraction, division_seed
        Of your own, if neither the file nor ``test_file`` says what is tested: the share of the
        recordings that is, in (0, 1), and which they are.
    """

    name: str = OWN
    file: str | None = None
    train_split: str = "train"
    test_split: str = "test"
    held_out: tuple[str, ...] = ()
    train_samples: Count | None = None
    test_samples: Count | None = None
    repeats: Count = 1
    encoder: Encoder = field(default_factory=dict)
    voices: Natural = 0
    round_times: Positive | None = None
    in_memory: bool = True
    test_file: str | None = None
    test_fraction: Share = 0.2
    division_seed: Natural = 0

    def __post_init__(self) -> None:
        check_types(self, where="data")
        for name, good, expected in self._conditions():
            if not good:
                value = shown(getattr(self, name))
                raise ParameterError(f"data: {name} is {value}, expected {expected}.")
        self._encoder()

    def _conditions(self) -> Iterator[tuple[str, bool, str]]:
        """Of a field what must hold, and in words what is expected; each if those before hold."""
        if self.name == OWN:
            yield "file", self.file is not None, "a path, or name a data set"
            yield "test_fraction", self.test_fraction > 0, "0 < x < 1"
        else:
            known = f"{OWN} or one of {', '.join(datasets.DATASETS)}"
            yield "name", self.name in datasets.DATASETS, known
            parts = datasets.DATASETS[self.name].parts
            for key in ("train_split", "test_split"):
                yield key, getattr(self, key) in parts, f"one of {parts}"
            own = (self.test_file, self.test_fraction, self.division_seed)
            expected = f"none of test_file, test_fraction, division_seed for the set {self.name!r}"
            yield "test_file", own == (None, 0.2, 0), expected
        yield "test_split", self.train_split != self.test_split, "another part than train_split"
        of_fsdd = self.name == "fsdd"
        fsdd_only = f"none for the data set {self.name!r}, only for 'fsdd'"
        yield "encoder", of_fsdd or not self.encoder, fsdd_only
        most = len(spoken_digits.ACCENTS) if of_fsdd else 0
        yield "voices", self.voices <= most, f"0 .. {most} for the data set {self.name!r}"
        changed = bool(self.voices or self.encoder or self.repeats > 1 or self.round_times)
        expected = "true with voices, repeats, an encoder or round_times"
        yield "in_memory", self.in_memory or not changed, expected
        yield "in_memory", self.in_memory or not self.held_out, "true where groups are held out"

    @property
    def title(self) -> str:
        """The data set, or the name of the file of your own."""
        return Path(self.file).name if self.name == OWN and self.file else self.name

    @cached_property
    def info(self) -> DatasetInfo:
        """What is known of the recordings; of a file of your own it says how it is divided."""
        if self.name != OWN:
            return datasets.DATASETS[self.name]
        assert self.file is not None
        found = Dataset.open(self.file)
        assert found.info is not None
        if self.held_out:
            said = f"by groups, of which {', '.join(self.held_out)} are held out"
        elif self.test_file is not None:
            said = f"all of {Path(self.test_file).name} is the test part"
        elif splits_of(found.stream) is not None:
            said = f"as the file says: {self.train_split} and {self.test_split}"
        else:
            of = "the recordings, in whole groups," if _has_groups(found) else "every class"
            said = f"{100 * self.test_fraction:g} % of {of} are the test part, drawn by seed "
            said += str(self.division_seed)
        return replace(found.info, splits=said)

    def plain(self) -> dict[str, Any]:
        """The settings that decide what is learned and asked, as plain values."""
        elsewhere = ("held_out",) if self.name == OWN else ("held_out", "file")
        return {k: v for k, v in asdict(self).items() if k not in elsewhere}

    def _encoder(self) -> CochleaEncoder:
        """The encoder of FSDD, with what is asked for."""
        try:
            return replace(fsdd.ENCODER, **self.encoder)
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

    def labelled(
        self, split: str, *, fold: str | None = None, download: bool = False
    ) -> AnyDataset:
        """One part as training takes it.

        Parameters
        ----------
        split
            ``train``, ``test``, or another part of the data set, as its test part.
        fold
            The group that is held out; None for the division of the data set. Another part has
            none.
        download
            Fetch the data set if it is missing and can be fetched.

        Raises
        ------
        DataError
            The data is missing, or has no such part or group.
        """
        if split not in ("train", "test"):
            return replace(self, test_split=split).labelled("test", download=download)
        part: Part = "train" if split == "train" else "test"
        limit = self.train_samples if part == "train" else self.test_samples
        found = self._load(part, download) if fold is None else self._divided(part, fold, download)
        chosen = evenly(len(found), limit)
        found = found if chosen is None else found.subset(chosen)
        if part == "test" or (self.repeats == 1 and not self.voices):
            return self.rounded(found)
        found = found[:]
        voices = self._spoken(found.class_names) if self.voices else []
        return self.rounded(joined(*[found] * self.repeats, *voices))

    def rounded(self, data: AnyDataset) -> AnyDataset:
        """The recordings with times as the run has them; in memory where they are rounded."""
        if self.round_times is None:
            return data
        found = data[:]
        return replace(found, stream=found.stream.round_times(self.round_times))

    def _load(self, part: Part, download: bool) -> AnyDataset:
        """One part of the data set's division."""
        if self.name == OWN:
            found = self._own(part)
            return found[:] if self.in_memory else found
        split = self.train_split if part == "train" else self.test_split
        if self.encoder:
            encoder = self._encoder()
            return fsdd.load(split, root=self.file, encoder=encoder, download=download)
        load = datasets.load if self.in_memory else datasets.stored
        return load(self.name, split=split, root=self.file, download=download)

    def _own(self, part: Part) -> Dataset[StoredStream]:
        """One part of a file of one's own."""
        assert self.file is not None
        whole = Dataset.open(self.file)
        if self.test_file is not None and part == "test":
            found = Dataset.open(self.test_file).relabelled(whole.class_names)
            if found.stream.n_channels != whole.stream.n_channels:
                raise DataError(
                    f"{self.test_file}: has {found.stream.n_channels} channels, expected "
                    f"{whole.stream.n_channels} as in {self.file}."
                )
            return replace(found, split=part)
        if splits_of(whole.stream) is not None:
            return Dataset.open(self.file, split=getattr(self, f"{part}_split"))
        if self.test_file is not None:
            return replace(whole, split=part)
        options: dict[str, Any] = {"fraction": self.test_fraction, "seed": self.division_seed}
        if _has_groups(whole):
            assert whole.groups is not None
            halves = grouped_split(whole.groups, **options)
        else:
            halves = stratified_split(whole.labels, **options)
        return replace(whole.subset(halves[part == "test"]), split=part)

    def _spoken(self, class_names: Sequence[str]) -> list[Dataset]:
        """The classes by the voices of eSpeak NG, as FSDD would have recorded them."""
        recipe = spoken_digits.SpeechRecipe(
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
            found.append(Dataset(data.stream[said], labels[said], class_names))
        return found

    def _divided(self, part: Part, fold: str, download: bool) -> Dataset:
        """All recordings of the group, or of all others."""
        # Groups are held out of recordings in memory alone.
        parts: tuple[Part, ...] = ("train", "test")
        whole = joined(*(self._load(half, download)[:] for half in parts))
        if whole.groups is None or fold not in whole.groups:
            held = [] if whole.groups is None else np.unique(whole.groups).tolist()
            raise DataError(
                f"{self.info.name}: held_out {fold!r} is no group of the recordings. There are: "
                f"{', '.join(held) or 'none'}."
            )
        return whole.subset(np.flatnonzero((whole.groups == fold) == (part == "test")))


def _has_groups(data: AnyDataset) -> bool:
    """Whether the recordings are of two groups or more."""
    return data.groups is not None and np.unique(data.groups).size > 1


def evenly(n: int, limit: int | None) -> NDArray[np.int64] | None:
    """Numbers of ``limit`` of ``n`` samples, evenly apart; None for all.

    Data sets are sorted by class: the first ones would be all of the same.
    """
    if limit is None or limit >= n:
        return None
    chosen: NDArray[np.int64] = np.arange(limit) * n // limit
    return chosen
