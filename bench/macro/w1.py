"""W1: how long does one training step take, and how exact is single precision.

Method   32 samples of 1 s, 64 Poisson channels at 100/s, 256 self-recurrent neurons with every
         time constant different (tau_mem 16-24 ms, tau_syn 8-12 ms), 11 readouts, dense; 52 M
         neuron-events. Forward is ``simulate`` and the readout integral; forward + backward adds
         the cross-entropy and all gradients of weights and neuron parameters. ``by_naive`` is
         beside the forward pass of a naive exact loop in C (naive.c), which has one time constant
         for all neurons and no gradient. All take turns, on one thread, in CPU time of the
         process, the minimum of the repeats. ``refractory`` has a refractory time of 1 ms. Peak
         memory is that of a fresh process that does one such step. The error is taken against
         double precision: spikes without a partner within 5 ms (and the difference where a neuron
         fires a different number of times), and the times of all others.
Answer   see results/w1.jsonl and docs/benchmarks.md.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import arguments, in_turn, report
from bench.macro import naive
from eventsim.train import CrossEntropy

TIME_CONSTANT = 300.0
PARTNER_MS = 5.0
# Name, precision and refractory time in ms.
CASES = (("single", "single", 0.0), ("double", "double", 0.0), ("refractory", "single", 1.0))


# Columns of the table that matter most.
FIRST = (
    "case",
    "forward_s",
    "forward_backward_s",
    "naive_s",
    "forward_by_naive",
    "forward_backward_by_naive",
    "median_error_ms",
    "peak_mb",
)


def workload(
    seed: int = 0, *, n_samples: int = 32, n_hidden: int = 256
) -> tuple[es.Network, es.EventStream, CrossEntropy]:
    """W1 with heterogeneous time constants, at its own size or another."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(n_samples):
        counts = rng.poisson(100.0, 64)
        channels = np.repeat(np.arange(64), counts)
        times = rng.uniform(0.0, 1000.0, counts.sum())
        order = np.argsort(times)
        samples.append((times[order], channels[order]))
    stream = es.EventStream.from_samples(samples, n_channels=64, duration=1000.0)
    net = es.Network()
    net.add_input("input", 64)
    net.add_population(
        "hidden",
        n_hidden,
        tau_mem=20.0 * rng.uniform(0.8, 1.2, n_hidden),
        tau_syn=10.0 * rng.uniform(0.8, 1.2, n_hidden),
    )
    net.add_readout("output", 11, tau_mem=20.0, tau_syn=10.0)
    net.connect("input", "hidden", rng.normal(0.017, 0.03, (64, n_hidden)))
    net.connect("hidden", "hidden", es.self_recurrent(rng.normal(0.0, 0.15, n_hidden)))
    net.connect("hidden", "output", rng.normal(0.02, 0.02, (n_hidden, 11)))
    return net, stream, CrossEntropy(np.arange(n_samples) % 11, time_constant=TIME_CONSTANT)


def step(
    net: es.Network, stream: es.EventStream, loss: CrossEntropy, precision: Any
) -> es.Gradients:
    """One forward and backward pass."""
    return es.backward(net, es.simulate(net, stream, backend="cpu", precision=precision), loss)


def error(single: es.SpikeTrains, double: es.SpikeTrains) -> dict[str, float]:
    """Spikes without a partner, and the times of those that have one."""
    one, two = single.counts(), double.counts()
    same = one == two
    gaps = np.abs(_by_neuron(single, same) - _by_neuron(double, same))
    unmatched = int(np.abs(one - two).sum() + (gaps > PARTNER_MS).sum())
    gaps = gaps[gaps <= PARTNER_MS]
    return {
        "unmatched_spikes": unmatched,
        "unmatched_percent": 100.0 * unmatched / float(two.sum()),
        "above_1e-3_ms_percent": 100.0 * float((gaps > 1e-3).mean()),
        "median_error_ms": float(np.median(gaps)),
        "p99_error_ms": float(np.quantile(gaps, 0.99)),
        "largest_error_ms": float(gaps.max()),
    }


def _by_neuron(trains: es.SpikeTrains, chosen: np.ndarray) -> np.ndarray:
    sample = np.repeat(np.arange(trains.n_samples), np.diff(trains.offsets))
    order = np.lexsort((trains.times, trains.neurons, sample))
    mine = chosen[sample[order], trains.neurons[order]]
    return trains.times[order][mine]


def peak_megabytes() -> float:
    """Peak memory of a fresh process that makes one step in single precision."""
    words = [sys.executable, "-m", "bench.macro.w1", "--one-step"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _calls() -> tuple[dict[str, Callable[[], Any]], dict[str, es.SpikeTape]]:
    """What takes turns, by name, and the tapes of the cases."""
    net, stream, loss = workload()
    calls: dict[str, Callable[[], Any]] = {"naive": lambda: naive.forward(net, stream)}
    tapes = {}
    for name, precision, refractory in CASES:
        own = net.copy()
        own.populations["hidden"].refractory[:] = refractory

        def forward(own: es.Network = own, precision: Any = precision) -> es.SpikeTape:
            tape = es.simulate(own, stream, backend="cpu", precision=precision)
            es.readout_integral(own, tape, "output", time_constant=TIME_CONSTANT)
            return tape

        def both(own: es.Network = own, precision: Any = precision) -> es.Gradients:
            return step(own, stream, loss, precision)

        calls |= {f"{name} forward": forward, f"{name} both": both}
        tapes[name] = forward()
    return calls, tapes


def main() -> None:
    """Measure all cases beside the naive loop."""
    if sys.argv[1:] == ["--one-step"]:
        step(*workload(), "single")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    options = arguments(__doc__.splitlines()[0])
    calls, tapes = _calls()
    found = in_turn(calls, repeats=options.repeats)
    base, rows = found["naive"].minimum, []
    for name, precision, refractory in CASES:
        ahead, both = found[f"{name} forward"], found[f"{name} both"]
        rows.append(
            {
                "bench": "w1",
                "case": name,
                "precision": precision,
                "refractory_ms": refractory,
                "clock": "CPU",
                "threads": 1,
                "forward_s": ahead.minimum,
                "forward_median_s": ahead.median,
                "forward_backward_s": both.minimum,
                "forward_backward_median_s": both.median,
                "naive_s": base,
                "forward_by_naive": ahead.minimum / base,
                "forward_backward_by_naive": both.minimum / base,
                "first_call_s": ahead.first + both.first,
                "hidden_spikes": len(tapes[name]["hidden"]),
                "neuron_events": tapes[name].synaptic_events["input->hidden"],
            }
        )
    rows[0] |= {"peak_mb": peak_megabytes()} | error(
        tapes["single"]["hidden"], tapes["double"]["hidden"]
    )
    report(rows, options, first=FIRST)


if __name__ == "__main__":
    main()
