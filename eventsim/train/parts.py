"""Parts of a run (training, validation, test), by the names of their groups.

A group is a speaker, a writer, a session: whatever recordings have in common beside their class.
Where the test part has other groups than the training part (a division **by group**), accuracy is
that of groups that were never heard. The epoch that validation chooses, and every setting that is
chosen by it, must then be chosen on such groups too: validation follows the division.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from eventsim.arrays import Ints
from eventsim.errors import DataError
from eventsim.events import AnyDataset, stratified_split
from eventsim.events.labelled import Texts, grouped_split
from eventsim.events.same import found_among
from eventsim.network.answer import words_of
from eventsim.train.config import TrainConfig
from eventsim.train.draws import Draw, draw_seed

By = Literal["group", "recording"]
NEVER_LEARNED = "tested, but never learned: classes"
TEST_MET = "tested, with the same events as one of training"
VALIDATION_MET = "validated, with the same events as one that is learned"
MOST_NAMED = 12  # groups that a line names; JSON names all
NO_GROUP = "without a group"  # those of the group "", as people read it


def named(groups: Iterable[str]) -> str:
    """Groups in words."""
    return ", ".join(group or NO_GROUP for group in groups)


@dataclass(frozen=True)
class Members:
    """Some recordings."""

    recordings: int  # how many
    # Recordings of every group, by its name; None where the recordings name no groups
    groups: Mapping[str, int] | None

    @classmethod
    def of(cls, groups: Texts | None, index: Any = slice(None), *, n: int = 0) -> "Members":
        """Chosen recordings by their groups; ``n`` is how many there are where there are none."""
        if groups is None:
            return cls(n, None)
        names, counts = np.unique(groups[index], return_counts=True)
        if names.tolist() in ([], [""]):  # a data set without groups
            return cls(int(counts.sum()), None)
        found = zip(names.tolist(), counts.tolist(), strict=True)
        return cls(int(counts.sum()), {str(name): int(count) for name, count in found})

    @classmethod
    def of_data(cls, data: AnyDataset) -> "Members":
        """Members of a whole data set."""
        return cls.of(data.groups, n=len(data))

    def __str__(self) -> str:
        text = f"{self.recordings:,} recordings"
        if not self.groups:
            return text
        each = [f"{name or NO_GROUP} {n:,}" for name, n in list(self.groups.items())[:MOST_NAMED]]
        more = len(self.groups) - len(each)
        each += [f"and {more} more"] if more else []
        count = f"{len(self.groups)} group{'s' if len(self.groups) > 1 else ''}"
        return f"{text} of {count}: {', '.join(each)}"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a run."""

    # Whether the test part is of other groups, or of other recordings alone; None where nobody said
    divided_by: By | None
    validated_by: By | None  # likewise of the validation part; None without one
    # Recordings that are learned, those that choose an epoch, and those that are asked at the end;
    # ``test`` is None before
    training: Members
    validation: Members
    test: Members | None = None
    # How many recordings are learned, each counted once; None where that is all of ``training``
    recorded: int | None = None
    # Classes that are tested, and of which no recording is learned: their recordings cannot be
    # right. Of ``ctc`` words in place of classes. Empty before the test.
    never_learned: tuple[str, ...] = ()
    # Tested recordings with the same events as one of training, validation included, and those of
    # validation with the same events as one that is learned: what they show is no generalisation.
    # None where nobody has looked: before the test, and in runs of earlier versions
    test_met: int | None = None
    validation_met: int | None = None

    @property
    def met(self) -> list[tuple[str, str]]:
        """Repeated recordings: label and number of each kind that occurs; often none."""
        sides = [(VALIDATION_MET, self.validation_met, self.validation)]
        sides += [] if self.test is None else [(TEST_MET, self.test_met, self.test)]
        return [(what, f"{n:,} of {part.recordings:,}") for what, n, part in sides if n]

    @property
    def learned(self) -> str:
        """Text of the training part: number of recordings, groups, repeats."""
        if self.recorded is None:
            return str(self.training)
        return f"{self.training}; {self.recorded:,} without repeats"

    def tested(self, data: AnyDataset, test: AnyDataset, config: TrainConfig) -> "Parts":
        """The parts with that of the test; ``data`` and ``config`` are those of the training."""
        kept, held = validation_split(data, config)
        learned = {data.class_names[k] for k in np.unique(data.labels[kept])}
        asked = [test.class_names[k] for k in np.unique(test.labels)]
        if config.loss.rule == "ctc":  # it answers by words, of which it joins any strings
            learned, asked = {*words_of([*learned])}, words_of(asked)
        missing = tuple(name for name in asked if name not in learned)
        return replace(
            self,
            test=Members.of_data(test),
            never_learned=missing,
            test_met=found_among(test.stream, data.stream).size,
            validation_met=found_among(data.stream, data.stream, of=held, among=kept).size,
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain values that JSON gives back alike."""
        return asdict(self) | {"never_learned": list(self.never_learned)}


def drawn_by(config: TrainConfig, by_group: Callable[[], bool]) -> By:
    """The rule that draws a validation part: that of the settings, or the division of the data.

    By recording where there is none. ``by_group`` tells of the division, and is asked if it counts.
    """
    if config.validation_fraction == 0:
        return "recording"
    if config.validate != "auto":
        return config.validate
    return "group" if by_group() else "recording"


def validated_by(data: AnyDataset, config: TrainConfig) -> By:
    """:func:`drawn_by` of some training data, which may be a part of a division by group."""
    named = data.info is not None and data.split in data.info.grouped
    return drawn_by(config, lambda: named and data.groups is not None)


def validation_split(data: AnyDataset, config: TrainConfig) -> tuple[Ints, Ints]:
    """Numbers of the recordings that training learns, and of those that it holds out.

    Raises DataError (whole groups shall be held out, and there are not two).
    """
    fraction, seed = config.validation_fraction, draw_seed(config, Draw.SPLIT)
    if validated_by(data, config) == "recording":
        return stratified_split(data.labels, fraction=fraction, seed=seed)
    names = [] if data.groups is None else np.unique(data.groups).tolist()
    if len(names) < 2:
        asked = "is 'group'" if config.validate == "group" else "follows the test part, by group"
        there = f"are all of the group {names[0]!r}" if names and names[0] else "name no groups"
        raise DataError(
            "train",
            f"validation {asked}, but the recordings to learn from {there}",
            "two groups or more: one to learn, one to validate",
            "Record more groups, or say what you want: validate='recording' (--validate "
            "recording; validation then hears groups that are learned), or validation_fraction=0 "
            "(--set validation_fraction=0; none).",
        )
    assert data.groups is not None
    return grouped_split(data.groups, fraction=fraction, seed=seed)


def parts_of_run(data: AnyDataset, config: TrainConfig, *, divided_by: By | None = None) -> Parts:
    """The parts of training data; raises as :func:`validation_split`."""
    kept, held = validation_split(data, config)
    return Parts(
        divided_by=divided_by,
        validated_by=validated_by(data, config) if held.size else None,
        training=Members.of(data.groups, kept, n=kept.size),
        validation=Members.of(data.groups, held, n=held.size),
    )
