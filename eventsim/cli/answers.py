"""Results of ``eventsim predict``, of classes and of values: rows, notes and CSV."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eventsim.cli.begin import how_read, words_of
from eventsim.cli.readers import Events
from eventsim.cli.terminal import show_table, stdout
from eventsim.events import EventStream, StoredStream, concatenate

NO_EVENTS = "has no events"


def one_stream(found: Mapping[str, Events]) -> EventStream | StoredStream:
    """The recordings of all files, one behind the other."""
    streams = [part.stream for part in found.values()]
    # A file alone may be larger than memory.
    return streams[0] if len(streams) == 1 else concatenate([one[:] for one in streams])


def recordings_of(found: Mapping[str, Events]) -> Iterator[dict[str, Any]]:
    """A row per recording of :func:`one_stream`: its file, key, events, and how it was read."""
    for file, part in found.items():
        read = words_of(how_read(part))
        read += [] if part.part == "all" else [f"{file}: only the {part.part} part (--split)"]
        keys = part.keys
        for sample, n_events in enumerate(np.diff(part.stream.offsets).tolist()):
            key = None if keys is None else str(keys[sample]) or None
            yield {"file": file, "sample": sample, "key": key, "events": n_events, "read": read}


def noted(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rows, also those of files that could not be read, with a note where one is needed."""
    answered = [
        {**row, **row.get("values", {}), "note": "" if row["events"] else NO_EVENTS}
        for row in found["answers"]
    ]
    damaged = [{"file": one["file"], "note": one["reason"]} for one in found["damaged"]]
    return [*answered, *damaged]


def write_csv(columns: Sequence[str], found: Mapping[str, Any]) -> None:
    """The rows as CSV on stdout."""
    writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(noted(found))


def show_answers(
    title: str, headings: Mapping[str, str], found: Mapping[str, Any], *, form: str, numbers: int
) -> None:
    """The rows as a table; headings by key, ``form`` of a number, ``numbers`` of the table."""
    damaged = len(found["damaged"])
    files = "file" if damaged == 1 else "files"
    lost = f"; {damaged:,} {files} left out, missing or damaged" if damaged else ""
    cells = [[_cell(row.get(name), form) for name in headings] for row in noted(found)]
    title = f"{title}: {found['samples']:,} recordings{lost}"
    show_table(title, list(headings.values()), cells, numbers=numbers)
    for words in dict.fromkeys(words for row in found["answers"] for words in row["read"]):
        stdout().print(f"events: {words}", markup=False, soft_wrap=True)


def _cell(value: object, form: str) -> str:
    if value is None:
        return ""
    return format(value, form) if isinstance(value, float) else str(value)
