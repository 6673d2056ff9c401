"""Does the work per synaptic event stay the same as a recurrent network grows.

Method   1,000 to 100,000 neurons, a fifth of them inhibitory with g = 6, every neuron with 100
         targets (drawn with replacement, doubles merged) and a delay of 1.5 ms; as many inputs as
         neurons / 5, each to 100 neurons, at 20/s; neurons as in balanced.py. The biological time
         shrinks as the network grows, so that all make about as many synaptic events. One thread,
         CPU time of the process, minimum of the repeats. ``fixed_s`` is the same network run for
         0.1 ms: plan and arrays, which do not grow with time; the numbers by event and by spike are
         without it.
         ``ns_per_spike`` is the run's time over its spikes: all work, that of the inputs included.
Answer   see results/scaling.jsonl and docs/benchmarks.md.
"""

import argparse
import os
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import in_turn, parser, report
from bench.macro.balanced import DELAY, NEURON

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
FAN_OUT, INPUT_HZ, G = 100, 20.0, 6.0
EXC_MV, INPUT_MV = 1.8, 3.0  # area of a response over tau_mem
NEURON_MS = 10_000_000.0  # neurons times biological time
SHORT_MS = 0.1


# Columns of the table that matter most.
FIRST = ("case", "precision", "run_s", "ns_per_event", "ns_per_spike", "synaptic_events", "rate_hz")


def workload(n_neurons: int, duration: float, seed: int = 0) -> tuple[es.Network, es.EventStream]:
    """A network of one population, inhibitory neurons last."""
    rng = np.random.default_rng(seed)
    n_inputs = n_neurons // 5
    unit = NEURON["tau_mem"] / NEURON["tau_syn"]
    weights = np.where(np.arange(n_neurons) < 0.8 * n_neurons, EXC_MV, -G * EXC_MV)
    net = es.Network()
    net.add_input("input", n_inputs)
    net.add_population("neurons", n_neurons, **NEURON)
    drive = np.full(n_inputs, INPUT_MV)
    net.connect("input", "neurons", _wires(rng, drive * unit, n_neurons), delays=DELAY)
    net.connect("neurons", "neurons", _wires(rng, weights * unit, n_neurons), delays=DELAY)
    channels = rng.integers(0, n_inputs, rng.poisson(n_inputs * INPUT_HZ * duration * 1e-3))
    times = np.sort(rng.uniform(0.0, duration, channels.size))
    stream = es.EventStream.from_samples(
        [(times, channels)], n_channels=n_inputs, duration=duration
    )
    return net, stream


def _wires(rng: np.random.Generator, weights: np.ndarray, n_targets: int) -> sp.csr_array:
    """FAN_OUT synapses per source, none onto itself, all of the source's weight."""
    n = weights.size
    source = np.repeat(np.arange(n), FAN_OUT)
    target = rng.integers(0, n_targets, source.size)
    kept = target != source if n == n_targets else np.ones(source.size, bool)
    pairs = np.unique(source[kept] * n_targets + target[kept])
    source, target = np.divmod(pairs, n_targets)
    return sp.csr_array((weights[source], (source, target)), shape=(n, n_targets))


def measure(n_neurons: int, precision: Any, repeats: int) -> dict[str, Any]:
    """One row of the table."""
    duration = NEURON_MS / n_neurons
    seconds = []
    for ms in (SHORT_MS, duration):
        net, stream = workload(n_neurons, ms)

        def run(net: es.Network = net, stream: es.EventStream = stream) -> es.SpikeTape:
            return es.simulate(net, stream, backend="cpu", precision=precision)

        tape = run()
        seconds.append(in_turn({"run": run}, repeats=repeats, warm_up=0)["run"].minimum)
    fixed, whole = seconds
    events, spikes = sum(tape.synaptic_events.values()), len(tape["neurons"])
    return {
        "bench": "scaling",
        "case": f"{n_neurons}, {precision}",
        "neurons": n_neurons,
        "precision": precision,
        "clock": "CPU",
        "threads": 1,
        "fan_out": FAN_OUT,
        "ms": duration,
        "synaptic_events": events,
        "spikes": spikes,
        "rate_hz": spikes / n_neurons / duration * 1e3,
        "run_s": whole,
        "fixed_s": fixed,
        "ns_per_event": 1e9 * (whole - fixed) / events,
        "ns_per_spike": 1e9 * (whole - fixed) / spikes,
        "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    }


def _options() -> argparse.Namespace:
    words = parser(__doc__.splitlines()[0], repeats=3)
    words.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    return words.parse_args()


def main() -> None:
    """All sizes, in both precisions."""
    options = _options()
    report(
        [
            measure(size, precision, options.repeats)
            for precision in ("double", "single")
            for size in options.sizes
        ],
        options,
        first=FIRST,
    )


if __name__ == "__main__":
    main()
