"""W2: does the time of a sparse network grow with its synaptic operations alone.

Method   W2: 2,000 inputs at 5 spikes/s, 20,000 neurons, 1 % connectivity, 4 samples of 1 s, single
         precision, one thread, CPU time of the process; then half and double connectivity, and half
         and double the neurons. If time is proportional to synaptic operations, ns per operation
         stays the same in all rows.
Answer   see results/w2.jsonl and docs/benchmarks.md.
"""

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import arguments, in_turn, report

N_INPUTS, RATE_HZ, N_SAMPLES, DURATION = 2_000, 5.0, 4, 1000.0
CASES = {
    "W2": (20_000, 0.01),
    "half connectivity": (20_000, 0.005),
    "double connectivity": (20_000, 0.02),
    "half size": (10_000, 0.01),
    "double size": (40_000, 0.01),
}


# Columns of the table that matter most.
FIRST = (
    "case",
    "neurons",
    "density",
    "forward_s",
    "backward_s",
    "forward_ns_per_event",
    "backward_ns_per_event",
)


def workload(n_neurons: int, density: float) -> tuple[es.Network, es.EventStream]:
    """A layer of ``n_neurons`` that fires at a few Hz."""
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(N_SAMPLES):
        channels = rng.integers(0, N_INPUTS, rng.poisson(N_INPUTS * RATE_HZ * DURATION * 1e-3))
        samples.append((np.sort(rng.uniform(0.0, DURATION, channels.size)), channels))
    stream = es.EventStream.from_samples(samples, n_channels=N_INPUTS, duration=DURATION)
    weights = sp.random_array((N_INPUTS, n_neurons), density=density, format="csr", rng=rng)
    # The drive has about the same mean and variance at every density, and so the rate.
    scale = 0.01 / density
    weights.data = rng.normal(1.6 * scale, 1.6 * np.sqrt(scale), weights.nnz)
    net = es.Network()
    net.add_input("input", N_INPUTS)
    net.add_population("hidden", n_neurons, tau_mem=rng.uniform(15, 25, n_neurons))
    net.connect("input", "hidden", weights)
    return net, stream


def main() -> None:
    """Measure all cases."""
    options = arguments(__doc__.splitlines()[0])
    rows = []
    for name, (n_neurons, density) in CASES.items():
        net, stream = workload(n_neurons, density)

        def forward(net: es.Network = net, stream: es.EventStream = stream) -> es.SpikeTape:
            return es.simulate(net, stream, backend="cpu", precision="single")

        tape = forward()
        seeds = {"hidden": np.ones(len(tape["hidden"]))}

        def backward(
            net: es.Network = net, tape: es.SpikeTape = tape, seeds: dict[str, np.ndarray] = seeds
        ) -> es.Gradients:
            return es.backward(net, tape, seeds)

        found = in_turn({"forward": forward, "backward": backward}, repeats=options.repeats)
        ahead, back = found["forward"], found["backward"]
        events = tape.synaptic_events["input->hidden"]
        rows.append(
            {
                "bench": "w2",
                "case": name,
                "clock": "CPU",
                "threads": 1,
                "neurons": n_neurons,
                "density": density,
                "synaptic_events": events,
                "spikes_per_neuron_s": len(tape["hidden"]) / n_neurons / N_SAMPLES,
                "forward_s": ahead.minimum,
                "backward_s": back.minimum,
                "forward_ns_per_event": 1e9 * ahead.minimum / events,
                "backward_ns_per_event": 1e9 * back.minimum / events,
            }
        )
    report(rows, options, first=FIRST)


if __name__ == "__main__":
    main()
