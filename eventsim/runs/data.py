"""The recordings of a run: a data set or a file of one's own, its division, and how much of it.

A file is divided as its column ``splits`` says. Without this column the test part is drawn by a
seed: from every class, or, if the file names groups, in whole groups. ``divide`` chooses one of
both, also for a data set in place of its own division.

With ``test_group`` the recordings of these groups (speakers, writers) are the test part, and all
others the training part, whichever part of the data set they come from. ``held_out`` and ``folds``
make several such divisions, one after the other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eventsim import datasets
from eventsim.arrays import Ints
from eventsim.datasets import fsdd, spoken_digits
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.made import Made, lasts_otherwise
from eventsim.datasets.sources import Source
from eventsim.entries.described import described
from eventsim.errors import DataError, ParameterError
from eventsim.events import (
    AnyDataset,
    Dataset,
    DatasetInfo,
    EncoderOperations,
    StoredStream,
    stratified_split,
)
from eventsim.events.labelled import grouped_folds, grouped_split, joined
from eventsim.runs import division
from eventsim.runs.recordings import DIVIDED_ANEW, ENCODERS, OWN, AbstractDataSettings
from eventsim.train.parts import Members, named

Part = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
@described
class DataSettings(AbstractDataSettings):
    """Settings of the recordings: the training part and the test part."""

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Whether they have classes or values, as :mod:`eventsim.matrix` calls it."""
        kind = "values" if self.targets else "classes"
        return {kind: f"the recordings have {kind}"}

    @property
    def is_read_here(self) -> bool:
        """Whether :attr:`info` says more than the list of data sets: how they are divided."""
        return self.name == OWN or self.divide != "auto" or bool(self.test_group)

    @cached_property
    def info(self) -> DatasetInfo:
        """Description of the recordings, with their division."""
        said = division.groups_said(self.test_group, self.held_out, self.folds)
        anew = said is not None or self.divide != "auto"
        if self.name != OWN and (self.test_group or not self.is_read_here):
            info = datasets.DATASETS[self.name]
        else:
            found = self._undivided()
            known = datasets.DATASETS.get(self.name, found.info)
            assert known is not None
            info, said = known, said or self._division_of(found)
        said = said or info.splits
        if anew and self.name != OWN:
            taken = (self.train_split, self.test_split)
            said += division.parts_left_out(datasets.DATASETS[self.name].parts, taken)
        return replace(info, splits=said)

    def _division_of(self, found: AnyDataset) -> str:
        """Division in words, of recordings that are divided here or by a file of one's own."""
        if self.test_file is not None:
            name = Path(self.test_file).name
            own = str(self.file)
            mine, its = (StoredStream.open(str(one)) for one in (self.file, self.test_file))
            of_mine = Made.of_notes(mine.notes, own)
            otherwise = of_mine.differences(own, Made.of_notes(its.notes, name), name)
            otherwise += lasts_otherwise(mine.duration, own, its.duration, "they")
            return "; ".join([f"all of {name} is the test part", *otherwise])
        if self.divide == "auto" and division.has_parts(found):
            return division.file_said(found, (self.train_split, self.test_split))
        whole = self._by_group(found)
        of = "the recordings, in whole groups," if whole else "every class"
        of = "the recordings" if self.targets and not whole else of
        said = f"{100 * self.test_fraction:g} % of {of} are the test part, drawn by seed "
        said += str(self.division_seed)
        if not whole:
            return said
        tested = self._halves(found)[1]
        return f"{said}: {Members.of(found.groups, tested)} are tested"

    @cached_property
    def turns(self) -> tuple["DataSettings", ...]:
        """The divisions that are made one after the other, each with groups of its own to test.

        Itself alone where there is one.

        Raises
        ------
        DataError
            There are fewer groups than folds.
        """
        plain = replace(self, held_out=(), folds=None)
        if self.folds is None:
            return tuple(replace(plain, test_group=(one,)) for one in self.held_out) or (plain,)
        whole = self._undivided()
        names = np.unique([] if whole.groups is None else whole.groups)
        n = names.size if self.folds == "each" else self.folds
        if names.size < 2 or n > names.size:
            raise DataError(
                self.title,
                f"folds is {self.folds!r}, but its recordings are of {names.size} groups",
                f"{max(2, n)} or more, since every fold tests other groups",
                "Give every recording its group (a column 'group' of the labels of eventsim data "
                "import), or ask for fewer folds; 'each' is one fold of every group.",
            )
        assert whole.groups is not None
        shared = grouped_folds(whole.groups, n, seed=self.division_seed)
        plain = replace(plain, divide="group")
        return tuple(replace(plain, test_group=one) for one in shared)

    @cached_property
    def by_group(self) -> bool:
        """Whether no group of the test part is learned: the recordings are divided by group."""
        if self.test_group or self.held_out or self.folds is not None:
            return True
        if self.divide != "auto":
            return self.divide == "group"
        if self.name == OWN:
            whole = self._undivided()
            if self.test_file is not None:
                return division.disjoint(whole, self._open(self.test_file))
            if not division.has_parts(whole):
                return self._by_group(whole)
            assert self.file is not None
            sides = (self.train_split, self.test_split)
            return division.disjoint(*(self._open(self.file, one) for one in sides))
        return {self.train_split, self.test_split} <= {*datasets.DATASETS[self.name].grouped}

    @cached_property
    def made(self) -> Made:
        """How the recordings were made, as far as it is known.

        Raises DataError or StorageError where the file of one's own cannot be read.
        """
        if self.name in ENCODERS and (self.name == "fsdd" or self.file is None):
            rate = float(datasets.SAMPLE_RATES[self.name])
            return Made(audio=AudioEncoding(self._encoder(), rate))
        if self.name != OWN or self.file is None or not Path(self.file).is_file():
            return Made()
        return Made.of_notes(StoredStream.open(self.file).notes, self.file)

    @property
    def audio(self) -> AudioEncoding | None:
        """Encoding of audio events; None where no encoder made them, or it is not known."""
        return self.made.audio

    def encoder_operations(self) -> EncoderOperations | None:
        """Operations that make these events from audio; None where no audio is known.

        Raises as :attr:`audio`.
        """
        if self.name == OWN:
            return None if self.audio is None else self.audio.operations()
        own = self._encoder() if self.encoder else None
        return datasets.encoder_operations(self.name, own)

    def labelled(self, split: str, *, download: bool = False) -> AnyDataset:
        """Recordings of a part as training takes them.

        Parameters
        ----------
        split
            ``train``, ``test``, or another part of the data set, as its test part.
        download
            Fetch the data set if it is missing and can be fetched.

        Returns
        -------
        Recordings whose ``info`` says whether they are a part of a division by group.

        Raises
        ------
        DataError
            The data is missing, or has no such part or group.
        """
        if split not in ("train", "test"):
            self._refuse_part(split)
            other = replace(self, test_split=split, test_group=())
            return other.labelled("test", download=download)
        part: Part = "train" if split == "train" else "test"
        found = self._recorded(part, download)
        if part == "test" or not self.learns_more:
            return self.rounded(found)
        found = found[:]
        more = joined(*[found] * self.repeats)
        return self.rounded(replace(more, split=found.split))

    @property
    def learns_more(self) -> bool:
        """Whether the training part has copies of recordings."""
        return self.repeats > 1

    def recorded(self, index: Ints) -> int:
        """Recordings behind some numbers of the training part: each once."""
        if not self.learns_more:
            return index.size
        n = len(self._recorded("train"))
        return np.unique(index % n).size

    def _recorded(self, part: Part, download: bool = False) -> AnyDataset:
        """Recordings of a part, without repeats."""
        limit = self.train_samples if part == "train" else self.test_samples
        found = self._divided(part, download) if self.test_group else self._load(part, download)
        chosen = division.limited(found.labels, limit)
        found = found if chosen is None else found.subset(chosen)
        # It says what it is, and whether it was divided by group.
        name = found.split or part
        info = found.info or datasets.DATASETS.get(self.name)
        if info is not None:
            info = replace(info, grouped=(name,) if self.by_group else ())
        return replace(found, split=name, info=info)

    def rounded(self, data: AnyDataset) -> AnyDataset:
        """The recordings with times as the run has them; in memory where they are rounded."""
        if self.round_times is None:
            return data
        found = data[:]
        return replace(found, stream=found.stream.round_times(self.round_times))

    def source(self, split: str, *, download: bool = False) -> Source:
        """One part of the data set's own division, before its events are read; not of a file.

        Raises
        ------
        DataError
            The data is missing, or is not divided.
        """
        if self.encoder and self.name == "spoken_digits":
            recipe = spoken_digits.SpeechRecipe(encoder=self._encoder())
            return spoken_digits.source(split, root=self.file, recipe=recipe)
        if self.encoder:
            encoder = self._encoder()
            return fsdd.source(split, root=self.file, encoder=encoder, download=download)
        return datasets.source(self.name, split=split, root=self.file, download=download)

    def _load(self, part: Part, download: bool) -> AnyDataset:
        """Recordings of a part."""
        if self.name == OWN or self.divide != "auto":
            found = self._own(part, download)
            return found[:] if self.in_memory else found
        return self._split(self.train_split if part == "train" else self.test_split, download)

    def _split(self, split: str, download: bool) -> AnyDataset:
        """Recordings of a part of the data set's own division."""
        source = self.source(split, download=download)
        return source.load() if self.in_memory else source.stored()

    def _undivided(self, download: bool = False) -> AnyDataset:
        """All recordings that are divided here."""
        if self.name == OWN:
            assert self.file is not None
            return self._open(self.file)
        if not self.in_memory:
            raise ParameterError("data", "in_memory is False", DIVIDED_ANEW)
        parts = (self._split(one, download)[:] for one in (self.train_split, self.test_split))
        return joined(*parts)

    def _open(self, path: str, split: str | None = None) -> Dataset[StoredStream]:
        """A file of one's own, with classes or targets."""
        return Dataset.open(path, split=split, targets=self.targets)

    def _own(self, part: Part, download: bool) -> AnyDataset:
        """Recordings of a part that is divided here, or by a file of one's own."""
        whole = self._undivided(download)
        if self.test_file is not None and part == "test":
            found = self._open(self.test_file).relabelled(whole.class_names)
            if found.stream.n_channels != whole.stream.n_channels:
                raise DataError(
                    self.test_file,
                    f"has {found.stream.n_channels} channels",
                    f"{whole.stream.n_channels} as in {self.file}",
                )
            if found.targets is not None and whole.targets is not None:
                targets = found.targets.ordered(whole.targets.names, self.test_file)
                found = replace(found, targets=targets)
            return replace(found, split=part)
        if self.divide == "auto" and division.has_parts(whole):
            assert self.file is not None
            self._refuse_drawing()
            return self._open(self.file, getattr(self, f"{part}_split"))
        if self.test_file is not None:
            return replace(whole, split=part)
        return replace(whole.subset(self._halves(whole)[part == "test"]), split=part)

    def _halves(self, whole: AnyDataset) -> tuple[Ints, Ints]:
        """Numbers of the recordings that are learned and tested, where that is drawn."""
        options: dict[str, Any] = {"fraction": self.test_fraction, "seed": self.division_seed}
        if self._by_group(whole):
            assert whole.groups is not None
            return grouped_split(whole.groups, **options)
        return stratified_split(whole.labels, **options)

    def _refuse_part(self, split: str) -> None:
        """Raise DataError if recordings that are divided here shall have another part."""
        drawn = self.divide != "auto" or self.test_file is not None
        if drawn or (self.name == OWN and not division.has_parts(self._undivided())):
            raise DataError(
                self.title,
                f"has no part {split!r}: eventsim divides it into train and test",
                remedy="Name one of them.",
            )

    def _refuse_drawing(self) -> None:
        """Raise ParameterError if settings say how to draw a test part that a file has."""
        for key, default in (("test_fraction", 0.2), ("division_seed", 0)):
            given = getattr(self, key)
            if given != default:
                raise ParameterError(
                    "data",
                    f"{key} is {given}",
                    f"{default}, since {self.title} says what is tested",
                    "Say how to divide it anew, by divide 'group' or 'recording'.",
                )

    def _by_group(self, whole: AnyDataset) -> bool:
        """Whether whole groups are tested; DataError where groups are asked for and not there."""
        there = division.has_groups(whole)
        if self.divide == "group" and not there:
            raise DataError(
                self.title,
                "divide is 'group'",
                "recordings of two groups or more",
                "Give every recording its group (a column 'group' of the labels of eventsim data "
                "import), or divide by 'recording'.",
            )
        return there and self.divide != "recording"

    def _divided(self, part: Part, download: bool) -> AnyDataset:
        """All recordings of the groups that are tested, or of all others."""
        parts: tuple[Part, ...] = ("train", "test")
        if self.divide == "group" or self.name == OWN:
            whole = self._undivided(download)
        else:  # in the order of runs of earlier versions
            whole = joined(*(self._load(half, download)[:] for half in parts))
        held = [] if whole.groups is None else np.unique(whole.groups).tolist()
        for group in self.test_group:
            if group not in held:
                raise DataError(
                    self.title,
                    f"test_group {group!r} is no group of the recordings",
                    remedy=f"There are: {named(held) or 'none'}.",
                )
        if set(held) <= {*self.test_group}:
            raise DataError(
                self.title,
                f"{named(held)} are all groups of the recordings, and all are tested",
                remedy="Leave one or more to learn from.",
            )
        assert whole.groups is not None
        tested = np.isin(whole.groups, self.test_group)
        found = whole.subset(np.flatnonzero(tested == (part == "test")))
        return found[:] if self.in_memory else found
