"""Audio files as events of the streaming cochlea; a note says which one made them.

A network that has learned such events hears files, a microphone and a page in the same way.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eventsim.checks import reported, seen_from
from eventsim.datasets.audio import read_audio
from eventsim.datasets.dataset import read_content
from eventsim.datasets.encoders import CochleaEncoder, cochlea_operations
from eventsim.entries import parse_json
from eventsim.errors import DataError, ParameterError
from eventsim.events import EncoderOperations, EventStream

ENCODER = CochleaEncoder(streaming=True)
NOTE = "audio"  # the key of the note in a file of events
LARGEST_FILE = 1 << 30  # bytes


@dataclass(frozen=True)
class AudioEncoding:
    """Cochlea that encoded the events, and sample rate of the audio, Hz."""

    encoder: CochleaEncoder
    sample_rate: float

    def note(self) -> str:
        """The encoding as text."""
        return json.dumps({"encoder": asdict(self.encoder), "sample_rate": self.sample_rate})

    def operations(self) -> EncoderOperations:
        """Operations of the cochlea for a second of audio and for an event."""
        return cochlea_operations(self.encoder, self.sample_rate)

    @classmethod
    def of_note(cls, text: str, where: str) -> "AudioEncoding":
        """The encoding that :meth:`note` wrote; raises DataError in the name of ``where``."""
        found = parse_json(text, where, DataError)
        failures = (TypeError, KeyError, ValueError, ParameterError)
        with reported(where, "{}", *failures, expected="an encoder of audio", error=DataError):
            return cls(CochleaEncoder(**found["encoder"]), float(found["sample_rate"]))


def changed(encoder: CochleaEncoder, given: Mapping[str, Any], where: str) -> CochleaEncoder:
    """The cochlea with other parameters, by name; ParameterError in the name of ``where``."""
    expected = "parameters of CochleaEncoder by name ({})"
    with (
        seen_from(where, ParameterError, error=ParameterError),
        reported("", f"is {given!r}", TypeError, expected=expected, error=ParameterError),
    ):
        return replace(encoder, **given)


def read(path: str | Path, encoder: CochleaEncoder = ENCODER) -> tuple[EventStream, AudioEncoding]:
    """The events of an audio file as one recording, which lasts as long as the audio.

    ``path``: a wav or NIST SPHERE file, mono, 16-bit PCM. ``encoder``: the cochlea, at the sample
    rate of the file.

    Raises DataError (the file is missing, damaged, or of another form).
    """
    content = read_content(Path(path), expected="an audio file", largest=LARGEST_FILE)
    rate, clip = read_audio(content, str(path))
    stream = EventStream.from_samples(
        [encoder.encode(clip, rate)], n_channels=encoder.n_channels, duration=1e3 * clip.size / rate
    )
    return stream, AudioEncoding(encoder, rate)
