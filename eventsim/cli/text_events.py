"""What a text file does not say of itself: the unit of its times, and how many channels there are.

A unit comes from ``--unit``, else from the names of the columns, else from what the caller assumes;
what was assumed is said. A network at hand says the number of channels: the last ones may be silent
in a recording.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventsim.cli.terminal import say
from eventsim.datasets import text
from eventsim.datasets.dataset import UNITS, Unit
from eventsim.errors import DataError
from eventsim.events import EventStream, StoredStream
from eventsim.runs.data import OWN, DataSettings

NOTE = "unit"  # in the notes of a file of recordings: of the text that it was made of


@dataclass(frozen=True)
class Assumed:
    """A unit for files that name none, and why it is this one."""

    unit: Unit
    reason: str


PLAIN = Assumed("ms", "the header names no unit")


@dataclass(frozen=True, eq=False)
class TextEvents:
    """Recordings of a text file, the unit of its times, and whether that was assumed."""

    place: str
    stream: EventStream
    unit: Unit
    assumed: Assumed | None


def read_text(
    place: str, *, unit: Unit | None, n_channels: int | None, otherwise: Assumed
) -> TextEvents:
    """The recordings of a text file; ``otherwise`` holds where neither unit nor header says one."""
    stated = unit or text.unit_of(place)
    found = stated or otherwise.unit
    stream = text.load(place, unit=found, n_channels=n_channels)
    return TextEvents(place, stream, found, None if stated else otherwise)


def say_units(files: Sequence[TextEvents]) -> None:
    """Lines on stderr: which unit was assumed and why, and a warning if the result is absurd."""
    for assumed, number in Counter(one.assumed for one in files if one.assumed).items():
        others = " or ".join(unit for unit in UNITS if unit != assumed.unit)
        of = "" if number == 1 else f" of {number:,} files"
        say(f"times{of} read as {assumed.unit}: {assumed.reason}; --unit {others} if they are not")
    doubt = text.doubt([one.stream for one in files])
    if doubt is not None:
        what, wrong = doubt
        say(f"warning: {what}. {_remedy(files, wrong)}")


def _remedy(files: Sequence[TextEvents], wrong: str) -> str:
    unit, place = files[0].unit, UNITS.index(files[0].unit)
    others = UNITS[:place] if wrong == "short" else UNITS[place + 1 :]
    if others and all(one.assumed for one in files):
        return f"If the times are not in {unit}, read them again with --unit {' or '.join(others)}."
    return f"Are the times really in {unit}? Correct --unit, or the header, if they are not."


def common_unit(files: Sequence[TextEvents]) -> Unit | None:
    """The unit of all files; None if they differ, or if there are none."""
    units = {one.unit for one in files}
    return units.pop() if len(units) == 1 else None


def unit_notes(files: Sequence[TextEvents]) -> dict[str, str]:
    """What the notes of a file of recordings keep of the files it is made of."""
    unit = common_unit(files)
    return {} if unit is None else {NOTE: unit}


def assumed_by(data: DataSettings | None) -> Assumed:
    """The unit of the text that the recordings of a run were made of; ms if that is not known."""
    if data is None or data.name != OWN or not Path(data.file or "").is_file():
        return PLAIN
    notes: Any = StoredStream.open(data.file or "").notes
    unit = notes.get(NOTE)
    if unit not in UNITS:
        return PLAIN
    name = Path(data.file or "").name
    return Assumed(unit, f"the header names no unit, and {name} was made of times in {unit}")


def fill_channels(found: TextEvents, size: int, net: Path) -> EventStream:
    """The recordings in ``size`` channels, those of the input of the network ``net``.

    Raises
    ------
    DataError
        An event lies in a channel that the network does not have.
    """
    stream = found.stream
    if stream.n_channels > size:
        raise DataError(
            f"{found.place}: has events in channel {stream.n_channels - 1}, but the input of {net} "
            f"has {size} neurons, channels 0 to {size - 1}. Number the channels as those of the "
            "training, from 0 on, or name another network."
        )
    return EventStream(
        stream.times,
        stream.channels,
        stream.offsets,
        n_channels=size,
        duration=stream.duration,
    )
