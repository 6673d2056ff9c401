"""The engine of pages, run by wasmtime."""

from functools import cache
from typing import NamedTuple

import numpy as np
import wasmtime

from tests.support.embedded import Run

PAGE, STEP = 1 << 16, 4.0  # bytes; ms after which spikes are polled


class Compiled(NamedTuple):
    """An engine of wasmtime, and the module that it compiled."""

    engine: wasmtime.Engine
    module: wasmtime.Module


@cache
def compiled(content):
    """The module, compiled once."""
    engine = wasmtime.Engine()
    return Compiled(engine, wasmtime.Module(engine, content))


class Engine:
    """A :class:`eventsim.embedded.web.WebNetwork`, running."""

    def __init__(self, found):
        module = compiled(found.engine)
        self.found, self.store = found, wasmtime.Store(module.engine)
        self.exports = wasmtime.Instance(self.store, module.module, []).exports(self.store)
        self.memory = self.exports["memory"]
        missing = found.place + len(found.image) - self.memory.data_len(self.store)
        if missing > 0:
            self.memory.grow(self.store, -(-missing // PAGE))
        self.memory.write(self.store, found.image, found.place)
        self.status = self.call("start", len(found.image))

    def call(self, name, *values):
        return self.exports[name](self.store, *values)

    def run(self, stream, sample, preview=np.inf):
        """A recording; at the time ``preview`` also what would be answered then."""
        self.call("reset")
        low, high = stream.offsets[sample : sample + 2]
        duration, spikes, seen = float(stream.duration[sample]), [], None
        events = [
            *zip(stream.times[low:high].tolist(), stream.channels[low:high].tolist(), strict=True)
        ]
        now = 0.0
        for time, channel in [*events, (duration + self.found.tail, None)]:
            while now + STEP < time or now < preview <= time:
                now = min(now + STEP, preview) if now < preview else now + STEP
                self._check(self.call("advance", now))
                self._poll(spikes)
                if now == preview:
                    self._check(self.call("preview", now))
                    seen = self._scores()[1]
            now = time
            if channel is not None:
                self._check(self.call("push", time, channel))
                self._poll(spikes)
        self._check(self.call("decide", duration))
        self._poll(spikes)
        assert self.call("lost") == 0
        answer, scores = self._scores()
        columns = [np.array(column) for column in zip(*spikes, strict=True)]
        return Run(*columns, scores, answer, seen)

    def _check(self, status):
        assert status == 0, status

    def _scores(self):
        at = self.call("answer")
        answer, scores = self._read("<u4", at, 2)
        return int(answer), self._read("<f4", int(scores), len(self.found.class_names))

    def _poll(self, spikes):
        while at := self.call("poll"):
            population, neuron = self._read("<u2", at + 8, 2)
            spikes.append((self._read("<f8", at, 1)[0], population, neuron))

    def _read(self, kind, at, n):
        values = self.memory.read(self.store, at, at + n * np.dtype(kind).itemsize)
        return np.frombuffer(bytes(values), kind)

    def hear(self, coefficients, clip, pieces):
        """Times and channels of the events in pieces of a clip, floats with full scale 1."""
        place = self.call("audio_place", coefficients.nbytes)
        self.memory.write(self.store, coefficients.tobytes(), place)
        self._check(self.call("audio_start", place, coefficients.nbytes))
        times, channels = [], []
        for piece in np.array_split(clip, pieces):
            self.memory.write(self.store, piece.astype("<f8").tobytes(), self.call("audio_in"))
            self._check(self.call("audio_push", piece.size))
            at, n = self.call("audio_out"), self.call("audio_found")
            found = self._read("<f8", at, 2 * n)
            times.append(found[::2])
            channels.append(found.view("<u4")[2::4])
        return np.concatenate(times), np.concatenate(channels)
