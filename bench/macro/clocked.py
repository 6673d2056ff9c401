"""What does a grid of time cost, and what does it change: exact training beside fixed steps.

Method   A part of FSDD (official split, speakers under EVENTSIM_DATA, 64-channel cochlea), the same
         number of recordings per digit; a ScSr-SNN with all skips, BIP of tau_mem, tau_syn,
         resistance and threshold. ``exact`` trains it in event time; ``grid`` the same network,
         loss (cross-entropy on a readout), batches and augmentation on a grid, by TSSL-BP;
         ``published`` the method of Zhang and Li as it stands: spiking output, van Rossum loss, no
         rate band, no lift. Every case runs in a process of its own with ``--threads`` threads:
         seconds of the wall and of the processor (machines are shared), both without compilation;
         the largest memory of the process during training, and how much of it was there before.
         ``neuron_updates`` are steps times neurons on a grid, arrivals and spikes in exact time.
         ``in_exact_time`` is the accuracy of the trained network moved to exact time.
Answer   see the rows.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from eventsim import clocked, datasets
from eventsim.train import Augmentation, LabelledEvents, TrainConfig, evaluate, train

CASES = {
    "exact": None,
    "grid 1 ms": 1.0,
    "grid 0.1 ms": 0.1,
    "published 1 ms": 1.0,
    "published 0.1 ms": 0.1,
}
BIP = ("tau_mem", "tau_syn", "resistance", "threshold")
AUGMENTATION = Augmentation(time_scale=0.2, channel_shift=2, drop=0.15, jitter=3.0)


def load(split: str, per_class: int) -> LabelledEvents:
    """So many recordings of every digit, drawn by a fixed seed."""
    data = datasets.load("fsdd", split=split)
    rng = np.random.default_rng(0)
    chosen = [
        rng.permutation(np.flatnonzero(data.labels == label))[:per_class]
        for label in range(len(data.class_names))
    ]
    return LabelledEvents(data.stream, data.labels, data.class_names)[np.concatenate(chosen)]


def network(options: argparse.Namespace, output: str) -> es.Network:
    """The network that a run starts from."""
    seed = options.seed
    return es.scsr(64, options.hidden, 10, tau_syn=10.0, output=output, seed=seed)


def settings(options: argparse.Namespace) -> TrainConfig:
    """What all cases share."""
    return TrainConfig(
        epochs=options.epochs,
        seed=options.seed,
        bip=BIP,
        validation_fraction=0.0,
        augmentation=AUGMENTATION,
    )


def run_exact(options: argparse.Namespace, data: LabelledEvents, test: LabelledEvents) -> Any:
    """Train in event time; row of results."""
    config, net = settings(options), network(options, "readout")
    warm = data[: config.batch_size]

    def once(samples: LabelledEvents, chosen: TrainConfig) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            return train(net, samples, chosen, folder)

    once(warm, replace(config, epochs=1))  # what is loaded and made once
    result, cost = measured(lambda: once(data, config))
    tested = evaluate(result.net, test, config)
    events = sum(tested.synaptic_events.values())
    seconds = float(test.stream.duration.sum()) / 1e3
    spikes = sum(float(r.sum()) for r in tested.rates.values()) * seconds / len(test)
    return cost | {
        "test_accuracy": tested.accuracy,
        "in_exact_time": tested.accuracy,
        "train_accuracy": result.last["accuracy"],
        "rates_hz": {name: float(r.mean()) for name, r in tested.rates.items()},
        "synaptic_events": events,
        "neuron_updates": events + spikes,
    }


def run_grid(options: argparse.Namespace, data: LabelledEvents, test: LabelledEvents) -> Any:
    """Train on the grid; row of results."""
    published = options.one.startswith("published")
    shared, dt = settings(options), CASES[options.one]
    if published:
        plain = clocked.published()
        changed = ("loss", "rate_strength", "silent_lift", "clip_norm")
        shared = replace(shared, **{name: getattr(plain, name) for name in changed})
    method = clocked.Grid(dt=dt)
    net = network(options, "spiking" if published else "readout")
    result, cost = measured(lambda: train(net, data, shared, method=method))
    tested = evaluate(result.net, test, shared, method=method)
    moved = result.net
    if published:
        # The largest summed trace is that of the most spikes, but for what the end cuts off.
        counts = es.simulate(moved, test.stream)["output"].counts()
        in_exact_time = float((counts.argmax(axis=1) == test.labels).mean())
    else:
        in_exact_time = evaluate(moved, test, shared).accuracy
    return cost | {
        "test_accuracy": tested.accuracy,
        "in_exact_time": in_exact_time,
        "train_accuracy": result.last["accuracy"],
        "rates_hz": {name: float(r.mean()) for name, r in tested.rates.items()},
        "synaptic_events": sum(tested.synaptic_events.values()),
        "neuron_updates": tested.neuron_updates,
        "stored_mb": result.last["stored_mb"],
    }


def measured(call: Any) -> tuple[Any, dict[str, float]]:
    """What ``call`` returns, its seconds, and the memory of the process before and at its peak."""
    # Linux and glibc: what the warm-up left is given back, and the peak begins anew.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before, wall, processor = megabytes("VmRSS"), time.perf_counter(), time.process_time()
    result = call()
    cost = {
        "train_s": time.perf_counter() - wall,
        "train_cpu_s": time.process_time() - processor,
        "peak_mb": megabytes("VmHWM"),
        "before_mb": before,
    }
    return result, cost


def megabytes(which: str) -> float:
    """Memory of this process, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024


def one_case(options: argparse.Namespace) -> None:
    """In the process of one case: print its row."""
    data, test = load("train", options.train), load("test", options.test)
    work = run_exact if options.one == "exact" else run_grid
    row = {
        "bench": "clocked",
        "case": options.one,
        "dt_ms": CASES[options.one],
        "seed": options.seed,
        "epochs": options.epochs,
        "hidden": list(options.hidden),
        "train_samples": len(data),
        "test_samples": len(test),
        "case_threads": options.threads,
    }
    print(json.dumps(row | work(options, data, test)))


def main() -> None:
    """Run what is asked for, each case in a process of its own."""
    options = read_options()
    if options.one:
        one_case(options)
        return
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "EVENTSIM_THREADS")
    environment = os.environ | dict.fromkeys(threads, str(options.threads))
    rows = []
    for seed in options.seeds:
        for case in options.cases:
            words = [sys.executable, "-m", "bench.macro.clocked", "--one", case]
            words += ["--seed", str(seed), "--hidden", *map(str, options.hidden)]
            for name in ("epochs", "train", "test", "threads"):
                words += [f"--{name}", str(getattr(options, name))]
            done = subprocess.run(
                words, stdout=subprocess.PIPE, text=True, check=True, env=environment
            )
            rows.append(json.loads(done.stdout))
    report(rows, options)


def read_options() -> argparse.Namespace:
    """From the command line."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    options.add_argument("--seeds", type=int, nargs="+", default=[0])
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--hidden", type=int, nargs="+", default=[64, 64])
    options.add_argument("--train", type=int, default=20, help="recordings per digit")
    options.add_argument("--test", type=int, default=10, help="recordings per digit")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--one", choices=list(CASES), help=argparse.SUPPRESS)
    options.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    return options.parse_args()


if __name__ == "__main__":
    main()
