"""What neurons with more states bring: LIF, ALIF, AdLIF and resonators, equal numbers and search.

Method   One hidden population, feedforward, no delays, refractory 2 ms: nothing reaches the
         readout but by these neurons. Each task has so many LIF neurons; those of the other kinds
         have as many trained numbers, or the nearest: weights, taus of all neurons, and what the
         kind has beyond. Taus, adaptation and frequencies are drawn from the ranges of
         :func:`network`, the slow ones from one range of the task, the same for all kinds. All
         begin at 10 spikes/s (``es.calibrate``). Learning rates of all parameters are those of
         ``TrainConfig`` times 1 or 3: recordings choose that are neither learned nor asked, mean
         over the seeds, once for a task and kind. Accuracies are of the last epoch on the test
         part.

         frequency      which of four (8, 12, 18, 27 Hz) modulates eight Poisson channels, half of
                        them against the others; phase and mean rate are random; 500 ms
         fsdd           recordings of people; the five speakers of training are asked
         fsdd_speakers  seed k asks the k-th of five speakers, the next one chooses, three are
                        learned
         spoken_digits  synthetic voices; voices of training choose that are not learned, the 15
                        voices of the test part are asked
         delayed_match  one of four patterns, a silence of 150 to 250 ms, the same or another
         nmnist         pictures of a moving event camera, the packed subset

         Operations: spikes times the synapses that they meet, the input's included. Energy: chip
         45nm_sram, event by event; what its sum lacks is in ``missing``.
         python -m bench.suite.neurons [--task NAME] [--kind NAME] [--seeds N] [--epochs N]
Resumes  runs that stand in the file of results, of this commit and as many epochs, are left out.
Answer   see results/neurons.jsonl and docs/benchmarks.md.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

import bench.suite.delayed_match as delayed
import eventsim as es
from bench.harness import RESULTS, machine, parser, report
from eventsim import datasets
from eventsim.chips import load_chip
from eventsim.datasets.fsdd import KNOWN_SPEAKERS
from eventsim.energy import count, energy
from eventsim.engine.contract.registry import set_threads
from eventsim.events import Dataset
from eventsim.events.labelled import grouped_split, stratified_split
from eventsim.experiment import load_task
from eventsim.train import Augmentation, LearningRates, TrainConfig
from eventsim.train.groups import select

Parts = tuple[Dataset, Dataset, Dataset]  # learned, chosen by, asked

KINDS = ("lif", "alif", "adlif", "resonator")
FACTORS = (1.0, 3.0)
START = 10.0  # spikes/s of hidden neurons
TRAINED = ("tau_mem", "tau_syn", "adaptation", "tau_adaptation", "neuron")
T, CHANNELS, HERTZ = 500.0, 8, (8.0, 12.0, 18.0, 27.0)
PJ_PER_UJ = 1e6


@dataclass(frozen=True)
class Task:
    """Recordings, and how many numbers of what length of training they get."""

    parts: Callable[[int], Parts]  # of a seed
    hidden: int  # LIF neurons
    epochs: int
    slow: tuple[float, float] = (20.0, 100.0)  # ms, of adaptation and damping
    membrane: tuple[float, float] = (5.0, 60.0)  # ms, of neurons without either, and of ALIF
    coupling: tuple[float, float] = (0.3, 3.0)  # a of AdLIF
    augmented_as: str | None = None  # a task of `eventsim experiment`


def modulated(size: int, seed: int) -> Dataset:
    """Labelled recordings of the task of frequencies."""
    rng, samples = np.random.default_rng(seed), []
    labels = np.arange(size) % len(HERTZ)
    for label in labels:
        rate, phase = np.exp(rng.uniform(np.log(0.03), np.log(0.09))), rng.uniform(0, 2 * np.pi)
        n = rng.poisson(2 * rate * T * CHANNELS)
        times, channels = rng.uniform(0, T, n), rng.integers(0, CHANNELS, n)
        side = np.where(channels < CHANNELS // 2, 1.0, -1.0)
        wave = np.sin(2 * np.pi * HERTZ[label] * times / 1000 + phase)
        kept = rng.random(n) < 0.5 * (1 + 0.9 * side * wave)
        order = np.argsort(times[kept])
        samples.append((times[kept][order], channels[kept][order]))
    stream = es.EventStream.from_samples(samples, n_channels=CHANNELS, duration=T)
    return Dataset(stream, labels, tuple(f"{hz:g} Hz" for hz in HERTZ))


def frequency(seed: int) -> Parts:
    """320, 80 and 400 recordings."""
    return modulated(320, 10 * seed), modulated(80, 10 * seed + 1), modulated(400, 10 * seed + 2)


def delayed_match(seed: int) -> Parts:
    """400, 200 and 1,000 samples, drawn by other seeds."""
    load = delayed.load
    learned, chosen = load(size=400, seed=10 * seed), load(size=200, seed=10 * seed + 1)
    return learned, chosen, load(size=1000, seed=10 * seed + 2)


def _few(data: Dataset, size: int, seed: int) -> tuple[Dataset, Dataset]:
    """Some recordings, as many of every class, and all others."""
    rest, chosen = stratified_split(data.labels, fraction=size / len(data), seed=seed)
    return data[chosen], data[rest]


def fsdd(seed: int) -> Parts:
    """400 and 200 recordings of the training part, and the test part."""
    learned, rest = _few(datasets.load("fsdd", split="train"), 400, seed)
    return learned, _few(rest, 200, seed)[0], datasets.load("fsdd", split="test")


def fsdd_speakers(seed: int) -> Parts:
    """400 recordings of three speakers, 200 of a fourth, 450 of a fifth."""
    data, order = datasets.load("fsdd", split="train"), np.roll(KNOWN_SPEAKERS, -seed)
    asked, choosing = data[data.groups == order[0]], data[data.groups == order[1]]
    learned = data[np.isin(data.groups, order[2:])]
    return _few(learned, 400, seed)[0], _few(choosing, 200, seed)[0], asked


def spoken_digits(seed: int) -> Parts:
    """400 recordings of 48 voices, 200 of 12, and the test part's 330 of 15 others."""
    data = datasets.load("spoken_digits", split="train")
    others, choosing = grouped_split(data.groups, fraction=0.2, seed=seed)
    asked = datasets.load("spoken_digits", split="test")
    return _few(data[others], 400, seed)[0], _few(data[choosing], 200, seed)[0], asked


