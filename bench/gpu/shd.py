"""An epoch as on Spiking Heidelberg Digits: how long does it take on a device.

Method   SHD's shape with made-up events: 8,156 samples of 1 s, 700 Poisson channels, 8,000 events a
         sample; a self-recurrent layer of 256 that fires at about 18/s, every time constant
         different, 20 readouts. An epoch is all samples once, in batches of 256 to 4,096 (the last
         one is what remains), single precision; forward alone, and whole steps as in bench.gpu.w1.
         The batches are cut before the clock starts; their events are uploaded in the measured
         time. One epoch warms up. Beside published seconds an epoch of GeNN EventProp and Spyx
         (docs, "shd-seconds"): the same number of samples of 1.4 s in batches of 32, with lateral
         recurrence among 256 or 1,024 neurons, delays of 1 ms.
Answer   see results/gpu-*.jsonl. The aim is about 1 s for an epoch of steps.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import eventsim as es
from bench.gpu.nets import poisson
from bench.gpu.place import Place, timed
from bench.gpu.training import Batch, Trainer, by_kernel, measure
from eventsim.train import CrossEntropy

N_SAMPLES, N_CHANNELS, N_HIDDEN, N_CLASSES = 8_156, 700, 256, 20
EVENTS, DURATION, TIME_CONSTANT = 8_000.0, 1000.0, 300.0
BATCHES = (256, 512, 1024, 2048, 4096)
REPEATS = 3
# As the published rows: trials in ms, batch, neurons with lateral recurrence.
TRIAL, TRIAL_BATCH, LATERAL = 1400.0, 32, (256, 1024)


def network(n_channels: int, n_hidden: int) -> es.Network:
    """One self-recurrent hidden layer, alive at this input."""
    rng = np.random.default_rng(2)
    net = es.scsr(n_channels, (n_hidden,), N_CLASSES, tau_syn=10.0, mean=2.0, spread=3.0)
    taus = net.population("hidden1").parameters
    taus["tau_mem"][:] = 20.0 * rng.uniform(0.8, 1.2, n_hidden)
    taus["tau_syn"][:] = 10.0 * rng.uniform(0.8, 1.2, n_hidden)
    return net


def batches_of(stream: es.EventStream, size: int) -> list[Batch]:
    """All samples in batches, with labels in turn."""
    found = []
    for first in range(0, stream.n_samples, size):
        part = stream[first : first + size]
        labels = (first + np.arange(part.n_samples)) % N_CLASSES
        found.append((part, CrossEntropy(labels, time_constant=TIME_CONSTANT)))
    return found


def rows_of(where: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """One row per batch size; kernels for the largest."""
    if where.host:
        sizes, net = (4,), network(20, 8)
        stream = poisson(6, 20, 60.0, 50.0, seed=3)
    else:
        sizes, net = BATCHES, network(N_CHANNELS, N_HIDDEN)
        stream = poisson(N_SAMPLES, N_CHANNELS, EVENTS, DURATION, seed=3)
    for size in sizes:
        batches, trainer = batches_of(stream, size), Trainer(net.copy(), "cuda")
        row = {"bench": "gpu-shd", "batch": size, "precision": "single"}
        found = measure(trainer, batches, where, repeats=repeats)
        yield row | {"samples": stream.n_samples, "events": stream.n_events} | found
        if size == sizes[-1]:
            yield from by_kernel(trainer, batches[0], where, row | {"bench": "gpu-shd-kernels"})


def lateral_network(n_channels: int, n_hidden: int) -> es.Network:
    """One hidden layer with all-to-all lateral recurrence, alive at this input."""
    return es.rsnn(n_channels, (n_hidden,), N_CLASSES, tau_syn=10.0, mean=2.0, spread=3.0)


def lateral_rows(where: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """An epoch beside the published ones, by number of neurons."""
    sizes, n_channels = (LATERAL, N_CHANNELS) if not where.host else ((8,), 20)
    n_samples, events = (N_SAMPLES, EVENTS) if not where.host else (6, 60.0)
    trial, batch = (TRIAL, TRIAL_BATCH) if not where.host else (50.0, 4)
    stream = poisson(n_samples, n_channels, events, trial, seed=4)
    for size in sizes:
        trainer = Trainer(lateral_network(n_channels, size), "cuda")
        row = {"bench": "gpu-shd-lateral", "hidden": size, "batch": batch, "precision": "single"}
        found = measure(trainer, batches_of(stream, batch), where, repeats=repeats)
        yield row | {"samples": stream.n_samples, "events": stream.n_events} | found


def all_rows(where: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """Of both networks."""
    yield from rows_of(where, repeats)
    yield from lateral_rows(where, repeats)


def main(words: list[str] | None = None) -> int:
    """Measure all batch sizes."""
    return timed(__doc__, all_rows, words, repeats=REPEATS)


if __name__ == "__main__":
    sys.exit(main())
