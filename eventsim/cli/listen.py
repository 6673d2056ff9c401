"""``eventsim listen``."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from eventsim.cli.checks import left_out, numbers_of, one_alone
from eventsim.cli.events import audio_of, check_exact, find_for, find_network, folder_of, run_of
from eventsim.cli.fields import Table, fields_of
from eventsim.cli.options import (
    JsonOption,
    Machine,
    RunArgument,
    SamplesOption,
    WhichOption,
    option,
    option_name,
)
from eventsim.cli.readers import size_of
from eventsim.cli.reading import MeasuredReading, Reading
from eventsim.cli.terminal import say, say_backend, show_table, stdout
from eventsim.datasets import DATASETS
from eventsim.datasets.addresses import checked_size
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.dataset import PLAIN, Unit
from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.live import Decided, Listener, ListenSettings, Size, WireForm, open_source, replay
from eventsim.live.packets import Packet, Source
from eventsim.live.record import Recorder
from eventsim.live.sources import Format
from eventsim.live.text import checked_unit
from eventsim.network import Network

SETTINGS = (
    "step", "recordings", "end_channel", "gap", "every", "memory", "margin", "rest", "patience",
    "duplicates", "most", "backward", "forward",
)  # fmt: skip
SHOWN = ("median_ms", "p99_ms", "longest_ms")  # of a latency
NOTHING = "-"  # in place of a class


@dataclass(frozen=True, kw_only=True)
class ListenOptions:
    """Options of ``eventsim listen``: format and speed of the source, and the output."""

    form: Format | None = option(
        None,
        "Format. Of - and pipes: csv (the default: lines time,channel or time,x,y,polarity), "
        "evt2, evt21 or evt3. Of UDP: t64 (the default) or t32 of faery, or spif of SPIF and "
        "AEStream.",
        "--format",
    )
    speed: str = option(
        "1",
        "Speed of a replayed file: 1 for real time, 10 for ten times faster; max for no waiting.",
    )
    again: bool = option(False, "At the end of a named pipe, wait for the next writer.", "--again")
    seconds: float | None = option(None, "Stop after this time.", "--for", metavar="SECONDS")
    which: WhichOption = "last"
    samples: SamplesOption = None
    every_step: bool = option(
        False, "Print a line for every chunk, not only for a new answer.", "--all"
    )
    record: Path | None = option(None, "Record the events to this .h5 file.", metavar="FILE")
    view: bool = option(False, "A live view of all classes in place of lines.", "--view")


def listen_command(
    run: RunArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="- (standard input), a named pipe, udp:PORT, microphone or camera. To replay: "
            "a data set or a file of events.",
        ),
    ],
    *,
    asked: ListenOptions,
    reading: MeasuredReading,
    machine: Machine,
    as_json: JsonOption = False,
    settings: Annotated[
        Table, fields_of(ListenSettings, *SETTINGS, panel="Events and answers (times in ms)")
    ],
) -> None:
    """Run a trained network on live events, and print its answers as they come.

    A line has time, answer, and lead in probability; a dash means no answer. With --json every line
    is an object. Where nothing says where recordings end, the stream has no end and answers are
    sliding. At the end, also after Ctrl-C, it prints counters of what was late, unordered,
    duplicate, lost or unreadable, the latency from arrival to answer, and the load.

    [bold]Examples[/bold]

    sensor | eventsim listen runs/demo - --margin 0.3

    eventsim listen runs/demo udp:3333 --format spif --sensor-size 34,34,2

    eventsim listen runs/demo fsdd --speed max --json

    eventsim listen runs/demo microphone --gap 300 --view

    eventsim listen runs/demo /tmp/events --recordings --record heard.h5
    """
    backend = machine.ready()
    check_exact(folder_of(run), "listen")
    net = find_network(run, which=asked.which)
    runs_on = say_backend(backend)
    one_alone(asked.view and as_json, "--view", "--json")
    listening = ListenSettings(**settings)
    opened = _opened(run, source, net, asked, reading)
    if opened.labels is not None:
        listening = replace(listening, recordings=True)
        if listening.is_divided and any(opened.labels):
            say("Labels are not compared: recordings end elsewhere than in the file.")
    heard = Listener(net, _for(opened.source, asked.seconds), listening, backend=runs_on.name)
    told = _Told(heard, opened, asked, as_json=as_json)
    with ExitStack() as stack:
        recorder = None
        if asked.record is not None:
            recorder = stack.enter_context(Recorder(asked.record, net.input.size))
        show = stack.enter_context(_View(heard)) if asked.view else told.line
        try:
            for step in heard:
                if recorder is not None:
                    recorder.take(step.piece)
                if step.decided is not None:
                    told.count(step.decided)
                    show(step.decided)
        except KeyboardInterrupt:
            say("Stopped listening.")
    told.summary()


@dataclass(frozen=True, eq=False)
class _Opened:
    """A source; of recordings that are replayed, what is known of them."""

    source: Source
    title: str
    labels: Any = None  # names of the right classes; empty texts where they are unknown


def _opened(run: Path, place: str, net: Network, asked: ListenOptions, reading: Reading) -> _Opened:
    if place in DATASETS or Path(place).is_file():
        found = find_for(run, place, reading).fewer(asked.samples)
        stream: EventStream = found.stream[:]
        labels = np.full(stream.n_samples, "")
        if found.data is not None:
            labels = np.array(found.data.class_names)[found.data.labels]
        return _Opened(replay(stream, speed=_speed(asked.speed)), place, labels)
    for name in ("sensor", "columns", "begin", "split"):
        given = getattr(reading, name) is not None
        left_out(given, option_name(name), "is only for a file that is replayed")
    typed = size_of(reading.sensor_size)
    size = None if typed is None else Size(*checked_size(typed))
    audio = _cochlea_of(run) if place.partition(":")[0] == "microphone" else None
    unit = None if reading.unit is None else checked_unit(reading.unit)
    otherwise = _otherwise(run, place, asked, unit)
    form = WireForm(asked.form, unit, size, asked.again, audio, otherwise)
    return _Opened(open_source(place, n_channels=net.input.size, form=form), place)


def _otherwise(net: Path, place: str, asked: ListenOptions, unit: Unit | None) -> Unit:
    """The unit of text that names none; says so where text may come."""
    known = run_of(net)
    data = None if known is None else known.settings.data
    assumed = (None if data is None else data.made.assumed(data.title)) or PLAIN
    if unit is None and asked.form in (None, "csv") and not _is_device(place):
        say(
            f"times are read as {assumed.unit} unless a first line of names or a remark says "
            f"another unit ({assumed.reason}); --unit says what they are"
        )
    return assumed.unit


def _is_device(place: str) -> bool:
    """Whether what comes is no text."""
    return place.partition(":")[0] in ("udp", "camera", "microphone")


def _cochlea_of(net: Path) -> AudioEncoding | None:
    """The cochlea that a network has learned; prints where the microphone's is another."""
    found = audio_of(net)
    if found is None:
        say(
            "It is not known which cochlea the network has learned: the microphone has that of "
            "FSDD."
        )
        return None
    data, audio = found
    if not audio.encoder.streaming:
        say(
            f"The network has learned events of {data.title}, whose cochlea hears whole "
            "recordings: those of the microphone are others. Train it with --encoder "
            "streaming=true."
        )
    return audio


