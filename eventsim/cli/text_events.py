"""Unit of times, columns and number of channels of text files that do not name them.

A unit comes from ``--unit``, else from the names of the columns or a remark above them, else from
what the caller assumes; what was assumed is said. A network at hand says the number of channels:
the last ones may be silent in a recording.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eventsim.cli.checks import numbers_of
from eventsim.cli.terminal import say
from eventsim.datasets import text
from eventsim.datasets.addresses import merged_text
from eventsim.datasets.dataset import UNITS, Unit
from eventsim.entries import parse_json, shown
from eventsim.errors import DataError, StorageError
from eventsim.events import EventStream, StoredStream
from eventsim.runs.data import DataSettings
from eventsim.runs.likeness import SENSOR
from eventsim.runs.recordings import OWN

T = TypeVar("T")
Streams = Sequence[EventStream | StoredStream]

# In the notes of a file of recordings, of the text that it was made of:
NOTE = "unit"
GUESSES = "guesses"  # JSON, a list of texts
COLUMNS = "columns"  # as they were typed: t,x,y,p
_GUESSED = re.compile(r"times( of [0-9,]+ files)? read as ")  # as :func:`_assumed` says it


@dataclass(frozen=True)
class Assumed:
    """A unit for files that name none, and why it is this one."""

    unit: Unit
    reason: str


PLAIN = Assumed("ms", "the header names no unit")
CAMERA = Assumed("us", "nothing names a unit, and cameras count microseconds")


@dataclass(frozen=True, eq=False)
class TextEvents:
    """Events of a text file, and the reason for their unit if it was assumed.

    ``columns`` are the columns that the command names for it.
    """

    place: str
    lines: text.Lines
    assumed: Assumed | None
    columns: tuple[str, ...] | None = None

    @property
    def unit(self) -> Unit:
        """Unit of the times."""
        return self.lines.unit


def read_text(
    read: Callable[..., text.Lines],
    place: str,
    *,
    unit: Unit | None,
    n_channels: int | None,
    columns: Sequence[str] | None,
    sensor_size: Sequence[int] | None,
    otherwise: Assumed,
) -> TextEvents:
    """Events of a file by ``read``; ``otherwise`` gives the unit where nothing names one."""
    lines = read(
        place,
        unit=unit,
        n_channels=n_channels,
        columns=columns,
        sensor_size=sensor_size,
        otherwise=otherwise.unit,
    )
    assumed = None if lines.is_stated else otherwise
    return TextEvents(place, lines, assumed, None if columns is None else tuple(columns))


def size_of(typed: str | None) -> tuple[int, ...] | None:
    """The numbers of ``--sensor-size``; ParameterError if they are none."""
    if typed is None:
        return None
    expected = "width, height and polarities such as 34,34,2"
    return numbers_of(f"--sensor-size {typed}", typed.split(","), int, expected)


def say_guesses(files: Sequence[TextEvents], streams: Streams) -> None:
    """Lines on stderr: what was guessed and why, and a warning if the result is absurd."""
    for assumed, number in Counter(one.assumed for one in files if one.assumed).items():
        others = " or ".join(unit for unit in UNITS if unit != assumed.unit)
        say(f"{_assumed(assumed, number)}; --unit {others} if they are not")
    for guess, number in Counter(one.lines.guess for one in files if one.lines.guess).items():
        say(f"{guess}{_of(number)}; --columns says what they are if they are not")
    merged = merged_text(one.lines.merged for one in files)
    for said in [*merged, *_unsorted(files), *_doubted(files, streams)]:
        say(said)


def _doubted(files: Sequence[TextEvents], streams: Streams) -> list[str]:
    """A warning if the recordings are absurd in the unit of their times."""
    doubt = text.doubt([one for one in streams if isinstance(one, EventStream)]) if files else None
    return [] if doubt is None else [f"warning: {doubt[0]}. {_remedy(files, doubt[1])}"]


def guesses(files: Sequence[TextEvents], streams: Streams) -> list[str]:
    """Guesses and doubts about the files, and what was dropped or merged, in words."""
    units = Counter(one.assumed for one in files if one.assumed).items()
    columns = Counter(one.lines.guess for one in files if one.lines.guess).items()
    dropped = Counter(one.lines.dropped for one in files if one.lines.dropped).items()
    return [
        *(_assumed(assumed, number) for assumed, number in units),
        *(f"{guess}{_of(number)}" for guess, number in columns),
        *(f"columns dropped: {', '.join(names)}{_of(number)}" for names, number in dropped),
        *merged_text(one.lines.merged for one in files),
        *_unsorted(files),
        *_doubted(files, streams),
    ]


def _unsorted(files: Sequence[TextEvents]) -> list[str]:
    """A line on events that are not in the order of time."""
    back = [one.lines.steps_back for one in files]
    n_files = sum(bool(steps.size) for steps in back)
    steps = np.concatenate([np.zeros(0), *back])
    if not steps.size:
        return []
    return [
        f"events sorted by time: {steps.size:,} came before the one above them"
        f"{'' if len(files) == 1 else f', in {n_files:,} of {len(files):,} files'}; the largest "
        f"step back is {steps.max():,.6g} ms"
    ]


def _assumed(assumed: Assumed, number: int) -> str:
    of = "" if number == 1 else f" of {number:,} files"
    return f"times{of} read as {assumed.unit}: {assumed.reason}"


def _of(number: int) -> str:
    return "" if number == 1 else f" ({number:,} files)"


def _remedy(files: Sequence[TextEvents], wrong: str) -> str:
    unit, place = files[0].unit, UNITS.index(files[0].unit)
    others = UNITS[:place] if wrong == "short" else UNITS[place + 1 :]
    if others and all(one.assumed for one in files):
        return f"If the times are not in {unit}, read them again with --unit {' or '.join(others)}."
    return f"Are the times really in {unit}? Correct --unit, or the header, if they are not."


def _common(values: Iterable[T]) -> T | None:
    """The value that all have; None if they differ, or if there are none."""
    found = {*values}
    return found.pop() if len(found) == 1 else None


def text_notes(
    files: Sequence[TextEvents], streams: Streams, told: Sequence[str] = ()
) -> dict[str, str]:
    """Notes of a file of recordings on the text files it is made of, and ``told``."""
    told = [*guesses(files, streams), *told]
    unit = _common(one.unit for one in files)
    size, named = _common(one.lines.size for one in files), _common(one.columns for one in files)
    return {
        **({} if unit is None else {NOTE: unit}),
        **({GUESSES: json.dumps(told)} if told else {}),
        **({} if named is None else {COLUMNS: ",".join(named)}),
        **({} if size is None else {SENSOR: ",".join(map(str, size))}),
    }


def guesses_of_notes(notes: Mapping[str, str], where: str) -> list[str]:
    """Guesses that :func:`text_notes` has stored."""
    found = parse_json(notes.get(GUESSES, "[]"), f"{where}, {GUESSES}", StorageError)
    if not isinstance(found, list):
        raise StorageError(f"{where}, {GUESSES}", f"is {shown(notes[GUESSES])}", "a list of texts")
    return [str(one) for one in found]


def notes_of(data: DataSettings | None) -> Mapping[str, str]:
    """Notes of the file of a run's own recordings on how it was made; none of a data set."""
    if data is None or data.name != OWN or not Path(data.file or "").is_file():
        return {}
    return StoredStream.open(data.file or "").notes


def assumed_by(data: DataSettings | None, notes: Mapping[str, str]) -> Assumed:
    """The unit that the text of a run's recordings stated; ms if that is not known, or a guess.

    ``notes`` are those of :func:`notes_of`.
    """
    unit: Any = notes.get(NOTE)
    if data is None or unit not in UNITS:
        return PLAIN
    name = Path(data.file or "").name
    if any(map(_GUESSED.match, guesses_of_notes(notes, name))):  # no evidence for the next guess
        return PLAIN
    return Assumed(unit, f"the header names no unit, and {name} was made of times in {unit}")


def fill_channels(place: str, stream: EventStream, size: int, net: Path) -> EventStream:
    """The recordings in ``size`` channels, those of the input of the network ``net``.

    Raises DataError (an event lies in a channel that the network does not have).
    """
    if stream.n_channels > size:
        raise DataError(
            place,
            f"has events in channel {stream.n_channels - 1}, but the input of {net} has {size} "
            f"neurons, channels 0 to {size - 1}",
            remedy="Number the channels as those of the training, from 0 on, or name another "
            "network.",
        )
    return EventStream(
        stream.times, stream.channels, stream.offsets, n_channels=size, duration=stream.duration
    )
