"""Whether the recordings of another file were made as those of a run: where they differ, in words.

An import keeps in the notes of its file where times begin, the size of a camera, and the cochlea of
audio. Recordings that were made otherwise give numbers, too, of something that was not learned.
What a file does not say is not compared.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eventsim.arrays import Floats
from eventsim.datasets.audio_events import NOTE as AUDIO
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.entries import parse_json
from eventsim.errors import StorageError

BEGIN = "begin"  # JSON of :meth:`eventsim.events.begin.TimeZero.summary`
SENSOR = "sensor_size"  # width, height and polarities of a camera: 34,34,2
FAR = 100.0  # times as long, or as short: another unit, rather than other recordings
Notes = Mapping[str, str]


def begins_at(notes: Notes, where: str) -> str | None:
    """Time 0 of the recordings in words; None where the notes do not say it."""
    if BEGIN not in notes:
        return None
    found = parse_json(notes[BEGIN], f"{where}, {BEGIN}", StorageError)
    rule = found.get("rule") if isinstance(found, dict) else None
    if rule == "time":
        return f"{found.get('time_ms')} ms of the source"
    return {"zero": "that of the source", "first-event": "the first event"}.get(str(rule))


def made_otherwise(own: Notes, own_name: str, other: Notes, name: str) -> list[str]:
    """Differences in how the recordings of a file and of a run were made; often none.

    ``own`` and ``other`` are the notes of both files, whose names are for people.

    Raises DataError or StorageError (a note is damaged).
    """
    own_name, name = Path(own_name).name, Path(name).name
    found = []
    mine, theirs = begins_at(own, own_name), begins_at(other, name)
    if None not in (mine, theirs) and mine != theirs:
        found.append(
            f"time 0 of {name} is {theirs}, of {own_name} {mine}: unless these are the same, their "
            "times do not compare (data import --begin)"
        )
    if SENSOR in own and SENSOR in other and own[SENSOR] != other[SENSOR]:
        found.append(
            f"{name} is of a sensor of {other[SENSOR]}, {own_name} of {own[SENSOR]}: their "
            "channels are other pixels"
        )
    if AUDIO in own and AUDIO in other:
        ears = [AudioEncoding.of_note(notes[AUDIO], AUDIO) for notes in (own, other)]
        if ears[0] != ears[1]:
            found.append(
                f"{name} was encoded by another cochlea, or at another rate, than {own_name}"
            )
    return found


def lasts_otherwise(own: Floats, own_name: str, other: Floats, what: str) -> list[str]:
    """Words where recordings last :data:`FAR` times as long or short as those of a run; ms."""
    if not (own.size and other.size):
        return []
    mine, its = float(np.median(own)), float(np.median(other))
    if max(mine, its) < FAR * min(mine, its):
        return []
    return [
        f"{what} last {its:,.6g} ms, those of {Path(own_name).name} {mine:,.6g} ms (medians): "
        "is the unit of their times right?"
    ]
