"""What a readout's integral, its largest voltage and their gradients cost, and how exact they are.

Method   W1 (32 samples of 1 s, one source of 256 neurons, 11 outputs), and 32 samples of 0.3 to
         0.6 s as those of FSDD: 64 channels and two populations of 128 neurons, 10 outputs whose
         time constants all differ; and the network of convolutions of the task fsdd_voices, 30 maps
         of 16 outputs. Forward and backward of the cpu backend on the spikes of one run in double
         precision, host side included; CPU time on one thread, the least of all repeats. Errors are
         those of single precision, relative to the largest value.
Answer   results/readout.jsonl.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import arguments, in_turn, report
from bench.macro.w1 import workload
from eventsim.engine import get_backend
from eventsim.engine.contract.job import Job
from eventsim.engine.run.run import readout_job

RATE = 1.0 / 300.0  # of the integral's weight, 1/ms


# Columns of the table that matter most.
FIRST = (
    "shape",
    "precision",
    "forward_ms",
    "backward_ms",
    "largest_ms",
    "largest_backward_ms",
    "error_integral",
    "error_weights",
)


def jobs() -> Iterator[tuple[str, Job]]:
    """The readouts with their spikes."""
    net, stream, _ = workload()
    yield "w1", readout_job(net, es.simulate(net, stream, backend="cpu"), "output")
    rng = np.random.default_rng(7)
    lengths = rng.uniform(300.0, 610.0, 32)
    samples = [
        (np.sort(rng.uniform(0.0, length, n)), rng.integers(0, 64, n))
        for length, n in zip(lengths, rng.poisson(2.8 * lengths), strict=True)
    ]
    stream = es.EventStream.from_samples(samples, n_channels=64, duration=lengths)
    net = es.scsr(64, (128, 128), 10, mean=10.0, spread=1.0, seed=rng)
    output = net.readouts["output"]
    output.tau_mem[:] *= rng.uniform(0.8, 1.2, 10)
    output.tau_syn[:] *= rng.uniform(0.8, 1.2, 10)
    net = es.calibrate(net, stream, target_hz=10)
    yield "fsdd", readout_job(net, es.simulate(net, stream, backend="cpu"), "output")
    net = es.convolutional(
        64, (24,), 10, output_maps=30, kernel=(9, 5), stride=(2, 2), forward_delays=(0.0, 170.0)
    )
    net = es.calibrate(net, stream, target_hz=13)
    yield "convolution", readout_job(net, es.simulate(net, stream, backend="cpu"), "output")


def values(job: Job, seed: Any) -> dict[str, np.ndarray]:
    """The integral and its gradients, and the largest voltages and theirs by weights."""
    engine = get_backend("cpu")
    found, peaks = engine.readout_backward(job, RATE, seed), engine.readout_peaks(job)
    taus = {key: found.parameters[key] for key in ("tau_mem", "tau_syn")}
    times = np.concatenate(found.source_times)
    integral = engine.readout_forward(job, RATE)
    of_peaks = {
        "largest": peaks.value,
        "largest_weights": peaks.backward(seed[:, :, None]).synapses,
    }
    return {"integral": integral, "weights": found.weights, "times": times, **taus, **of_peaks}


def main() -> None:
    """Measure all shapes in both precisions."""
    options = arguments(__doc__.splitlines()[0])
    engine, rows = get_backend("cpu"), []
    for name, job in jobs():
        size = job.stage.population.size
        seed = np.random.default_rng(0).normal(size=(job.n_samples, size))
        double, single = job, replace(job, precision="single")
        exact, rounded = values(double, seed), values(single, seed)
        for one in (single, double):
            peaks = engine.readout_peaks(one)
            calls = {
                "forward_ms": partial(engine.readout_forward, one, RATE),
                "backward_ms": partial(engine.readout_backward, one, RATE, seed),
                "largest_ms": partial(engine.readout_peaks, one),
                "largest_backward_ms": partial(peaks.backward, seed[:, :, None]),
            }
            took = in_turn(calls, repeats=options.repeats)
            rows.append(
                {
                    "bench": "readout",
                    "shape": name,
                    "precision": one.precision,
                    "spikes": sum(source.times.size for source in one.sources),
                    "outputs": size,
                    "clock": "CPU",
                    **{name: 1e3 * one.minimum for name, one in took.items()},
                }
            )
        rows[-2] |= {
            f"error_{key}": float(np.abs(rounded[key] - wanted).max() / np.abs(wanted).max())
            for key, wanted in exact.items()
        }
    report(rows, options, first=FIRST)


if __name__ == "__main__":
    main()