def _speed(typed: str) -> float:
    expected = "a number > 0, or max"
    (speed,) = numbers_of(f"--speed {typed}", ["inf" if typed == "max" else typed], float, expected)
    if not speed > 0.0:
        raise ParameterError(f"--speed {typed}", "", expected)
    return speed


def _for(source: Source, seconds: float | None) -> Iterator[Packet]:
    """A source that ends after some time; what had arrived by then and was not taken is counted."""
    ends = math.inf if seconds is None else time.monotonic() + seconds
    none = np.zeros(0, np.int64)
    packets = iter(source)
    for packet in packets:
        yield packet
        if time.monotonic() >= ends:
            break
    for packet in packets:
        if packet.arrived >= ends:
            return
        waited = ("events, that waited when the time was up", packet.times.size)
        lost = (*packet.lost, *[waited] * (packet.times.size > 0))
        yield Packet(none, none, arrived=packet.arrived, rubbish=packet.rubbish, lost=lost)


class _Told:
    """Output of ``eventsim listen``: a line per answer, and a summary."""

    def __init__(
        self, heard: Listener, opened: _Opened, asked: ListenOptions, *, as_json: bool
    ) -> None:
        self.heard, self.opened, self.asked, self.as_json = heard, opened, asked, as_json
        self.last: object = object()  # none is like it
        self.right = self.of = 0

    def _label(self, decided: Decided) -> str:
        labels, restarts = self.opened.labels, self.heard.counters.restarts
        # What a setting or a restart has ended is no recording of the file.
        if labels is None or self.heard.settings.is_divided or decided.why != "told":
            return ""
        return str(labels[decided.recording - restarts])

    def count(self, decided: Decided) -> None:
        """Whether the answer to a recording with a label is right."""
        if label := self._label(decided):
            self.of += 1
            self.right += label == decided.answer

    def line(self, decided: Decided) -> None:
        """A line on stdout, where there is news."""
        sliding = decided.why is None
        if sliding and not self.asked.every_step and decided.answer == self.last:
            return
        self.last = decided.answer
        label = self._label(decided)
        if self.as_json:
            typer.echo(json.dumps({**decided.to_dict(), "label": label or None}))
            return
        lead = "" if decided.margin is None else f"  {decided.margin:.2f} ahead"
        right = f"  (is {label})" if label else ""
        cut = "  (cut: its end was not told)" if decided.why in ("restart", "over") else ""
        number = "" if sliding else f"  recording {decided.recording:,}"
        typer.echo(
            f"{decided.time:12,.1f} ms{number}  {decided.answer or NOTHING}{lead}{right}{cut}"
        )

    def summary(self) -> None:
        """Counters, latency and load: a last object, or tables."""
        found = {"source": self.opened.title, **self.heard.summary()}
        found["accuracy"] = self.right / self.of if self.of else None
        found["labelled"] = self.of
        if self.as_json:
            typer.echo(json.dumps({"summary": found}))
            return
        _show_summary(found)


