"""Sources of live events, by the texts that name them.

=====================  ===========================================================================
text                   source
=====================  ===========================================================================
``-``                  standard input
path of a pipe         a named pipe (``mkfifo``); any file, read to its end without waiting
``udp:[HOST:]PORT``    datagrams; only those of this machine unless HOST says more (0.0.0.0: of all)
``microphone[:NAME]``  audio through the streaming cochlea (extra ``microphone``)
``camera``             the first USB event camera (extra ``usb-camera``)
=====================  ===========================================================================

Standard input and pipes carry text (``csv``), or raw ``evt2``, ``evt21`` or ``evt3``.
"""

import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import numpy as np

from eventsim.checks import one_of
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.dataset import Unit
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.errors import DataError, ParameterError
from eventsim.events import EventStream
from eventsim.live.datagrams import DIALECTS, PORT, DatagramReader, Dialect, bind, receive
from eventsim.live.devices import RATE, camera, microphone
from eventsim.live.packets import Packet, Source, packets_of
from eventsim.live.raw import Evt2Reader, Evt3Reader, Evt21Reader
from eventsim.live.text import Reader, Size, TextReader

BytesFormat = Literal["csv", "evt2", "evt21", "evt3"]
Format = Literal["csv", "evt2", "evt21", "evt3", "t64", "t32", "spif"]
BLOCK: Final = 1 << 16  # bytes that are read at once
POLL: Final = 0.1  # s after which a source that is silent says so
LOCAL: Final = "127.0.0.1"


@dataclass(frozen=True)
class WireForm:
    """Format of the bytes of a source.

    Attributes
    ----------
    format
        None for csv, and of datagrams t64.
    unit
        Of times in text; None for what the text says.
    size
        Of the sensor, where events have an address; else x is the channel.
    again
        Of a named pipe: go on with the next writer when one has gone.
    audio
        What encodes the sound of a microphone; None for the cochlea of FSDD at 16 kHz, with as many
        channels as the network.
    otherwise
        The unit of times in text where neither ``unit`` nor the text says one.
    """

    format: Format | None = None
    unit: Unit | None = None
    size: Size | None = None
    again: bool = False
    audio: AudioEncoding | None = None
    otherwise: Unit = "ms"


def open_source(place: str, *, n_channels: int, form: WireForm | None = None) -> Source:
    """The source of that name; raises DataError or ParameterError."""
    form = form or WireForm()
    size = form.size or Size(n_channels)
    kind, _, name = place.partition(":")
    if kind == "udp":
        address, reads = _address(place), DatagramReader(size, _dialect(form.format))
        return receive(bind(*address), reads)
    if place == "camera":
        return camera(form.size)
    if kind == "microphone":
        audio = form.audio or AudioEncoding(CochleaEncoder(n_channels=n_channels), RATE)
        return microphone(name or None, audio)
    reader = _reader(form, size)
    if place == "-":
        return read_bytes(_stdin, reader, again=False)
    path = Path(place)
    if not path.exists():
        raise DataError(
            place,
            "is no source",
            "- (standard input), a file or a named pipe, udp:PORT, microphone or camera",
        )
    if not stat.S_ISFIFO(path.stat().st_mode):
        return read_bytes(lambda: open(path, "rb", buffering=0), reader, again=False)
    return read_bytes(lambda: _pipe(path), reader, again=form.again, waits=True)


def _pipe(path: Path) -> Any:
    """A named pipe, also while nobody writes into it: to open it must not wait for a writer."""
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)


def _stdin() -> Any:
    """Standard input without a buffer of ours, in which bytes could wait unseen."""
    return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)


def _dialect(form: Format | None) -> Dialect:
    one_of("datagrams", "format", form or "t64", DIALECTS)
    return cast(Dialect, form or "t64")


def _reader(form: WireForm, size: Size) -> Reader:
    if form.format in (None, "csv"):
        return TextReader(size, form.unit, form.otherwise)
    raw: dict[str, Callable[[Size], Reader]] = {
        "evt2": Evt2Reader,
        "evt21": Evt21Reader,
        "evt3": Evt3Reader,
    }
    one_of("bytes", "format", form.format, get_args(BytesFormat))
    return raw[str(form.format)](size)


def _address(place: str) -> tuple[str, int]:
    """Host and port of ``udp``, ``udp:PORT`` or ``udp:HOST:PORT``."""
    _, *parts = place.split(":")
    port = parts[-1] if parts else str(PORT)
    host = parts[0] if len(parts) == 2 else LOCAL
    if len(parts) > 2 or not port.isdecimal() or not 0 <= int(port) < 1 << 16:
        raise ParameterError(place, "", "udp:PORT or udp:HOST:PORT, a port below 65536")
    return host, int(port)


def read_bytes(
    opened: Callable[[], Any],
    reader: Reader,
    *,
    again: bool,
    waits: bool = False,
    clock: Callable[[], float] = time.monotonic,
    poll: float = POLL,
) -> Iterator[Packet]:
    """Packets of the bytes of a file, as soon as they are there; with ``again`` of the next one.

    ``waits``: an end before the first byte means that nobody has begun to write.
    """
    none = np.zeros(0, np.int64)
    while True:
        with opened() as file:
            read, begun = getattr(file, "read1", file.read), not waits
            while True:
                if not _is_there(file, poll):
                    yield Packet(none, none, arrived=clock())
                    continue
                data = read(BLOCK)
                if not data and not begun:
                    yield Packet(none, none, arrived=clock())
                    time.sleep(poll)
                    continue
                begun = True
                yield from reader(data, clock())
                if not data:
                    break
        if not again:
            return
        lost = (("writers, that went", 1),)
        yield Packet(none, none, arrived=clock(), lost=lost)


def _is_there(file: Any, poll: float) -> bool:
    """Whether something, or the end, can be read without waiting longer than ``poll`` s."""
    try:
        number = file.fileno()
    except (OSError, AttributeError):
        return True  # no file of the system: it waits for nothing
    if os.name != "posix":
        return True
    ready, _, _ = select.select([number], [], [], poll)
    return bool(ready)


def replay(
    stream: EventStream,
    *,
    speed: float = 1.0,
    length: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Packet]:
    """Recordings, one behind the other, as if they happened now.

    Parameters
    ----------
    stream
        The recordings.
    speed
        Times real time; infinite for without waiting.
    length
        ms of a packet. A packet arrives when its last event could have happened, however late it is
        taken: falling behind is latency.
    clock, sleep
        Of a test.
    """
    began, done = clock(), 0.0
    for packet in packets_of(stream, length=length):
        reached = packet.end if packet.end is not None else packet.until
        assert reached is not None
        arrived = clock()
        if np.isfinite(speed):
            due = began + (done + reached) / (1e3 * speed)
            if due > arrived:
                sleep(due - arrived)
            arrived = due
        yield Packet(
            packet.times, packet.channels, arrived=arrived, until=packet.until, end=packet.end
        )
        if packet.end is not None:
            done += packet.end
