"""Sensors of this machine: a microphone through the cochlea, and USB event cameras.

Both need a package of their own, an extra; without it, and without a device, they are refused.
"""

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import reported
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.encoders import LiveCochlea
from eventsim.errors import DataError, ParameterError
from eventsim.extras import load
from eventsim.live.packets import Packet
from eventsim.live.text import Size

RATE: Final = 16_000.0  # Hz, where nothing says another
BLOCK: Final = 10.0  # ms that a microphone hands over at once
LONGEST: Final = 1000  # blocks that may wait; what comes then is lost, and counted
POLL: Final = 0.1  # s

Blocks = queue.Queue[tuple[NDArray[np.float32], float]]


def microphone(
    name: str | None, audio: AudioEncoding, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Packet]:
    """Packets of a microphone, through the streaming cochlea of these parameters.

    A name is a part of that of the device, or its number.

    Raises
    ------
    DataError
        The package or the device is missing.
    """
    sound = load("sounddevice", "microphone", "The microphone", DataError)
    waiting: Blocks = queue.Queue(LONGEST)
    lost = [0]

    def take(block: NDArray[np.float32], _frames: int, _time: Any, status: Any) -> None:
        # Called by the driver's own thread.
        lost[0] += bool(status)
        try:
            waiting.put_nowait((block[:, 0].copy(), clock()))
        except queue.Full:
            lost[0] += 1

    device = int(name) if name is not None and name.isdecimal() else name
    words, failures = "there is none, or it cannot be used ({})", (sound.PortAudioError, ValueError)
    remedy = "python -m sounddevice lists the devices."
    with reported("microphone", words, *failures, remedy=remedy, error=DataError):
        opened = sound.InputStream(
            samplerate=audio.sample_rate, blocksize=round(BLOCK * audio.sample_rate / 1e3),
            channels=1, dtype="float32", device=device, callback=take,
        )  # fmt: skip
    return _heard(opened, waiting, lost, LiveCochlea(audio.encoder, audio.sample_rate), clock)


def _heard(
    opened: Any, waiting: Blocks, lost: list[int], cochlea: LiveCochlea, clock: Callable[[], float]
) -> Iterator[Packet]:
    none = np.zeros(0, np.int64)
    told = 0
    with opened:
        while True:
            try:
                block, arrived = waiting.get(timeout=POLL)
            except queue.Empty:
                yield Packet(none, none, arrived=clock())
                continue
            times, channels = cochlea(block)
            more, told = lost[0] - told, lost[0]
            yield Packet(
                times,
                channels.astype(np.int64),
                arrived=arrived,
                until=cochlea.until,
                lost=(("blocks of audio", more),) if more else (),
            )


def camera(
    size: Size | None,
    *,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Iterator[Packet]:
    """Packets of the first USB event camera; its times are in us.

    Raises
    ------
    DataError, ParameterError
        The package or the camera is missing; there is no size, without which no channel is known.
    """
    if size is None:
        remedy = "Give its --sensor-size WIDTH,HEIGHT,2, as in the import of its recordings."
        raise ParameterError("camera", "has no size", remedy=remedy)
    drivers = load("neuromorphic_drivers", "usb-camera", "The camera", DataError)
    words, remedy = "none can be opened ({})", "Is one connected, and may you use it?"
    # The package raises its own errors and plain ones.
    with reported("camera", words, Exception, remedy=remedy, error=DataError):
        opened = drivers.open(iterator_timeout=POLL)
    return _seen(opened, size, clock, wall)


def _seen(
    opened: Any, size: Size, clock: Callable[[], float], wall: Callable[[], float]
) -> Iterator[Packet]:
    none, dropped = np.zeros(0, np.int64), 0
    with opened as device:
        for status, packet in device:
            now, ring = clock(), status.ring
            events = None if packet is None else packet.polarity_events
            if ring is None or events is None:
                yield Packet(none, none, arrived=now)
                continue
            more, dropped = ring.dropped_packets - dropped, ring.dropped_packets
            x, y, on = (events[name].astype(np.int64) for name in ("x", "y", "on"))
            yield Packet(
                events["t"].astype(np.int64),
                size.channels(x, y, on),
                per_ms=1000.0,
                arrived=now - max(0.0, wall() - ring.system_time),
                lost=(("packets of the camera", more),) if more > 0 else (),
            )
