"""What linear neurons cost beside LIF neurons.

Method   64 channels of Poisson events onto 256 neurons, 8 samples of 1 s: all synapses there, or
         3 %. Weights are scaled until each kind fires at about the same rate. Forward is
         `es.simulate`, backward `es.backward` of a random loss of all spike times; CPU time on one
         thread in turn, least of all repeats. LIF is 1 in either precision.
Answer   results/linear_neurons.jsonl.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import arguments, in_turn, report

CHANNELS, NEURONS, SAMPLES, DURATION = 64, 256, 8, 1000.0
RATES, TARGET = (6400.0, 500.0), 15.0  # arrivals and spikes per second
PRECISIONS = ("double", "single")
SHARES = (1.0, 0.03)  # of synapses that are there
KINDS: dict[str, Any] = {
    "LIF": None,
    "AdLIF": partial(es.AdLIF, a=0.5, b=0.2),
    "resonator": es.Resonator,
    "two receptors": partial(es.LIF, tau_syn={"fast": 5.0, "slow": 20.0}),
}
FIRST = (
    "events", "share", "precision", "neuron", "hz", "forward", "backward", "forward_ms",
    "backward_ms",
)  # fmt: skip


def stream_of(rate: float) -> es.EventStream:
    """Poisson events on all channels, so many a second."""
    rng = np.random.default_rng(3)
    samples = []
    for n in rng.poisson(rate * DURATION / 1000.0, SAMPLES):
        samples.append((np.sort(rng.uniform(0.0, DURATION, n)), rng.integers(0, CHANNELS, n)))
    return es.EventStream.from_samples(samples, n_channels=CHANNELS, duration=DURATION)


def network(kind: str, share: float, scale: float) -> es.Network:
    """One population; excitation and inhibition, with a mean above 0."""
    rng, neuron = np.random.default_rng(5), KINDS[kind]
    net = es.Network()
    net.add_input("input", CHANNELS)
    values: dict[str, Any] = {"refractory": 2.0}
    if neuron is None:
        net.add_population("cells", NEURONS, tau_mem=20.0, tau_syn=5.0, **values)
    else:
        net.add_population("cells", NEURONS, neuron=neuron(**values))
    weights = rng.normal(0.25, 1.0, (CHANNELS, NEURONS)) * scale
    there = rng.random(weights.shape) < share
    receptors = [None] if neuron is None else list(neuron().receptors)
    for k, receptor in enumerate(receptors):
        mine = there & (rng.integers(0, len(receptors), (CHANNELS, 1)) == k)
        if share == 1.0:
            net.connect("input", "cells", weights * (mine.any(axis=1)[:, None]), receptor=receptor)
        else:
            net.connect("input", "cells", sp.csr_array(weights * mine), receptor=receptor)
    return net


def tuned(kind: str, share: float, stream: es.EventStream) -> es.Network:
    """A network that fires at about the target in the first sample."""
    low, high = 0.01, 30.0
    for _ in range(9):
        net = network(kind, share, float(np.sqrt(low * high)))
        hz = rate_of(es.simulate(net, stream[0], backend="cpu"))
        low, high = (low, np.sqrt(low * high)) if hz > TARGET else (np.sqrt(low * high), high)
    return net


def rate_of(tape: Any) -> float:
    """Spikes of a neuron per second."""
    return len(tape["cells"]) / (tape["cells"].n_samples * NEURONS * DURATION / 1000.0)


def _loss(net: es.Network, tape: Any) -> tuple[float, dict[str, np.ndarray]]:
    own = np.random.default_rng(0).normal(size=len(tape["cells"]))
    return float(own @ tape["cells"].times), {"cells": own}


def measured(share: float, rate: float, repeats: int) -> Iterator[dict[str, Any]]:
    """All kinds at one rate."""
    stream, calls, rates = stream_of(rate), {}, {}
    for kind in KINDS:
        net = tuned(kind, share, stream)
        for precision in PRECISIONS:
            run = partial(es.simulate, net, stream, backend="cpu", precision=precision)
            tape = run()
            rates[kind, precision] = rate_of(tape)
            calls[kind, precision, "forward"] = run
            calls[kind, precision, "backward"] = partial(es.backward, net, tape, _loss)
    took = {name: 1e3 * one.minimum for name, one in in_turn(calls, repeats=repeats).items()}
    ways = "forward", "backward"
    for kind, precision in rates:
        yield {
            "bench": "linear_neurons",
            "events": rate,
            "share": share,
            "precision": precision,
            "neuron": kind,
            "hz": rates[kind, precision],
            "clock": "CPU",
            **{w: took[kind, precision, w] / took["LIF", precision, w] for w in ways},
            **{f"{w}_ms": took[kind, precision, w] for w in ways},
        }


def main() -> None:
    """Measure all kinds, dense and sparse, at both rates."""
    options = arguments(__doc__.splitlines()[0])
    rows = (
        row for share in SHARES for rate in RATES for row in measured(share, rate, options.repeats)
    )
    report(rows, options, first=FIRST)


if __name__ == "__main__":
    main()
