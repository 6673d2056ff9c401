"""Time 0 of recordings, as commands ask for it, print it and store it.

The rule is that of :mod:`eventsim.events.begin`. Commands ask for it with files that are imported,
and with text, which every command reads; files of eventsim keep the time 0 of their import. For
files that are read for a run, the run's own recordings decide.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.cli.readers import Events
from eventsim.cli.terminal import say, stdout
from eventsim.cli.text_events import NOTE as UNIT_NOTE
from eventsim.cli.text_events import guesses_of_notes, text_notes
from eventsim.entries import parse_json
from eventsim.entries import shown as shown_value
from eventsim.errors import StorageError
from eventsim.events import EventStream, StoredStream
from eventsim.events.begin import Edges, TimeZero, edges, spread
from eventsim.runs.data import DataSettings
from eventsim.runs.likeness import BEGIN


def automatic(found: Sequence[Events]) -> list[Events]:
    """Recordings of which nobody said where they begin: at their first event if that is a clock.

    Those that are begun already stay as they are and are not asked.
    """
    found = [_settled(one) for one in found]
    open_ones = [one for one in found if one.begun is None]
    each = [edges(one.stream) for one in open_ones]
    whole = _joined(each)
    silence = whole.vote
    told = f"{int((silence > 1).sum()):,} of {silence.size:,} recordings are silent for longer than"
    if whole.are_clock:
        reason = f"the times are a clock: {told} their events last"
        moved = iter([one.at("first-event", reason) for one in open_ones])
    else:
        reason = f"no clock: {told} their events last"
        kept = zip(open_ones, each, strict=True)
        moved = iter(
            [
                replace(one, begun=TimeZero("zero", reason, np.zeros(its.first.size), its))
                for one, its in kept
            ]
        )
    return [next(moved) if one.begun is None else one for one in found]


def _settled(one: Events) -> Events:
    """The same; what an earlier import has put to where it begins is begun already."""
    kept = begin_of_notes(one.notes, one.name) if one.begun is None else None
    if kept is None:
        return one
    begin = kept["time_ms"] if kept["rule"] == "time" else kept["rule"]
    return replace(one, begun=TimeZero(begin, kept["reason"], one.zero, edges(one.stream)))


def _joined(each: Sequence[Edges]) -> Edges:
    none = np.zeros(0)
    return Edges(
        np.concatenate([none, *(one.first for one in each)]),
        np.concatenate([none, *(one.last for one in each)]),
    )


def together(found: Sequence[Events], stream: EventStream, zero: Floats) -> TimeZero:
    """Time 0 of the recordings of several files, which are those of ``stream``.

    ``zero`` is time 0 of each of them on the clock of its source, ms.
    """
    # Files that were moved say more than those that were not.
    first = max((one.begun for one in found if one.begun), key=lambda begun: begun.is_moved)
    return TimeZero(first.begin, first.reason, zero, edges(stream))


def say_begun(found: Sequence[Events]) -> None:
    """A line on stderr: where times were moved, or begin late and were not."""
    # What always begins at its first event says so with its own details.
    each = [one.begun for one in found if one.begun is not None and not one.details]
    if not each:
        return
    first = max(each, key=lambda one: one.is_moved)
    zero = np.concatenate([one.zero for one in each])
    begun = TimeZero(first.begin, first.reason, zero, _joined([one.edges for one in each]))
    asked = begun.reason == "--begin"
    if begun.is_moved:
        keep = "" if asked else "; --begin zero keeps the times"
        say(f"times: {shown(begun.summary())} ({begun.reason}){keep}")
    elif begun.edges.are_late:
        to_do = "" if asked else " If that is a clock: --begin first-event."
        say(
            f"warning: the recordings begin late and were not moved ({begun.reason}): first event "
            f"at {shown_spread(spread(begun.edges.first))}.{to_do}"
        )


def shown(summary: Mapping[str, Any]) -> str:
    """Time 0 of recordings, in words."""
    if summary["rule"] == "zero":
        return "time 0 is that of the file"
    if summary["rule"] == "time":
        return f"time 0 is {summary['time_ms']:,.15g} ms of the file"
    said = "time 0 is the first event of each recording"
    if summary["moved_by_ms"] is not None:
        said += f"; {summary['moved']:,} of {summary['recordings']:,} moved by "
        said += shown_spread(summary["moved_by_ms"])
    if summary["without_events"]:
        said += f"; {summary['without_events']:,} without events stay"
    return said


def shown_spread(values: Mapping[str, float] | None) -> str:
    """Smallest, largest and median of times, in words."""
    if values is None:
        return "none"
    low, median, high = (_time(values[name]) for name in ("smallest", "median", "largest"))
    return f"{low} ms" if low == high else f"{low} to {high} ms, median {median} ms"


def _time(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"


def begin_note(begun: TimeZero | None) -> dict[str, str]:
    """The entry on time 0 in the notes of a file of recordings; empty for None."""
    return {} if begun is None else {BEGIN: json.dumps(begun.summary())}


def begin_of_notes(notes: Mapping[str, str], where: str) -> dict[str, Any] | None:
    """The summary that :func:`begin_note` has stored; None where the notes have none."""
    if BEGIN not in notes:
        return None
    found = parse_json(notes[BEGIN], f"{where}, {BEGIN}", StorageError)
    needed = {"rule", "time_ms", "reason", "recordings", "moved", "without_events", "moved_by_ms"}
    if not isinstance(found, dict) or not needed <= set(found):
        keys = f"a table with {', '.join(sorted(needed))}"
        raise StorageError(f"{where}, {BEGIN}", f"is {shown_value(notes[BEGIN])}", keys)
    return found


def begin_summary(part: Events) -> dict[str, Any] | None:
    """Summary of time 0, of now or when the recordings' file was made; None if unknown.

    How many recordings were moved, and by how much, is None where that is unknown.
    """
    if part.begun is not None:
        return part.begun.summary()
    kept = begin_of_notes(part.notes, part.name)
    if kept is None:
        return None
    stream, zero = part.stream, part.begins  # of this part, not of the whole file
    lengths = stream.lengths if isinstance(stream, StoredStream) else np.diff(stream.offsets)
    return kept | {
        "recordings": stream.n_samples,
        "moved": None if zero is None else int((zero != 0).sum()),
        "without_events": int((lengths == 0).sum()),
        "moved_by_ms": None if zero is None else spread(zero[zero != 0]),
    }


def how_read(part: Events) -> dict[str, Any]:
    """Unit, guesses and time 0 of recordings, as read now or when their file was made."""
    texts = [] if part.text is None else [part.text]
    notes = {**part.notes, **text_notes(texts, [part.stream], part.told)}
    return {
        "unit": notes.get(UNIT_NOTE),
        "guesses": guesses_of_notes(notes, part.name),
        "begin": begin_summary(part),
    }


def words_of(read: Mapping[str, Any]) -> list[str]:
    """:func:`how_read` in words: what was moved, guessed or dropped."""
    begin = read.get("begin")
    moved = begin is not None and begin["rule"] != "zero"
    said = [f"{shown(begin)} ({begin['reason']})"] if begin is not None and moved else []
    return [*said, *read.get("guesses", [])]


def show_read(read: Mapping[str, Any]) -> None:
    """The same as lines on stdout, below the numbers that they are about."""
    for words in words_of(read):
        stdout().print(f"events: {words}", markup=False, soft_wrap=True)


def show_begins_late(part: Mapping[str, Any]) -> None:
    """A line on stdout where the recordings of ``data info`` begin late."""
    if not part["begins_late"]:
        return
    begin, first = part["begin"], _time(part["first_event_ms"]["median"])
    said = f"events: the recordings begin late: first event, median {first} ms"
    if begin is not None and begin["rule"] == "zero":  # else it is told with what was done
        said += f"; {shown(begin)} ({begin['reason']})"
    stdout().print(said, markup=False, soft_wrap=True)


def is_moved(place: str) -> bool:
    """Whether the import of a file of events, .npz, has put its times to where they begin."""
    found = begin_of_notes(EventStream.read_notes(place), place)
    return found is not None and found["rule"] != "zero"


def begin_of_run(data: DataSettings | None, notes: Mapping[str, str]) -> tuple[str | None, str]:
    """The value of ``--begin`` for files that are read for a run, and its reason.

    ``notes`` are those of the run's own recordings, :func:`eventsim.cli.text_events.notes_of`.
    """
    path = Path("" if data is None else data.file or "")
    found = begin_of_notes(notes, str(path))
    if found is None:
        return None, "--begin"
    begin = repr(found["time_ms"]) if found["rule"] == "time" else found["rule"]
    return begin, f"as those of {path.name}"
