"""Time 0 of recordings, as commands ask for it and print it.

The rule is that of :mod:`eventsim.events.begin`. Commands ask for it with files that are imported,
and with text, which every command reads; files of eventsim keep the time 0 of their import. For
files that are read for a run, the run's own recordings decide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.cli.readers import Events, made_of
from eventsim.cli.terminal import say, stdout
from eventsim.events import EventStream, StoredStream
from eventsim.events.begin import Edges, TimeZero, edges, spread, summary


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
    begin, reason = one.made.begin, one.made.reason
    if one.begun is not None or begin is None:
        return one
    return replace(one, begun=TimeZero(begin, reason, one.zero, edges(one.stream)))


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


def shown(begin: Mapping[str, Any]) -> str:
    """Time 0 of recordings, in words."""
    if begin["rule"] == "zero":
        return "time 0 is that of the file"
    if begin["rule"] == "time":
        return f"time 0 is {begin['time_ms']:,.15g} ms of the file"
    said = "time 0 is the first event of each recording"
    if begin["moved_by_ms"] is not None:
        said += f"; {begin['moved']:,} of {begin['recordings']:,} moved by "
        said += shown_spread(begin["moved_by_ms"])
    if begin["without_events"]:
        said += f"; {begin['without_events']:,} without events stay"
    return said


def shown_spread(values: Mapping[str, float] | None) -> str:
    """Smallest, largest and median of times, in words."""
    if values is None:
        return "none"
    low, median, high = (_time(values[name]) for name in ("smallest", "median", "largest"))
    return f"{low} ms" if low == high else f"{low} to {high} ms, median {median} ms"


def _time(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"


def begin_summary(part: Events) -> dict[str, Any] | None:
    """Summary of time 0, of now or when the recordings' file was made; None if unknown.

    How many recordings were moved, and by how much, is None where that is unknown.
    """
    if part.begun is not None:
        return part.begun.summary()
    made, stream, zero = part.made, part.stream, part.begins  # of this part, not of the whole file
    if made.begin is None:
        return None
    lengths = stream.lengths if isinstance(stream, StoredStream) else np.diff(stream.offsets)
    empty = int((lengths == 0).sum())
    return summary(made.begin, made.reason, zero, recordings=stream.n_samples, empty=empty)


def how_read(part: Events) -> dict[str, Any]:
    """Unit, guesses and time 0 of recordings, as read now or when their file was made."""
    made = made_of([part], part.told)
    return {"unit": made.unit, "guesses": list(made.remarks), "begin": begin_summary(part)}


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
