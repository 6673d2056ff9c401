"""From which share of synapses on is a sparse matrix faster with its zeros than without.

Method   Poisson input of 40 Hz per channel for 500 ms to one population, sparse weights without
         delays, single precision, one thread. Once neurons meet all events side by side, as behind
         a dense matrix, once each walks the events of its own sources; ``forward`` and ``backward``
         are the second's seconds over the first's, from the minima of the repeats.
Answer   see results/filling.jsonl and ``LEAST_FILLED`` of eventsim/plan/plan.py.
"""

from typing import Any
from unittest.mock import patch

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import arguments, report, timed
from eventsim.engine.contract.registry import set_threads

# Channels, neurons, samples.
SHAPES = ((64, 64, 16), (256, 512, 4), (1_000, 2_000, 1))
SHARES = (0.01, 0.02, 1 / 32, 0.0625, 0.1, 0.2)
DURATION, RATE = 500.0, 40.0


def workload(n_inputs: int, size: int, n_samples: int, share: float) -> tuple[Any, Any]:
    """Network and input; a neuron fires about 20 times a second, whatever the share."""
    rng = np.random.default_rng(0)
    weights = sp.random_array((n_inputs, size), density=share, format="csr", rng=rng)
    fan_in = n_inputs * share
    weights.data[:] = rng.normal(4.0 / fan_in, 3.0 / np.sqrt(fan_in), weights.nnz)
    net = es.Network()
    net.add_input("input", n_inputs)
    net.add_population("neurons", size, tau_syn=10.0)
    net.connect("input", "neurons", weights)
    return net, poisson_input(n_inputs, n_samples, rng)


def poisson_input(n_inputs: int, n_samples: int, rng: np.random.Generator) -> es.EventStream:
    """RATE Hz on every channel for DURATION ms."""
    counts = rng.poisson(RATE * 1e-3 * DURATION * n_inputs, n_samples)
    samples = [(np.sort(rng.uniform(0, DURATION, n)), rng.integers(0, n_inputs, n)) for n in counts]
    return es.EventStream.from_samples(samples, n_channels=n_inputs, duration=DURATION)


def seconds(case: tuple[int, int, int, float], repeats: int, *, least: float) -> list[float]:
    """Of both passes, and the spikes, where matrices are kept whole from a share of ``least``."""
    net, stream = workload(*case)
    with patch("eventsim.plan.plan.LEAST_FILLED", least):
        return both_passes(net, stream, repeats)


def both_passes(net: es.Network, stream: es.EventStream, repeats: int) -> list[float]:
    """Least seconds forward and backward of a network with one population, and its spikes."""

    def forward() -> Any:
        return es.simulate(net, stream, backend="cpu", precision="single")

    tape = forward()
    seeds = {"neurons": np.ones(len(tape["neurons"]))}

    def backward() -> Any:
        return es.backward(net, tape, seeds)

    both = [timed(call, repeats=repeats).minimum for call in (forward, backward)]
    return [*both, float(len(tape["neurons"]))]


def measure(case: tuple[int, int, int, float], repeats: int) -> dict[str, Any]:
    """One row."""
    whole, own = (seconds(case, repeats, least=least) for least in (0.0, 2.0))
    return {
        "bench": "filling",
        "case": f"{case[0]} to {case[1]}, {100 * case[3]:.3g} % filled",
        "spikes": int(whole[2]),
        "spikes_own": int(own[2]),
        "whole_s": whole[0] + whole[1],
        "forward": own[0] / whole[0],
        "backward": own[1] / whole[1],
    }


def main() -> None:
    """All cases."""
    options = arguments(__doc__.splitlines()[0])
    set_threads(1, backend="cpu")
    cases = [(*shape, share) for shape in SHAPES for share in SHARES]
    report([measure(case, options.repeats) for case in cases], options)


if __name__ == "__main__":
    main()
