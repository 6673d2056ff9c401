"""What a command measured: which recordings, how many, and how many of them were learned.

A number says of a network what it can do with recordings that it has not met only where none of
them is of the training part of its run. For those of the run's own test part this follows from the
division of its data; others are compared with the training part by their events, counted from the
first one, since an import may have moved or rounded the same recording in another way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.cli.begin import how_read, words_of
from eventsim.cli.events import find_for, run_of
from eventsim.cli.readers import Events
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import say
from eventsim.errors import EventSimError
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.runs.run import Run

SAME_MS = 1.5e-3  # a difference of times that were rounded to a microsecond moves by less
NONE = "none of training"
MARKS = 64  # of a recording's times are compared


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

    def __str__(self) -> str:
        what = "recordings" if self.part == "all" else f"recordings of the {self.part} part"
        said = [f"{self.recordings:,} {what}, {self.about_training}", *words_of(self.read)]
        return "; ".join(said)

    @property
    def about_training(self) -> str:
        """How many of them the network has learned, in words."""
        if self.of_training is None:
            return f"perhaps some of training ({self.unknown})"
        if not self.of_training:
            return "none with the same events as one of training" if self.compared else NONE
        if self.of_training == self.recordings:
            return "all of training, validation included"
        return f"{self.of_training:,} of them of training, validation included"

    @property
    def warning(self) -> str | None:
        """What a person must know first; None where none was learned, or all were asked for."""
        if not self.of_training or self.part == "train":
            return None
        return (
            f"{self.of_training:,} of the {self.recordings:,} recordings measured are of the "
            "training part of the run, validation included: the numbers say little of new ones. "
            "Leave the data out for the test part of the run."
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, as plain values that JSON can hold."""
        return asdict(self)


def find_measured(
    net: Path, place: str | None, reading: Reading, *, samples: int | None
) -> tuple[EventStream, Dataset | None, MeasuredPart]:
    """What was named for a network, or is of its run: at most ``samples``, in memory.

    The recordings, they with their labels where they have some, and what is measured so.
    """
    found = find_for(net, place, reading)
    stream, data = found.some(samples)
    return stream, data, say_measured(net, found, stream)


def say_measured(net: Path, found: Events, stream: EventStream | StoredStream) -> MeasuredPart:
    """As :func:`measured_by`; its warning is said on stderr."""
    measured = measured_by(net, found, stream)
    if measured.warning is not None:
        say(measured.warning)
    return measured


def measured_by(net: Path, found: Events, stream: EventStream | StoredStream) -> MeasuredPart:
    """What is measured of a network: ``stream``, of the recordings that were found for it."""
    return replace(_measured(net, found, stream), read=how_read(found))


def _measured(net: Path, found: Events, stream: EventStream | StoredStream) -> MeasuredPart:
    n, run = stream.n_samples, run_of(net)
    if run is None:
        reason = f"{net.name} is a network file outside the folder of its run"
        return MeasuredPart(found.part, n, None, reason)
    if found.own or _divided_alike(run, found):
        return MeasuredPart(found.part, n, n if found.part == "train" else 0)
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
    """How many of the recordings are among those of training, by their events."""
    learned = run.data("train").stream
    found: dict[bytes, list[tuple[int, Floats]]] = {}
    for index, times, channels in _as_long(stream, learned):
        found.setdefault(_counts(channels), []).append((index, _marks(times, channels)))
    asked = {
        counts: (np.array([index for index, _ in same]), np.stack([marks for _, marks in same]))
        for counts, same in found.items()
    }
    met: set[int] = set()
    for _, times, channels in _as_long(learned, stream):
        if (same := asked.get(_counts(channels))) is not None:
            which, marks = same
            off = np.abs(marks - _marks(times, channels)).max(axis=1)
            met.update(which[off < SAME_MS].tolist())
    return len(met)


def _as_long(
    stream: EventStream | StoredStream, others: EventStream | StoredStream
) -> Iterator[tuple[int, Floats, NDArray[np.int32]]]:
    """Recordings that have as many events as one of the others, with their index; no empty ones."""
    lengths, known = np.diff(stream.offsets), np.diff(others.offsets)
    for index in np.flatnonzero(np.isin(lengths, known[known > 0])):
        yield int(index), *stream.sample(int(index))


def _counts(channels: NDArray[np.int32]) -> bytes:
    """How many events every channel has; no shift or rounding of times changes it."""
    return np.trim_zeros(np.bincount(channels), "b").tobytes()


def _marks(times: Floats, channels: NDArray[np.int32]) -> Floats:
    """Times from the first event on, channel by channel; of a long recording :data:`MARKS`.

    Rounding by r moves each of them by at most 2 r, since a channel's times stay in their order.
    """
    order = np.argsort(channels, kind="stable")
    at = np.linspace(0, order.size - 1, min(order.size, MARKS)).astype(np.int64)
    marks: Floats = times[order[at]] - times[0]
    return marks
