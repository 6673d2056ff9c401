"""Events by UDP, in three dialects; times in us, words little-endian.

==========  ======================================================================================
``t64``     13 bytes: time (64 bits), x (16), y (16), on (8). The default of faery
``t32``     8 bytes: time (32 bits), x (16), ``y << 1 | on`` (16). Of faery
``spif``    words of 32 bits: ``x << 16 | on << 15 | y``, then the time; where bit 31 is set no time
            follows, and that of the arrival counts. Of SPIF and AEStream
==========  ======================================================================================

Times of 32 bits restart after 71.6 minutes, which is corrected. A datagram whose length is not a
whole number of events is invalid as a whole.

The buffer of the socket is the queue: datagrams wait there while the network computes. Datagrams
that the system drops when it is full are counted if the system reports them (Linux). The system
also reports when a datagram arrived, so waiting counts as latency.
"""

import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError
from eventsim.live.packets import Packet
from eventsim.live.text import Size

Dialect = Literal["t64", "t32", "spif"]
DIALECTS: Final = get_args(Dialect)
PER_MS: Final = 1000.0
PORT: Final = 3333
LARGEST: Final = 65_536  # bytes of a datagram
BUFFER: Final = 8 << 20  # bytes that the system is asked to hold; it may hold less
AT_ONCE: Final = 1000  # datagrams in a packet
# Of Linux; Python has no names for them.
RXQ_OVFL, TIMESTAMPNS = 40, 35

_T64 = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "u1")])
_T32 = np.dtype([("t", "<u4"), ("x", "<u2"), ("y", "<u2")])
_TURN = 1 << 32


@dataclass
class DatagramReader:
    """Datagrams to events; what is carried is how often a time of 32 bits began anew."""

    size: Size
    dialect: Dialect = "t64"
    latest: int | None = None  # time, us

    def __call__(
        self, data: bytes, arrived: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Times and channels; None where the datagram is no whole number of events."""
        if self.dialect == "spif":
            return self._spif(data, arrived)
        dtype = _T64 if self.dialect == "t64" else _T32
        if len(data) % dtype.itemsize or not data:
            return None
        found = np.frombuffer(data, dtype)
        if self.dialect == "t64":
            x, y, on = (found[name].astype(np.int64) for name in ("x", "y", "on"))
            if (found["t"] >> 63).any() or (on > 1).any():
                return None
            return found["t"].astype(np.int64), self.size.channels(x, y, on)
        x, y = found["x"].astype(np.int64), found["y"].astype(np.int64)
        times = self._unwrapped(found["t"].astype(np.int64))
        return times, self.size.channels(x, y >> 1, y & 1)

    def _spif(
        self, data: bytes, arrived: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        if len(data) % 4 or not data:
            return None
        words = np.frombuffer(data, "<u4").astype(np.int64)
        if words[0] >> 31:
            # A sender says of all of its events, or of none, when they were.
            if not (words >> 31).all():
                return None
            times = np.full(words.size, int(arrived * 1e6))
        elif words.size % 2 or (words[::2] >> 31).any():
            return None
        else:
            words, times = words[::2], self._unwrapped(words[1::2])
        x, y, on = (words >> 16) & 0x7FFF, words & 0x7FFF, (words >> 15) & 1
        return times, self.size.channels(x, y, on)

    def _unwrapped(self, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of 32 bits on a clock without an end: each as near to the one before as can be."""
        first = times[0] if self.latest is None else self.latest
        steps = np.diff(np.concatenate([[first], times])) % _TURN
        steps = np.where(steps >= _TURN // 2, steps - _TURN, steps)
        found: NDArray[np.int64] = first + np.cumsum(steps)
        self.latest = int(found[-1])
        return found


def encode(
    dialect: Dialect,
    times: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any] | int = 0,
    on: NDArray[Any] | int = 0,
) -> bytes:
    """The bytes of a datagram; times in us. For senders and tests."""
    times, x, y, on = (np.asarray(v, np.int64) for v in np.broadcast_arrays(times, x, y, on))
    if dialect == "spif":
        words = np.stack([x << 16 | on << 15 | y, times % _TURN], axis=-1)
        return words.astype("<u4").tobytes()
    found = np.zeros(times.shape, _T64 if dialect == "t64" else _T32)
    found["t"], found["x"] = times if dialect == "t64" else times % _TURN, x
    found["y"] = y if dialect == "t64" else y << 1 | on
    if dialect == "t64":
        found["on"] = on
    return found.tobytes()


def bind(host: str, port: int) -> socket.socket:
    """A socket that receives there; DataError where that cannot be."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        if sys.platform == "linux":
            for option in (RXQ_OVFL, TIMESTAMPNS):
                found.setsockopt(socket.SOL_SOCKET, option, 1)
        found.bind((host, port))
    except OSError as error:
        found.close()
        raise DataError(
            f"udp:{host}:{port}",
            f"cannot receive there ({error})",
            remedy="Is another program listening on this port, or is the address not of this "
            "machine?",
        ) from error
    return found


def receive(
    receiver: socket.socket,
    reader: DatagramReader,
    *,
    poll: float = 0.1,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Iterator[Packet]:
    """Packets of what a socket receives, without an end; an empty one after ``poll`` s of nothing.

    The socket is closed with the generator.
    """
    dropped = 0
    with receiver:
        while True:
            receiver.settimeout(poll)
            met: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
            bad, example, overflow, arrived = 0, "", dropped, clock()
            for k in range(AT_ONCE):
                try:
                    data, more, _, _ = receiver.recvmsg(LARGEST, 256)
                except (TimeoutError, BlockingIOError):
                    break
                receiver.settimeout(0.0)
                came, overflow = _told(more, overflow, clock(), wall())
                arrived = came if not k else arrived
                found = reader(data, came)
                if found is None:
                    bad, example = bad + 1, f"a datagram of {len(data)} bytes, {data[:8].hex()}.."
                else:
                    met.append(found)
            lost = (("datagrams, by the system", overflow - dropped),) if overflow > dropped else ()
            dropped = overflow
            none = np.zeros(0, np.int64)
            times, channels = (np.concatenate([none, *(m[i] for m in met)]) for i in (0, 1))
            yield Packet(
                times, channels, per_ms=PER_MS, arrived=arrived, rubbish=(bad, example), lost=lost
            )


def _told(more: Any, dropped: int, now: float, wall: float) -> tuple[float, int]:
    """Arrival of a datagram, on the clock, and the number that were dropped until then."""
    came = now
    for _, kind, data in more:
        if kind == RXQ_OVFL:
            (dropped,) = struct.unpack("I", data[:4])
        elif kind == TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            came = now - max(0.0, wall - (seconds + 1e-9 * nanoseconds))
    return came, dropped
