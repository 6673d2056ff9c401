"""What neurons with more states bring where rhythm is the only hint: equal numbers, equal search.

Method   Which of four frequencies (8, 12, 18, 27 Hz) modulates eight Poisson channels, four of them
         against the others; phase and mean rate are random, so counts say nothing. 500 ms; 320
         recordings to learn, 80 to choose the learning rate, 400 to be asked. One hidden population
         with some 240 trained numbers whatever its kind: weights and the parameters of the kind,
         drawn at the start from ranges that fit the frequencies (LIF and ALIF have taus of 5 to 60
         ms). All begin at 10 spikes/s (``es.calibrate``). Learning rates of all parameters times 1
         or 3: the better one of the 80, mean over the seeds, is told. Accuracies are of the last
         epoch. Operations: spikes times the synapses that they meet, the input's included.
         python -m bench.suite.frequency [--seeds N] [--kind NAME] [--epochs N]
Resumes  runs that stand in the file of results, with as many epochs, are left out.
Answer   see results/frequency.jsonl and docs/benchmarks.md.
"""

import json
import time
from itertools import product
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import RESULTS, parser, report
from eventsim.engine.contract.registry import set_threads
from eventsim.events import Dataset
from eventsim.train import LearningRates, TrainConfig

T, CHANNELS, HERTZ = 500.0, 8, (8.0, 12.0, 18.0, 27.0)
SIZES = {"lif": 17, "alif": 15, "adlif": 14, "resonator": 16}
TRAINED = {
    "lif": ("tau_mem", "tau_syn"),
    "alif": ("tau_mem", "tau_syn", "adaptation", "tau_adaptation"),
    "adlif": ("tau_mem", "tau_syn", "neuron"),
    "resonator": ("tau_syn", "neuron"),
}
OWN = {"lif": 2, "alif": 4, "adlif": 5, "resonator": 3}  # of a neuron
FACTORS = (1.0, 3.0)
START = 10.0  # spikes/s of hidden neurons


def recordings(size: int, seed: int) -> Dataset:
    """Labelled recordings of the task."""
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


def network(kind: str, seed: int) -> es.Network:
    """One hidden population of the kind."""
    rng, n = np.random.default_rng(seed), SIZES[kind]

    def drawn(low: float, high: float) -> Any:
        return np.exp(rng.uniform(np.log(low), np.log(high), n))

    neuron: Any = None
    if kind == "adlif":
        neuron = es.AdLIF(
            tau_mem=drawn(5, 30), tau_syn=drawn(2, 10), tau_w=drawn(20, 100), a=drawn(1, 8),
            b=rng.uniform(0, 0.3, n),
        )  # fmt: skip
    elif kind == "resonator":
        swing = {"frequency": 1000 / drawn(30, 150), "damping": 1000 / drawn(30, 120)}
        neuron = es.Resonator(tau_syn=drawn(2, 10), **swing)
    alif = (0.2, drawn(20, 100)) if kind == "alif" else None
    net = es.scsr(
        CHANNELS, (n,), len(HERTZ), self_recurrent=False, skip=False, refractory=2.0, alif=alif,
        neuron=neuron, mean=4.0, spread=4.0, seed=seed,
    )  # fmt: skip
    if neuron is None:
        hidden = net.populations["hidden1"]
        hidden.tau_mem[:], hidden.tau_syn[:] = drawn(5, 60), drawn(2, 20)
    return net


def run(kind: str, seed: int, factor: float, epochs: int) -> dict[str, Any]:
    """One training."""
    learned, chosen, asked = (recordings(n, 10 * seed + k) for k, n in enumerate((320, 80, 400)))
    net, plain = es.calibrate(network(kind, seed), learned.stream, target_hz=START), LearningRates()
    rates = {name: factor * value for name, value in vars(plain).items()}
    config = TrainConfig(
        epochs=epochs, seed=seed, bip=TRAINED[kind], validation_fraction=0.0,
        rates=LearningRates(**rates), rate_strength=0.0, precision="double", backend="cpu",
    )  # fmt: skip
    began = time.process_time()
    found = es.train(net, learned, config).net
    hidden, last = found.populations["hidden1"], es.evaluate(found, asked, config)
    return {
        "kind": kind, "seed": seed, "rate_factor": factor, "epochs": epochs, "hidden": hidden.size,
        "numbers": (CHANNELS + len(HERTZ) + OWN[kind]) * hidden.size,
        "chosen_accuracy": es.evaluate(found, chosen, config).accuracy,
        "accuracy": last.accuracy, "synaptic_events": sum(last.synaptic_events.values()),
        "cpu_seconds": time.process_time() - began,
    }  # fmt: skip


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["kind"], row["seed"], row["rate_factor"], row["epochs"]


def _lines(name: str | None) -> list[dict[str, Any]]:
    """Runs that a file of results has."""
    file = RESULTS / f"{name}.jsonl"
    if not name or not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """One row per run."""
    words = parser(__doc__.splitlines()[0])
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--kind", action="append", choices=list(SIZES))
    words.add_argument("--epochs", type=int, default=30)
    options = words.parse_args()
    set_threads(1)
    done = {_key(line) for line in _lines(options.save)}
    for seed, kind, factor in product(range(options.seeds), options.kind or SIZES, FACTORS):
        if (kind, seed, factor, options.epochs) in done:
            continue
        report([{"bench": "frequency"} | run(kind, seed, factor, options.epochs)], options)


if __name__ == "__main__":
    main()
