"""What a budget of CPU seconds buys: accuracy beside libraries of fixed steps and a GRU.

Method   FSDD (under EVENTSIM_DATA), its official parts, no augmentation. Every program trains
         networks of two populations of 128 neurons (bench.macro.epoch: ours with all skips and BIP,
         without delays and with), and a GRU of as many parameters as theirs, in batches of 32 on
         one thread, for as many epochs as a budget of 10, 30 or 90 CPU seconds holds by the median
         of three timed ones, at least one. All warm up for one epoch and cool down by a cosine.
         Grids are of 10 ms, the fastest; batches are of like length and padded to the longest, and
         counting events into steps is not timed, nor is compiling. Learning rates are the best of
         at least four on a fifth of the training part (--search, 30 s, one seed; see
         results/defaults.md).
         Accuracy is that of the last epoch on the test part; operations are events at synapses, of
         the GRU multiplications by weights, of one recording of the test part. ``cpu_seconds`` is
         what training took.
         Needs torch, and the libraries that are to be seen; others are left out.
         python -m bench.suite.budget [--seeds N] [--budget S] [--program NAME] [--figure FILE]
         python -m bench.suite.budget --search
Answer   see results/budget.jsonl, results/budget.png and docs/benchmarks.md.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import eventsim as es
from bench.harness import RESULTS, parser, report
from bench.macro.epoch import BATCH, PADDED, TAIL, counted, network
from bench.macro.epoch_peers import PEERS, Peer, gru, pace, spiking
from eventsim import datasets
from eventsim.engine.contract.registry import set_threads
from eventsim.events import Dataset
from eventsim.plot.style import DPI, POPULATIONS, figure
from eventsim.train import LearningRates, TrainConfig, stratified_split
from eventsim.train.counting import count_trained

BUDGETS = (10.0, 30.0, 90.0)  # CPU seconds
STEP = 10.0  # ms
POOL = 8  # batches among which recordings are sorted by length
TIMED = 3  # epochs
SEARCHED = 30.0  # CPU seconds of each rate
RATES = (0.005, 0.01, 0.02, 0.04)

Row = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """What is trained: a function from data, seed, epochs and rate to a row.

    ``rate`` is the one that was found, ``needs`` the package without which it is left out.
    """

    train: Callable[[Dataset, Dataset, int, int, float], Row]
    rate: float
    needs: str = "eventsim"


def exact(
    training: Dataset, test: Dataset, seed: int, epochs: int, rate: float, *, delays: bool
) -> Row:
    """By eventsim, in exact event time."""
    net = network(training.stream.n_channels, lateral=False, delays=delays, seed=seed)
    config = TrainConfig(
        epochs=epochs,
        batch_size=BATCH,
        seed=seed,
        precision="single",
        validation_fraction=0.0,
        tail=TAIL if delays else 0.0,
        rates=LearningRates(weights=rate, taus=0.2 * rate, intrinsic=0.1 * rate),
    )
    marks = [time.process_time()]

    def note(event: es.train.TrainEvent) -> None:
        if event.kind == "epoch":
            marks.append(time.process_time())

    found = es.train(net, training, config, callback=note)
    asked = es.evaluate(found.net, test, config)
    return {
        "accuracy": asked.accuracy,
        "operations": sum(asked.synaptic_events.values()),
        "parameters": count_trained(found.net, config),
        **_seconds(marks),
    }


def binned(
    training: Dataset, test: Dataset, seed: int, epochs: int, rate: float, *, make: Any
) -> Row:
    """By a peer, on a grid."""
    peer: Peer = make(STEP, seed=seed)
    rng, seconds = np.random.default_rng(seed), 0.0
    per_epoch = -(-len(training) // BATCH)
    marks, step = [0.0], 0
    for _ in range(epochs):
        for counts, steps, labels in batches(training, rng):
            began = time.process_time()
            peer.train(counts, labels, steps, rate * pace(step, per_epoch, epochs))
            seconds += time.process_time() - began
            step += 1
        marks.append(seconds)
    right, work = 0, 0.0
    for counts, steps, labels in batches(test, rng):
        classes, operations = peer.answers(counts, steps)
        right, work = right + int((classes == labels).sum()), work + float(operations.sum())
    return {
        "accuracy": right / len(test),
        "operations": work / len(test),
        "parameters": peer.n_parameters,
        **_seconds(marks),
    }


def batches(data: Dataset, rng: np.random.Generator) -> Iterable[tuple[Any, Any, Any]]:
    """Counts, steps and labels of recordings of like length, in a new order."""
    duration = np.broadcast_to(data.stream.duration, len(data))
    order, found = rng.permutation(len(data)), []
    for k in range(0, order.size, POOL * BATCH):
        pool = order[k : k + POOL * BATCH]
        pool = pool[np.argsort(duration[pool], kind="stable")]
        found += [pool[j : j + BATCH] for j in range(0, pool.size, BATCH)]
    for k in rng.permutation(len(found)):
        length = np.minimum(duration[found[k]], PADDED)
        steps = np.ceil(length / STEP).astype(int)
        yield counted(data, found[k], STEP, float(length.max())), steps, data.labels[found[k]]


def _seconds(marks: list[float]) -> Row:
    each = np.diff(marks)
    return {"cpu_seconds": round(float(each.sum()), 2), "epoch_cpu_s": float(np.median(each))}


def _on_grid(make: Any, rate: float, needs: str) -> Program:
    return Program(partial(binned, make=make), rate, needs)


FOUND = {"snnTorch, RSynaptic": 0.04, "SpikingJelly, CUBALIF": 0.04, "Norse, LIFCell": 0.02}
PROGRAMS: Mapping[str, Program] = {
    "eventsim, no delays": Program(partial(exact, delays=False), 0.02),
    "eventsim, delays": Program(partial(exact, delays=True), 0.02),
    **{name: _on_grid(partial(spiking, make), FOUND[name], needs) for name, needs, make in PEERS},
    "GRU": _on_grid(gru, 0.01, "torch"),
}


def seconds_of_epoch(program: Program, training: Dataset) -> float:
    """By a short training."""
    program.train(training[:BATCH], training[:BATCH], 0, 1, program.rate)  # compiles, loads
    return program.train(training, training[:BATCH], 0, TIMED, program.rate)["epoch_cpu_s"]


def draw(rows: list[Row]) -> Figure:
    """Accuracy against CPU seconds; a line is a mean over seeds, a bar its range."""
    drawn = figure(6.4, 4.2)
    axes = drawn.subplots()
    for k, name in enumerate(dict.fromkeys(row["program"] for row in rows)):
        mine = [row for row in rows if row["program"] == name]
        groups = [
            [r for r in mine if r["budget_s"] == b] for b in sorted({r["budget_s"] for r in mine})
        ]
        seconds = [np.mean([r["cpu_seconds"] for r in group]) for group in groups]
        means = np.array([100.0 * np.mean([r["accuracy"] for r in group]) for group in groups])
        least = [100.0 * min(r["accuracy"] for r in group) for group in groups]
        most = [100.0 * max(r["accuracy"] for r in group) for group in groups]
        colour = POPULATIONS[k % len(POPULATIONS)]
        bars = [means - least, most - means]
        axes.errorbar(seconds, means, bars, fmt="o-", ms=4, color=colour, label=name, capsize=2)
    axes.set_xscale("log")
    budgets = sorted({row["budget_s"] for row in rows})
    axes.set_xticks(budgets, [f"{budget:g}" for budget in budgets])
    axes.minorticks_off()
    axes.set_xlabel("CPU seconds of training")
    axes.set_ylabel("accuracy on the test part, %")
    axes.legend(loc="lower right")
    return drawn


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--budget", type=float, action="append", help="CPU seconds")
    words.add_argument("--program", action="append", choices=list(PROGRAMS))
    words.add_argument("--recordings", type=int, help="of the training part")
    words.add_argument("--search", action="store_true", help="all rates, on recordings held out")
    words.add_argument("--figure", type=Path, help="default: results/NAME.png with --save NAME")
    return words.parse_args()


def main() -> None:
    """One row per run, one line per program in the picture."""
    options = _options()
    set_threads(1)
    training, test = (datasets.load("fsdd", split=split) for split in ("train", "test"))
    if options.search:
        kept, held = stratified_split(training.labels, fraction=0.2, seed=0)
        training, test = training[kept], training[held]
    if options.recordings is not None:
        chosen = np.random.default_rng(0).permutation(len(training))[: options.recordings]
        training = training[np.sort(chosen)]
    rows: list[Row] = []
    for name in options.program or PROGRAMS:
        program = PROGRAMS[name]
        if find_spec(program.needs) is None:
            print(f"{name}: left out, {program.needs} is not installed")
            continue
        budgets = options.budget or ((SEARCHED,) if options.search else BUDGETS)
        rates = RATES if options.search else (program.rate,)
        seeds = range(1 if options.search else options.seeds)
        each = seconds_of_epoch(program, training)
        for budget, rate, seed in product(budgets, rates, seeds):
            epochs = max(1, round(budget / each))
            row = program.train(training, test, seed, epochs, rate)
            about = {"bench": "budget", "program": name, "budget_s": budget, "seed": seed}
            about |= {"rate": rate, "search": options.search, "epochs": epochs}
            about |= {"time_step": "none" if name.startswith("eventsim") else f"{STEP:g} ms"}
            rows.append(about | {"recordings": len(training)} | row)
            report(rows[-1:], options)
    picture = options.figure or (options.save and RESULTS / f"{options.save}.png")
    if picture and rows:
        draw(rows).savefig(picture, dpi=DPI)


if __name__ == "__main__":
    main()
