"""Does memory stay flat over a long stream, and over a large data set on disk.

Method   ``chunks``: 10^8 Poisson events of 100 inputs, drawn and run in chunks of 100,000 events
         through ``simulate_chunks``, onto 20 neurons that all inputs project to. ``gradients``:
         the gradients of a loss of all spikes over such a stream of 10^6 and 10^7 events, by
         ``backward_chunks`` with 16 states kept on a level; ``gradients, loop`` of a tenth of them
         with the neurons projecting to each other. ``cochlea``: an hour of a stereo cochlea of 64
         channels at its real rate (the recording nas_cochlea under EVENTSIM_DATA, 13.7 s and
         428,635 events, 262 times), in chunks of a second, into 64 neurons that project to each
         other, and a readout. ``samples``: a file of 10^5 recordings of 100
         events each, written from an iterator, read once in random order in batches of 64, as
         training does.

         Bytes are those of the process's resident memory at its peak, above what it had after a
         hundredth of the work, which loads kernels and fills buffers: ``first_mb`` in the first
         tenth of what follows, ``most_mb`` in any tenth; of gradients, above what it had after a
         run over two chunks. Seconds are CPU time on one thread, those
         of drawing the events included.
Answer   see results/streams.jsonl and docs/benchmarks.md.
"""

import gc
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from bench.macro.large import peak, resident
from eventsim.datasets import aer
from eventsim.events.stored import Recording, StoredStream, write_stored

N_EVENTS, CHUNK_EVENTS, N_INPUTS, N_NEURONS = 100_000_000, 100_000, 100, 20
HZ = 100.0  # of an input
N_SAMPLES, SAMPLE_EVENTS, SAMPLE_MS, BATCH = 100_000, 100, 100.0, 64
N_COCHLEA = 262 * 428_635  # an hour
TENTHS = 10


# Columns of the table that matter most.
FIRST = (
    "case",
    "events",
    "run_s",
    "ns_per_event",
    "times_real",
    "first_mb",
    "most_mb",
    "us_per_sample",
)


class Chunks(Sequence[es.EventStream]):
    """A stream of one sample in pieces of some events, each drawn when it is asked for."""

    def __init__(self, n_chunks: int, events: int | None = None) -> None:
        self._n, self._events = n_chunks, events or CHUNK_EVENTS

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, k: Any) -> Any:
        if not 0 <= k < self._n:
            raise IndexError(k)
        rng, length = np.random.default_rng(k), self._events / (N_INPUTS * HZ) * 1e3
        times = np.sort(rng.uniform(k * length, (k + 1) * length, self._events))
        channels = rng.integers(0, N_INPUTS, self._events)
        return es.EventStream.from_samples(
            [(times, channels)], n_channels=N_INPUTS, duration=(k + 1) * length
        )


