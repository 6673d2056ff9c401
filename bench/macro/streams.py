"""Does memory stay flat over a long stream, and over a large data set on disk.

Method   ``chunks``: 10^8 Poisson events of 100 inputs, drawn and run in chunks of 100,000 events
         through ``simulate_chunks``, onto 20 neurons that all inputs project to. ``samples``: a
         file of 10^5 recordings of 100 events each, written from an iterator, read once in random
         order in batches of 64, as training does.

         Bytes are those of the process's resident memory at its peak, above what it had after a
         hundredth of the work, which loads kernels and fills buffers: ``first_mb`` in the first
         tenth of what follows, ``most_mb`` in any tenth. Seconds are CPU time on one thread, those
         of drawing the events included.
Answer   see results/streams.jsonl and docs/benchmarks.md.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from bench.macro.large import peak, resident
from eventsim.events.stored import Recording, StoredStream, write_stored

N_EVENTS, CHUNK_EVENTS, N_INPUTS, N_NEURONS = 100_000_000, 100_000, 100, 20
HZ = 100.0  # of an input
N_SAMPLES, SAMPLE_EVENTS, SAMPLE_MS, BATCH = 100_000, 100, 100.0, 64
TENTHS = 10


def chunks(n_chunks: int, seed: int = 0) -> Iterator[es.EventStream]:
    """A stream of one sample without end, in pieces of CHUNK_EVENTS events."""
    rng = np.random.default_rng(seed)
    length = CHUNK_EVENTS / (N_INPUTS * HZ) * 1e3
    for k in range(n_chunks):
        times = np.sort(rng.uniform(k * length, (k + 1) * length, CHUNK_EVENTS))
        channels = rng.integers(0, N_INPUTS, CHUNK_EVENTS)
        yield es.EventStream.from_samples(
            [(times, channels)], n_channels=N_INPUTS, duration=(k + 1) * length
        )


def network(seed: int = 0) -> es.Network:
    """All inputs onto all neurons, which fire at some ten per second."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", N_INPUTS)
    net.add_population("neurons", N_NEURONS, tau_mem=20.0, tau_syn=5.0, refractory=1.0)
    net.connect("input", "neurons", rng.normal(0.005, 0.05, (N_INPUTS, N_NEURONS)))
    return net


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
        many = chunks(n_chunks + max(1, n_chunks // 100))
        for tape in es.simulate_chunks(network(), many, backend="cpu"):
            spikes += len(tape["neurons"])
            yield

    found = tenths(run(), n_chunks)
    ns = 1e9 * found["run_s"] / n_events
    return {**found, "events": n_events, "spikes": spikes, "ns_per_event": ns}


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


CASES: dict[str, Callable[[int], dict[str, Any]]] = {"chunks": _chunks, "samples": _samples}


def main() -> None:
    """Both cases at full size, and at a tenth of it."""
    options = parser(__doc__.splitlines()[0], repeats=1).parse_args()
    sizes = {"chunks": N_EVENTS, "samples": N_SAMPLES}
    report(
        [
            {"bench": "streams", "case": case, "clock": "CPU", "threads": 1, **run(size)}
            for case, run in CASES.items()
            for size in (sizes[case] // 10, sizes[case])
        ],
        options,
    )


if __name__ == "__main__":
    main()