def nmnist(seed: int) -> Parts:
    """321 and 79 recordings of 400, and 100."""
    choosing, learned = _few(datasets.load("nmnist", split="train"), 80, seed)
    return learned, choosing, datasets.load("nmnist", split="test")


TASKS = {
    "fsdd_speakers": Task(fsdd_speakers, 64, 15, augmented_as="fsdd"),
    "delayed_match": Task(delayed_match, 24, 40, slow=(50.0, 300.0), membrane=(10.0, 300.0)),
    "frequency": Task(frequency, 17, 30, coupling=(1.0, 8.0)),
    "spoken_digits": Task(spoken_digits, 64, 15, augmented_as="spoken_digits"),
    "nmnist": Task(nmnist, 32, 15, augmented_as="nmnist"),
    "fsdd": Task(fsdd, 64, 15, augmented_as="fsdd"),
}


def network(task: Task, kind: str, n: int, data: Dataset, seed: int) -> es.Network:
    """A hidden population of the kind, uncalibrated."""
    rng = np.random.default_rng(seed)

    def drawn(low: float, high: float) -> Any:
        return np.exp(rng.uniform(np.log(low), np.log(high), n))

    net = es.scsr(
        data.stream.n_channels, (n,), len(data.class_names), self_recurrent=False, skip=False,
        alif=(0.2, 100.0) if kind == "alif" else None, refractory=2.0, mean=4.0, spread=4.0,
        neuron={"adlif": es.AdLIF(), "resonator": es.Resonator()}.get(kind), seed=seed,
    )  # fmt: skip
    values = net.populations["hidden1"].parameters
    if kind in ("lif", "alif"):
        ranges = {"tau_mem": task.membrane, "tau_syn": (2.0, 20.0)}
    elif kind == "adlif":
        ranges = {"tau_mem": (5.0, 30.0), "tau_syn": (2.0, 10.0), "a": task.coupling}
        values["b"][:] = rng.uniform(0.0, 0.3, n)
    else:
        ranges = {"tau_syn": (2.0, 10.0), "frequency": (1000 / 150, 1000 / 30)}
        values["damping"][:] = 1000.0 / drawn(*task.slow)
    slow = {"alif": "tau_adaptation", "adlif": "tau_w"}.get(kind)
    for name, bounds in (ranges | ({slow: task.slow} if slow else {})).items():
        values[name][:] = drawn(*bounds)
    return net