def network(seed: int = 0, *, loop: bool = False) -> es.Network:
    """All inputs onto all neurons, which fire at some ten per second."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", N_INPUTS)
    net.add_population("neurons", N_NEURONS, tau_mem=20.0, tau_syn=5.0, refractory=1.0)
    net.connect("input", "neurons", rng.normal(0.005, 0.05, (N_INPUTS, N_NEURONS)))
    if loop:
        net.connect("neurons", "neurons", rng.normal(0.0, 0.05, (N_NEURONS, N_NEURONS)), delays=1.0)
    return net


def mean_spike_time(net: es.Network, tape: es.SpikeTape) -> tuple[float, es.Seeds]:
    """A loss of all spikes, in seconds."""
    times = tape["neurons"].times
    return 1e-3 * float(times.sum()), {"neurons": np.full(times.size, 1e-3)}


def recordings(n_samples: int, seed: int = 0) -> Iterator[Recording]:
    """Samples on their way into a file."""
    rng = np.random.default_rng(seed)
    for _ in range(n_samples):
        times = np.sort(rng.uniform(0.0, SAMPLE_MS, SAMPLE_EVENTS))
        yield Recording(times, rng.integers(0, N_INPUTS, SAMPLE_EVENTS), SAMPLE_MS)


def tenths(steps: Iterator[Any], n_steps: int) -> dict[str, float]:
    """Peaks of memory while ``n_steps`` steps are made, after a hundredth as many."""
    for _ in range(max(1, n_steps // 100)):
        next(steps)
    gc.collect()
    before, peaks = resident("VmRSS"), []
    began, met = time.process_time(), 0
    for k in range(TENTHS):
        with peak() as part:
            for _ in range(n_steps * (k + 1) // TENTHS - n_steps * k // TENTHS):
                next(steps)
                met += 1
        peaks.append((part.bytes - before) / 2**20)
    return {
        "before_mb": before / 2**20,
        "first_mb": peaks[0],
        "most_mb": max(peaks),
        "last_mb": peaks[-1],
        "run_s": time.process_time() - began,
        "steps": met,
    }


def _chunks(n_events: int) -> dict[str, Any]:
    n_chunks = n_events // CHUNK_EVENTS
    spikes = 0

    def run() -> Iterator[None]:
        nonlocal spikes
        many = iter(Chunks(n_chunks + max(1, n_chunks // 100)))
        for tape in es.simulate_chunks(network(), many, backend="cpu"):
            spikes += len(tape["neurons"])
            yield

    found = tenths(run(), n_chunks)
    ns = 1e9 * found["run_s"] / n_events
    return {**found, "events": n_events, "spikes": spikes, "ns_per_event": ns}


def cochlea_file() -> Path:
    """The recording of ``cochlea``; it need not be there."""
    folder = Path(os.environ.get("EVENTSIM_DATA", ""))
    return folder / "nas_cochlea/enun_stereo_64ch_ONOFF_addr4b_ts1.aedat"


def _cochlea(n_events: int) -> dict[str, Any]:
    heard, _ = aer.load(cochlea_file(), sensor="nas_64_stereo", by=("ear", "channel"))
    lasts, parts, repeats = (
        heard.duration[0],
        list(heard.chunks(1000.0)),
        n_events // heard.n_events,
    )
    spikes = 0

    def pieces() -> Iterator[es.EventStream]:
        for k in itertools.count():
            for part in parts:
                yield es.EventStream(
                    part.times + k * lasts, part.channels, part.offsets,
                    n_channels=part.n_channels, duration=part.duration + k * lasts,
                )  # fmt: skip

    def run() -> Iterator[None]:
        nonlocal spikes
        for tape in es.simulate_chunks(es.rsnn(128, (64,), 10), pieces(), backend="cpu"):
            spikes += len(tape["hidden1"])
            yield

    found = tenths(run(), repeats * len(parts))
    heard_s = repeats * float(lasts) * 1e-3
    return {
        **found,
        "events": repeats * heard.n_events,
        "spikes": spikes,
        "heard_s": heard_s,
        "times_real": heard_s / found["run_s"],
    }


def _gradients(n_events: int, *, loop: bool = False) -> dict[str, Any]:
    net, events = network(loop=loop), CHUNK_EVENTS // 10 if loop else CHUNK_EVENTS
    many = Chunks(n_events // events, events)
    es.backward_chunks(net, Chunks(2, events), mean_spike_time, backend="cpu")
    gc.collect()
    before, began = resident("VmRSS"), time.process_time()
    with peak() as used:
        es.backward_chunks(net, many, mean_spike_time, backend="cpu")
    seconds = time.process_time() - began
    return {
        "before_mb": before / 2**20,
        "most_mb": (used.bytes - before) / 2**20,
        "run_s": seconds,
        "steps": len(many),
        "events": n_events,
        "ns_per_event": 1e9 * seconds / n_events,
    }


def _gradients_of_loop(n_events: int) -> dict[str, Any]:
    return _gradients(n_events, loop=True)


def _samples(n_samples: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recordings.h5"
        with peak() as writing:
            before = resident("VmRSS")
            write_stored(path, recordings(n_samples), n_channels=N_INPUTS)
        stored = StoredStream.open(path)
        order = np.random.default_rng(1).permutation(n_samples)

        def read() -> Iterator[int]:
            while True:
                for batch in stored.batches(BATCH, order=order):
                    yield stored[batch].n_events

        found = tenths(read(), -(-n_samples // BATCH))
        return {
            **found,
            "samples": n_samples,
            "events": n_samples * SAMPLE_EVENTS,
            "file_mb": path.stat().st_size / 2**20,
            "writing_mb": (writing.bytes - before) / 2**20,
            "us_per_sample": 1e6 * found["run_s"] / n_samples,
        }


CASES: dict[str, tuple[Callable[[int], dict[str, Any]], int]] = {
    "chunks": (_chunks, N_EVENTS),
    "gradients": (_gradients, N_EVENTS // 10),
    "gradients, loop": (_gradients_of_loop, N_EVENTS // 100),
    "cochlea": (_cochlea, N_COCHLEA),
    "samples": (_samples, N_SAMPLES),
}


def main() -> None:
    """Every case at full size, and at a tenth of it."""
    words = parser(__doc__.splitlines()[0], repeats=1)
    words.add_argument("--case", action="append", choices=list(CASES), help="may be given again")
    options = words.parse_args()
    report(
        [
            {"bench": "streams", "case": case, "clock": "CPU", "threads": 1, **run(size)}
            for case, (run, most) in CASES.items()
            if case in (options.case or CASES)
            for size in (most // 10, most)
        ],
        options,
        first=FIRST,
    )


if __name__ == "__main__":
    main()
