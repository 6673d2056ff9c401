"""A page that runs a network: the engine is WebAssembly, the rest is data."""

import base64
import json
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim
from eventsim.arrays import to_host
from eventsim.embedded.web import WebNetwork, web_network
from eventsim.errors import ParameterError
from eventsim.events import AudioTables, Dataset, EventStream
from eventsim.events.storage import write_atomically
from eventsim.network import Network
from eventsim.report import html

FILE = "index.html"
SPEEDS = {"1": "real time", "4": "4 times faster", "0.25": "4 times slower", "0": "at once"}
UNITS = {"1": "ms", "0.001": "us", "1000": "s"}
COLOURS = ("input", "first", "second", "third", "fourth")  # of populations, in web.css
UNKNOWN = (
    "it is not known which cochlea made the events that the network has learned. See the guide on "
    "a network as a page"
)


@dataclass(frozen=True, kw_only=True)
class WebExport:
    """The page that was written.

    Attributes
    ----------
    file
        The page, which needs no other file.
    size
        Its bytes.
    engine, network_bytes
        Bytes of engine and network, before they are encoded as text.
    recordings, events
        Numbers of those that can be chosen in the page.
    audio
        Whether the page hears audio, from files and a microphone; else ``no_audio`` says why not.
    """

    file: Path
    size: int
    engine: int
    network_bytes: int
    recordings: int
    events: int
    audio: bool
    no_audio: str | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "file": str(self.file)}


def export_web(
    net: Network,
    folder: str | Path,
    *,
    recordings: EventStream | Dataset[EventStream],
    title: str = "network",
    bits: int | None = None,
    audio: AudioTables | str = UNKNOWN,
) -> WebExport:
    """Write a page that runs a network in a browser, with the spikes of backend cpu to the bit.

    The page is one file, ``index.html``, that loads nothing. The engine in it is the text of
    :func:`export_c`, compiled as WebAssembly when eventsim was built.

    Parameters
    ----------
    net
        A network that answers (:meth:`Network.set_answer`); not changed.
    folder
        Is made if it is missing; a page in it is replaced.
    recordings
        All of them can be chosen in the page, with the names of their classes if they have
        labels. A queue has space for twice the largest number of arrivals that waited in it, and
        for 64 more.
    title
        Heading of the page.
    bits
        Number of bits to which the weights are rounded first, as in :func:`export_c`.
    audio
        The streaming cochlea whose events the network has learned, as
        :meth:`eventsim.datasets.CochleaEncoder.tables`: then the page takes audio. Otherwise the
        reason why it does not, in words that follow "no audio, since".

    Raises
    ------
    NetworkError
        The network has a part that the C text does not support, which the message names; or it
        has no answer.
    ParameterError
        There is no recording, a number of bits is below 1, or the cochlea has other channels.
    BackendError
        eventsim was built without a compiler for WebAssembly; the text says what to do.
    ShapeError, RunawayError
        As :func:`eventsim.simulate`.
    """
    stream = recordings.stream if isinstance(recordings, Dataset) else recordings
    if not stream.n_samples:
        raise ParameterError("export_web", "there are no recordings", "one or more")
    if isinstance(audio, AudioTables) and audio.n_channels != net.input.size:
        raise ParameterError(
            "export_web",
            f"the cochlea has {audio.n_channels} channels",
            f"{net.input.size}, as many as the input of the network",
        )
    found = web_network(net, stream, bits=bits)
    labels: list[str | None] = [None] * stream.n_samples
    if isinstance(recordings, Dataset):
        labels = [recordings.class_names[int(k)] for k in recordings.labels]
    page = _page(found, stream, labels, title, audio)
    path = Path(folder) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page)
    return WebExport(
        file=path,
        size=len(page.encode()),
        engine=len(found.engine),
        network_bytes=len(found.image),
        recordings=stream.n_samples,
        events=stream.n_events,
        audio=isinstance(audio, AudioTables),
        no_audio=audio if isinstance(audio, str) else None,
    )


def _page(
    found: WebNetwork,
    stream: EventStream,
    labels: list[str | None],
    title: str,
    audio: AudioTables | str,
) -> str:
    data = {
        "engine": _text(np.frombuffer(found.engine, np.uint8)),
        "image": _text(np.frombuffer(found.image, np.uint8)),
        "place": found.place,
        "classes": found.class_names,
        "populations": [{"name": name, "size": size} for name, size in found.populations.items()],
        "tail": found.tail,
        "audio": _audio(audio),
        "recordings": [
            _recording(stream, k, labels[k], int(found.answers[k])) for k in range(stream.n_samples)
        ],
    }
    kept = json.dumps(data).replace("<", "\\u003c")
    sizes = ", ".join(f"{name} {size:,}" for name, size in found.populations.items())
    body = "\n".join(
        [
            html.header(
                title,
                "A spiking network that runs in this page, event by event in exact time "
                f"({sizes}). Nothing is sent anywhere.",
            ),
            "<noscript><section><p>This page needs JavaScript.</p></section></noscript>",
            '<p id="error" role="alert"></p>',
            f'<div id="live" hidden>{_choice(labels, audio)}{_seen(found)}'
            f"{_facts(found, audio)}</div>",
            f'<script type="application/json" id="data">{kept}</script>',
        ]
    )
    return html.document(
        title,
        body,
        footer=f"eventsim {eventsim.__version__}",
        script=_file("web.js"),
        style=_file("web.css"),
        kind="network",
    )


