"""Made: how recordings were made of their source, and what of that was guessed.

``eventsim data import`` writes it as notes into the file of the recordings. Recordings that are
read for a run later are made in the same way, or the difference is told.

===============  ===========================================================================
note             what it says
===============  ===========================================================================
``unit``         unit of the times in text or arrays
``columns``      their columns, where they were named: t,x,y,p
``sensor_size``  width, height and polarities of a camera: 34,34,2
``begin``        JSON of :meth:`eventsim.events.begin.TimeZero.summary`: time 0, and why
``audio``        JSON: the cochlea of audio, and its sample rate
``guessed``      which of these the source does not state: unit,columns
``guesses``      JSON, a list of texts: what was guessed, dropped, merged or left out
===============  ===========================================================================
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.checks import reported
from eventsim.datasets.addresses import Size, checked_size
from eventsim.datasets.audio_events import NOTE as AUDIO
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.dataset import UNITS, Assumed, Unit
from eventsim.entries import parse_json, shown
from eventsim.errors import StorageError
from eventsim.events.begin import Begin, TimeZero

FAR = 100.0  # times as long, or as short: another unit, rather than other recordings
_GUESSED = re.compile(r"times( of [0-9,]+ files)? read as ")  # of files without the note


@dataclass(frozen=True, kw_only=True)
class Made:
    """How recordings were made of their source; None where nothing says it.

    Attributes
    ----------
    unit, columns, sensor
        Of text and arrays: unit of the times; columns, where they were named; size of the camera.
    begin, reason
        Time 0 of the recordings, as :mod:`eventsim.events.begin` says, and why, in words.
    audio
        Encoding of audio.
    guessed
        Names of the fields that the source does not state.
    remarks
        What was guessed, dropped, merged or left out, in words.
    others
        All other notes of their file.
    """

    unit: Unit | None = None
    columns: tuple[str, ...] | None = None
    sensor: Size | None = None
    begin: Begin | None = None
    reason: str = ""
    audio: AudioEncoding | None = None
    guessed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_notes(cls, notes: Mapping[str, str], where: str) -> "Made":
        """What the notes of a file say; raises StorageError or DataError for a damaged one."""
        left = dict(notes)
        unit: Any = left.pop("unit") if left.get("unit") in UNITS else None
        columns, size, audio, guessed = map(left.pop, _TEXTS, [""] * len(_TEXTS))
        begin, reason = _begin_of(left.pop("begin", "null"), f"{where}, begin")
        remarks = _remarks_of(left.pop("guesses", "[]"), f"{where}, guesses")
        if not guessed and any(map(_GUESSED.match, remarks)):
            guessed = "unit"
        return cls(
            unit=unit,
            columns=tuple(columns.split(",")) if columns else None,
            sensor=_size_of(size, f"{where}, sensor_size") if size else None,
            begin=begin,
            reason=reason,
            audio=AudioEncoding.of_note(audio, f"{where}, {AUDIO}") if audio else None,
            guessed=tuple(guessed.split(",")) if guessed else (),
            remarks=remarks,
            others=left,
        )

    def notes(self, begun: TimeZero | None = None) -> dict[str, str]:
        """The notes of a file with such recordings, whose times begin as ``begun`` says."""
        found = {
            "unit": self.unit,
            "columns": self.columns and ",".join(self.columns),
            "sensor_size": self.sensor and ",".join(map(str, self.sensor)),
            "begin": begun and json.dumps(begun.summary()),
            AUDIO: self.audio and self.audio.note(),
            "guessed": ",".join(self.guessed),
            "guesses": self.remarks and json.dumps(self.remarks),
        }
        return {**self.others, **{name: text for name, text in found.items() if text}}

    def assumed(self, name: str) -> Assumed | None:
        """The unit for text that names none, as these, of file ``name``, have it; a guess is none.

        A guess must not become the reason of the next one.
        """
        if self.unit is None or "unit" in self.guessed:
            return None
        reason = f"the header names no unit, and {name} was made of times in {self.unit}"
        return Assumed(self.unit, reason)

    def differences(self, name: str, other: "Made", its: str) -> list[str]:
        """Words on how recordings of a file ``its`` were made otherwise than these of ``name``.

        They give numbers, too, of something that was not learned. What one of both does not say is
        not compared.
        """
        name, its = Path(name).name, Path(its).name
        found = []
        if None not in (self.begin, other.begin) and self.begin != other.begin:
            found.append(
                f"time 0 of {its} is {_named(other.begin)}, of {name} {_named(self.begin)}: unless "
                "these are the same, their times do not compare (data import --begin)"
            )
        if self.sensor and other.sensor and self.sensor != other.sensor:
            mine, theirs = (",".join(map(str, one)) for one in (self.sensor, other.sensor))
            found.append(
                f"{its} is of a sensor of {theirs}, {name} of {mine}: their channels are other "
                "pixels"
            )
        if self.audio and other.audio and self.audio != other.audio:
            found.append(f"{its} was encoded by another cochlea, or at another rate, than {name}")
        return found


_TEXTS = ("columns", "sensor_size", AUDIO, "guessed")  # notes that may be missing


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


def _named(begin: Begin | None) -> str:
    """Time 0 of recordings in words."""
    if begin == "first-event":
        return "the first event"
    return "that of the source" if begin == "zero" else f"{begin} ms of the source"


def _begin_of(note: str, where: str) -> tuple[Begin | None, str]:
    """Time 0 of recordings and the reason, of the note that :meth:`Made.notes` writes."""
    found = parse_json(note, where, StorageError)
    if found is None:
        return None, ""
    expected = "a table with rule, time_ms and reason"
    with reported(
        where,
        f"is {shown(note)}",
        KeyError,
        TypeError,
        ValueError,
        expected=expected,
        error=StorageError,
    ):
        rule, reason = found["rule"], str(found["reason"])
        return (float(found["time_ms"]) if rule == "time" else _RULES[rule]), reason


_RULES: Mapping[str, Begin] = {"zero": "zero", "first-event": "first-event"}


def _remarks_of(note: str, where: str) -> tuple[str, ...]:
    found = parse_json(note, where, StorageError)
    if not isinstance(found, list):
        raise StorageError(where, f"is {shown(note)}", "a list of texts")
    return tuple(map(str, found))


def _size_of(note: str, where: str) -> Size:
    expected = "width, height and polarities such as 34,34,2"
    with reported(where, f"is {shown(note)}", ValueError, expected=expected, error=StorageError):
        return checked_size(tuple(map(int, note.split(","))))
