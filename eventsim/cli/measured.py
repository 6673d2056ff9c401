"""Recordings that a command measured: which, how many, and how many of them were learned.

A number speaks of new recordings only where none of them is of the training part of the run. The
run's own test part is new by the division of its data, unless the file has recordings twice, which
the run has counted (``Parts.test_met``). Other recordings are compared with the training part by
their events (:mod:`eventsim.events.same`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from eventsim.cli.begin import how_read, words_of
from eventsim.cli.events import find_for, run_of
from eventsim.cli.readers import Events
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import say
from eventsim.errors import DataError, EventSimError
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.events.same import found_among
from eventsim.runs.run import Run

NONE = "none of training"


@dataclass(frozen=True)
class MeasuredPart:
    """Recordings that a command measured; its text says which."""

    part: str  # ``test``, ``train`` or another part of the data; ``all`` where it is not divided
    recordings: int  # how many
    # How many of them are of the training part of the network's run, validation included; None
    # where it cannot be told
    of_training: int | None
    unknown: str = ""  # why it cannot be told; empty where it can
    # Whether it was counted by their events, and not known from the division of the run's data
    compared: bool = False
    # How they were read: what was moved, guessed or dropped, see
    # :func:`eventsim.cli.begin.how_read`
    read: Mapping[str, Any] = field(default_factory=dict)
    # Of how many they were chosen (``--samples``), and how: then an accuracy is of another mixture
    # of classes; None where all were taken
    chosen_of: int | None = None
    by_class: bool = False

    def __str__(self) -> str:
        what = "recordings" if self.part == "all" else f"recordings of the {self.part} part"
        chosen = f" ({self.chosen})" if self.chosen else ""
        told = f"{self.recordings:,} {what}{chosen}, {self.about_training}"
        return "; ".join([told, *words_of(self.read)])

    @property
    def chosen(self) -> str:
        """The choice of recordings in words; empty where all were taken."""
        if self.chosen_of is None:
            return ""
        how = "spread evenly over the classes" if self.by_class else "the first ones"
        return f"{self.recordings:,} of {self.chosen_of:,}, {how}"

    @property
    def about_training(self) -> str:
        """The number of recordings that the network has learned, in words."""
        if self.of_training is None:
            return f"perhaps some of training ({self.unknown})"
        if not self.of_training:
            return "none with the same events as one of training" if self.compared else NONE
        if self.of_training == self.recordings:
            return "all of training, validation included"
        return f"{self.of_training:,} of them of training, validation included"

    @property
    def warning(self) -> str | None:
        """Warning of learned recordings; None without any, or if the training part was named."""
        if not self.of_training or self.part == "train":
            return None
        return (
            f"{self.of_training:,} of the {self.recordings:,} recordings measured are of the "
            "training part of the run, validation included: the numbers say little of new ones. "
            "Leave the data out for the test part of the run, or take out what the file has twice."
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, as plain values that JSON can hold."""
        return asdict(self)


def find_measured(
    net: Path, place: str | None, reading: Reading, *, samples: int | None, some: bool = False
) -> tuple[EventStream, Dataset | None, MeasuredPart]:
    """Recordings named for a network, or of its run: at most ``samples``, in memory.

    Returns their stream, the data set where they have labels, and the measured part. ``some``:
    raise DataError where there are no recordings.
    """
    found = find_for(net, place, reading)
    stream, data = found.some(samples)
    return stream, data, (some_measured if some else say_measured)(net, found, stream)


def some_measured(net: Path, found: Events, stream: EventStream) -> MeasuredPart:
    """As :func:`say_measured`; raises DataError where there is no recording."""
    if stream.n_samples == 0:
        raise DataError(found.name, "has no recordings", "one or more")
    return say_measured(net, found, stream)


def say_measured(net: Path, found: Events, stream: EventStream | StoredStream) -> MeasuredPart:
    """As :func:`measured_by`; its warning is said on stderr."""
    measured = measured_by(net, found, stream)
    if measured.warning is not None:
        say(measured.warning)
    return measured


def measured_by(net: Path, found: Events, stream: EventStream | StoredStream) -> MeasuredPart:
    """The measured part: ``stream``, of the recordings that were found for a network."""
    there, by_class = found.stream.n_samples, found.data is not None
    measured = replace(_measured(net, found, stream), read=how_read(found))
    if stream.n_samples == there:
        return measured
    return replace(measured, chosen_of=there, by_class=by_class)


def _measured(net: Path, found: Events, stream: EventStream | StoredStream) -> MeasuredPart:
    n, run = stream.n_samples, run_of(net)
    if run is None:
        reason = f"{net.name} is a network file outside the folder of its run"
        return MeasuredPart(found.part, n, None, reason)
    if found.own or _divided_alike(run, found):
        return MeasuredPart(found.part, n, n if found.part == "train" else _twice(run, stream))
    try:
        return MeasuredPart(found.part, n, _met(run, stream), compared=True)
    except EventSimError as error:
        return MeasuredPart(found.part, n, None, str(error).rstrip("."))


def _divided_alike(run: Run, found: Events) -> bool:
    """Whether they are a part of the data set of the run, in the division that both have.

    Other parts of a data set may have recordings in common, as those of other tasks have.
    """
    own = run.settings.data
    if own is None or own.is_read_here or own.file is not None or own.train_split != "train":
        return False
    if own.name != found.name:
        return False
    return found.part == "test" or (found.part == "train" and own.train_samples is None)


def _met(run: Run, stream: EventStream | StoredStream) -> int:
    """Number of recordings that are among those of training, by their events."""
    return found_among(stream, run.data("train").stream).size


def _twice(run: Run, stream: EventStream | StoredStream) -> int:
    """Number of recordings of an unlearned part that are in the training part as well."""
    parts = run.parts
    # The run has looked; one of an earlier version has not.
    return 0 if parts is not None and parts.test_met == 0 else _met(run, stream)