def numbers(net: es.Network) -> int:
    """Trained ones."""
    found = net.parameters()
    return sum(np.size(found[key]) for key in select(net, ("weights", *TRAINED)))


def sized(task: Task, kind: str, data: Dataset, seed: int) -> es.Network:
    """The network of this kind whose numbers come nearest to those of the task's LIF neurons."""
    wanted = numbers(network(task, "lif", task.hidden, data, seed))
    sizes = range(task.hidden, task.hidden // 2, -1)
    nets = (network(task, kind, n, data, seed) for n in sizes)
    return min(nets, key=lambda net: abs(numbers(net) - wanted))


def config_of(task: Task, seed: int, factor: float, epochs: int) -> TrainConfig:
    """Settings of a training, the same for all kinds."""
    rates = {name: factor * value for name, value in vars(LearningRates()).items()}
    augmentation = Augmentation()
    if task.augmented_as:
        augmentation = TrainConfig.from_dict(load_task(task.augmented_as).train).augmentation
    return TrainConfig(
        epochs=epochs, seed=seed, bip=TRAINED, validation_fraction=0.0, backend="cpu",
        rates=LearningRates(**rates), rate_strength=0.0, augmentation=augmentation,
    )  # fmt: skip


def run(name: str, kind: str, seed: int, factor: float, epochs: int) -> dict[str, Any]:
    """One training."""
    task, began = TASKS[name], time.process_time()
    learned, chosen, asked = task.parts(seed)
    net = es.calibrate(sized(task, kind, learned, seed), learned.stream, target_hz=START)
    config = config_of(task, seed, factor, epochs)
    found = es.train(net, learned, config).net
    seconds = time.process_time() - began
    counts = count(found, es.simulate(found, asked.stream, backend="cpu", precision="single"))
    priced = energy(counts, load_chip("45nm_sram"))
    return {
        "task": name, "kind": kind, "seed": seed, "rate_factor": factor, "epochs": epochs,
        "learned": len(learned), "chosen_by": len(chosen), "asked": len(asked),
        "hidden": counts.sizes["hidden1"], "numbers": numbers(found),
        "chosen_accuracy": es.evaluate(found, chosen, config).accuracy,
        "accuracy": es.evaluate(found, asked, config).accuracy,
        "spikes": float(counts.spikes["hidden1"].mean()),
        "synaptic_events": sum(float(n.mean()) for n in counts.synaptic_events.values()),
        "energy_uj": priced.total_pj / PJ_PER_UJ,
        "missing": [missing.name for missing in priced.missing],
        "cpu_seconds": seconds,
    }  # fmt: skip


def _known(name: str | None) -> set[tuple[Any, ...]]:
    """Runs of this commit that a file of results has."""
    file = RESULTS / f"{name}.jsonl"
    if not name or not file.exists():
        return set()
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    keys = ("task", "kind", "seed", "rate_factor", "epochs", "commit")
    return {tuple(line[key] for key in keys) for line in lines}


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One per run that is not yet known."""
    known, commit = _known(options.save), machine()["commit"]
    for name in options.task or TASKS:
        epochs = options.epochs or TASKS[name].epochs
        for seed, factor, kind in product(range(options.seeds), FACTORS, options.kind or KINDS):
            if (name, kind, seed, factor, epochs, commit) not in known:
                yield {"bench": "neurons"} | run(name, kind, seed, factor, epochs)


def main() -> None:
    """All runs, or those that were asked for."""
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--task", action="append", choices=list(TASKS))
    words.add_argument("--kind", action="append", choices=KINDS)
    words.add_argument("--epochs", type=int)
    options = words.parse_args()
    set_threads(1)
    report(rows(options), options)


if __name__ == "__main__":
    main()
