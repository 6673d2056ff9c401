"""How long does one epoch of training on spoken digits take, beside libraries of fixed steps.

Method   FSDD (under EVENTSIM_DATA), 2,250 recordings to train, batches of 32, two hidden
         populations of 128 neurons. One thread, CPU time of the process for all, in one run:

         eventsim  ``train`` as a whole, single precision, in memory: a row each plain, with forward
                   delays of 0 to 150 ms and a tail of 150 ms, and with augmentation as well. The
                   network has all skips and self-recurrence; time constants, thresholds and
                   self-weights are trained. ``epoch_cpu_s`` is the median of the epochs after the
                   first, which has other rates: ``first_epoch_cpu_s``.
         others    networks of the same sizes in steps of 1, 5 and 10 ms (epoch_peers.py), padded to
                   1,000 ms (longer recordings are cut), and bucketed: sorted by length and padded
                   to the longest of the batch. Forward, backward and step are timed; counting
                   events into steps is not. So many batches are trained as ``--peer-batches``
                   says, spread over the epoch, after one that is not counted; ``epoch_cpu_s`` is
                   their mean times the number of batches. Those that cannot be imported are named.

         With ``--recordings`` fewer all numbers are those of an epoch of so many.
Answer   see results/epoch.jsonl and docs/benchmarks.md.
"""

import argparse
import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from bench.macro.epoch_peers import (
    HIDDEN,
    N_OUTPUTS,
    PEERS,
    TAU_MEM,
    TAU_SYN,
    Peer,
    spiking,
    version_of,
)
from eventsim import datasets
from eventsim.engine.contract.registry import set_threads
from eventsim.train import Augmentation, TrainConfig

BATCH = 32
STEPS = (10.0, 5.0, 1.0)  # ms
PADDED = 1000.0  # ms
DELAYS, TAIL = (0.0, 150.0), 150.0  # ms
MOVED = {"time_scale": 0.2, "channel_shift": 2, "drop": 0.15, "jitter": 3.0}
# Of initial lateral weights, as in the recipes.
LATERAL_GAIN = 0.1
# Name, whether neurons are joined laterally, delays, and whether events are moved.
CASES = (
    ("eventsim, no delays", False, False, False),
    ("eventsim, delays", False, True, False),
    ("eventsim, delays and augmentation", False, True, True),
    ("eventsim, lateral", True, False, False),
)


# Columns of the table that matter most.
FIRST = (
    "program",
    "missing",
    "time_step",
    "epoch_cpu_s",
    "accuracy",
    "first_epoch_cpu_s",
    "epoch_cpu_s_bucketed",
)


def network(n_channels: int, *, lateral: bool, delays: bool, seed: int = 0) -> es.Network:
    """Two hidden populations, with all skips or lateral connections."""
    same: Mapping[str, Any] = {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN, "seed": seed}
    if lateral:
        gain = LATERAL_GAIN
        return es.rsnn(n_channels, (HIDDEN, HIDDEN), N_OUTPUTS, lateral_gain=gain, **same)
    forward = DELAYS if delays else 0.0
    return es.scsr(n_channels, (HIDDEN, HIDDEN), N_OUTPUTS, forward_delays=forward, **same)


def own_epoch(
    data: es.Dataset, *, lateral: bool, delays: bool, moved: bool, epochs: int
) -> dict[str, float]:
    """CPU seconds of the epochs of a training."""
    net = network(data.stream.n_channels, lateral=lateral, delays=delays)
    config = TrainConfig(
        epochs=epochs,
        batch_size=BATCH,
        precision="single",
        validation_fraction=0.0,
        tail=TAIL if delays else 0.0,
        augmentation=Augmentation(**(MOVED if moved else {})),
    )
    marks = [time.process_time()]

    def note(event: es.train.TrainEvent) -> None:
        if event.kind == "epoch":
            marks.append(time.process_time())

    result = es.train(net, data, config, callback=note)
    first, *later = np.diff(marks)
    return {
        "first_epoch_cpu_s": float(first),
        "epoch_cpu_s": float(np.median(later or [first])),
        "accuracy": result.last["accuracy"],
        "synaptic_events_per_recording": result.last["synaptic_events_per_sample"],
    }