def _audio(audio: AudioTables | str) -> dict[str, Any]:
    if isinstance(audio, str):
        return {"reason": audio}
    coefficients = {f"{rate:g}": _text(one) for rate, one in audio.coefficients.items()}
    return {"rate": audio.sample_rate, "coefficients": coefficients}


def _recording(stream: EventStream, k: int, label: str | None, answer: int) -> dict[str, Any]:
    low, high = (int(n) for n in stream.offsets[k : k + 2])
    times, channels = (to_host(values[low:high]) for values in (stream.times, stream.channels))
    found = {
        "times": _text(np.asarray(times, "<f8")),
        "channels": _text(np.asarray(channels, "<u4")),
        "duration": float(stream.duration[k]),
        "answer": answer,
    }
    return found if label is None else found | {"label": label}


def _choice(labels: list[str | None], audio: AudioTables | str) -> str:
    hears = isinstance(audio, AudioTables)
    names = [label or f"recording {k + 1}" for k, label in enumerate(labels)]
    buttons = "".join(
        f'<button type="button" aria-pressed="false">{escape(name)}</button>' for name in names
    )
    return (
        "<section><h2>Choose a recording</h2>"
        f'<div id="recordings" role="group" aria-label="Recordings">{buttons}</div>'
        '<div class="controls"><label for="speed">Speed</label>'
        f'<select id="speed">{_options(SPEEDS)}</select>'
        '<button type="button" id="stop" disabled>Stop</button>'
        + ('<button type="button" id="microphone">Microphone</button>' if hears else "")
        + '</div><p id="heard" role="status"></p>'
        f'<div class="controls"><label for="file">or drop a file {"of audio, or " if hears else ""}'
        "of events, lines of <code>time,channel</code>, in</label>"
        f'<select id="unit" aria-label="unit of its times">{_options(UNITS)}</select>'
        f'<input type="file" id="file" accept=".csv,.txt{",.wav,audio/*" if hears else ""}"></div>'
        "</section>"
    )


def _options(values: dict[str, str]) -> str:
    return "".join(f'<option value="{value}">{text}</option>' for value, text in values.items())


def _seen(found: WebNetwork) -> str:
    legend = "".join(
        f'<li><span style="background:var(--{COLOURS[min(k, len(COLOURS) - 1)]})"></span>'
        f"{escape(name)}</li>"
        for k, name in enumerate(found.populations)
    )
    classes = "".join(
        f'<li><span class="name" title="{escape(name)}">{escape(name)}</span>'
        '<span class="track"><span class="bar"></span></span>'
        '<span class="share">&ndash;</span></li>'
        for name in found.class_names
    )
    return (
        f'<section class="seen"><div><h2>Spikes</h2><ul class="legend">{legend}</ul>'
        '<canvas id="raster" role="img" aria-label="Spikes over time: choose a recording"></canvas>'
        '<div id="clock"></div></div>'
        '<div><h2>Answer so far</h2><div id="answer">&ndash;</div>'
        f'<ul id="classes">{classes}</ul></div><p id="told" role="status"></p></section>'
    )


def _facts(found: WebNetwork, audio: AudioTables | str) -> str:
    return html.details(
        "What runs here",
        html.paragraph(
            "The spikes are, to the bit, those of eventsim's backend cpu in single precision on "
            f"the same events. The engine has {len(found.engine):,} bytes of WebAssembly, the "
            f"network {len(found.image):,} bytes."
        ),
        html.paragraph(
            "A bar is the softmax of the class's score if the recording ended now"
            + (f", with {found.tail:g} ms of silence behind it" if found.tail else "")
            + ". Spikes are drawn when their time has come. A file of events ends with the last."
        ),
        html.paragraph(
            f"Not in this page: audio, since {audio}."
            if isinstance(audio, str)
            else "Audio becomes events by the cochlea that made those which the network has "
            f"learned, of audio at {audio.sample_rate:g} Hz. Microphones are brought to this rate "
            "by the browser; WAV files are heard at their own rate, where it is a common one."
        ),
    )


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _file(name: str) -> str:
    return (files("eventsim.report") / name).read_text("utf-8")