def _show_summary(found: dict[str, Any]) -> None:
    counters = dict(found["counters"])
    example, lost = counters.pop("example"), counters.pop("lost")
    rows = [[name.replace("_", " "), f"{n:,.6g}"] for name, n in counters.items()]
    rows += [[f"lost: {what}", f"{n:,}"] for what, n in lost.items()]
    show_table(f"{found['source']}: what came", ["what", "number"], rows)
    if example:
        stdout().print(f"rubbish was such as {example!r}", markup=False)
    rows = [
        [what, f"{one['number']:,}", *(f"{one[name]:,.2f}" for name in SHOWN)]
        for what, one in (("spike", found["spike_latency"]), ("answer", found["decision_latency"]))
        if one["number"]
    ]
    title = "Latency from the last event (of a recording: from what told its end), ms"
    show_table(title, ["of", "number", "median", "99th percentile", "longest"], rows)
    load = "" if found["load"] is None else f", {100.0 * found['load']:.0f} % of it computing"
    typer.echo(
        f"{found['event_seconds']:,.1f} s of events in {found['seconds']:,.1f} s{load}; backend "
        f"{found['backend']}, {found['precision']} precision"
    )
    if found["accuracy"] is not None:
        typer.echo(
            f"accuracy {found['accuracy']:.2%} of {found['labelled']:,} recordings with labels"
        )


class _View:
    """A live view of all classes and their probabilities, drawn at most ten times a second."""

    def __init__(self, heard: Listener) -> None:
        from rich.live import Live

        self.heard = heard
        self._live = Live(console=stdout(), refresh_per_second=10, auto_refresh=False)
        self._drawn = -math.inf

    def __enter__(self) -> "_View":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, decided: Decided) -> None:
        """Draw an answer."""
        from rich.table import Table

        now = time.monotonic()
        if decided.why is None and now - self._drawn < 0.1:
            return
        self._drawn = now
        counters, answer = self.heard.counters, self.heard.answer
        table = Table(
            title=f"{decided.time:,.0f} ms  {decided.answer or NOTHING}", show_header=False
        )
        for number, share in enumerate(decided.shares):
            table.add_row(answer.name_of(number), "#" * round(40 * share), f"{share:.2f}")
        lost = counters.late + counters.too_many + sum(counters.lost.values())
        table.caption = f"{counters.events:,} events, {lost:,} lost or late"
        self._live.update(table, refresh=True)