def counted(data: es.Dataset, numbers: np.ndarray, step: float, length: float) -> np.ndarray:
    """Events of some recordings by step, [steps, recordings, channels]; later ones are left out."""
    stream = data.stream[numbers]
    sample = np.repeat(np.arange(numbers.size), np.diff(stream.offsets))
    n_steps, n = int(np.ceil(length / step)), stream.n_channels
    at = (stream.times / step).astype(np.int64)
    cell = ((at * numbers.size + sample) * n + stream.channels)[at < n_steps]
    counts = np.bincount(cell, minlength=n_steps * numbers.size * n)
    return counts.reshape(n_steps, numbers.size, n)


def peer_epoch(peer: Peer, data: es.Dataset, step: float, n_timed: int) -> dict[str, Any]:
    """CPU seconds of an epoch, padded and bucketed."""
    rng, found = np.random.default_rng(0), dict[str, Any]()
    orders = {
        "epoch_cpu_s": rng.permutation(len(data)),
        "epoch_cpu_s_bucketed": np.argsort(data.stream.duration, kind="stable"),
    }
    for key, order in orders.items():
        batches = [order[k : k + BATCH] for k in range(0, len(data), BATCH)]
        chosen = np.linspace(0, len(batches) - 1, min(n_timed, len(batches))).round().astype(int)
        seconds, recordings = [], 0
        for k, number in enumerate([chosen[0], *chosen]):
            mine = batches[number]
            length = PADDED
            if key.endswith("bucketed"):
                length = min(PADDED, float(data.stream.duration[mine].max()))
            counts, labels = counted(data, mine, step, length), data.labels[mine]
            began = time.process_time()
            peer.train(counts, labels, None)
            if k:
                seconds.append(time.process_time() - began)
                recordings += mine.size
        found[key] = sum(seconds) * len(data) / recordings
    return found | {"timed_batches": len(chosen), "batches": len(batches)}


def ratios(rows: list[dict[str, Any]]) -> None:
    """Add how many times the fastest of the others needs, padded or bucketed, by step; in place."""
    others = [row for row in rows if "step_ms" in row]
    for step in dict.fromkeys(row["step_ms"] for row in others):
        least = min(row["epoch_cpu_s_bucketed"] for row in others if row["step_ms"] == step)
        for row in rows:
            if "step_ms" not in row and "epoch_cpu_s" in row:
                row[f"times_fastest_{step:g}_ms"] = row["epoch_cpu_s"] / least


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0], repeats=1)
    words.add_argument("--recordings", type=int, default=2250, help="of the training part")
    words.add_argument("--epochs", type=int, default=4, help="that eventsim trains")
    words.add_argument("--peer-batches", type=int, default=8, help="that are timed of the others")
    words.add_argument("--steps", type=float, nargs="*", default=STEPS, help="of the others, ms")
    words.add_argument("--own-only", action="store_true", help="leave the others out")
    return words.parse_args()


def main() -> None:
    """All cases one after the other, in one process and on one thread."""
    options = _options()
    set_threads(1, backend="cpu")
    every = datasets.load("fsdd", split="train")
    kept = np.random.default_rng(0).permutation(len(every))[: options.recordings]
    data = every[np.sort(kept)]
    same: Mapping[str, Any] = {"bench": "epoch", "recordings": len(data), "threads": 1}
    same = {**same, "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"}
    rows: list[dict[str, Any]] = []
    for name, lateral, delays, moved in CASES:
        case: Mapping[str, bool] = {"lateral": lateral, "delays": delays, "moved": moved}
        own_epoch(data[:BATCH], epochs=1, **case)  # compiles, loads
        own = own_epoch(data, epochs=options.epochs, **case)
        rows.append({**same, "program": name, "version": es.__version__, "time_step": "none"} | own)
    for name, package, make in () if options.own_only else PEERS:
        if find_spec(package) is None:
            rows.append({**same, "program": name, "missing": "not installed"})
            continue
        for step in options.steps:
            about = {"program": name, "version": version_of(package), "step_ms": step}
            about["time_step"] = f"{step:g} ms"
            found = peer_epoch(spiking(make, step), data, step, options.peer_batches)
            rows.append({**same, **about} | found)
    ratios(rows)
    report(rows, options, first=FIRST)


if __name__ == "__main__":
    main()
