"""What it gains that neurons of a convolution walk in blocks, each its own events.

Method   Poisson input of 40 Hz per channel for 500 ms to a convolution of 16 maps with stride 2,
         single precision, one thread; the same network with all neurons in one block. ``forward``
         and ``backward`` are the seconds of one block over those of many, from the minima of the
         repeats. ``heard`` is the share of all channels that a block hears.
Answer   see results/blocks.jsonl and ``Stage.heard`` of eventsim/plan/plan.py.
"""

from typing import Any
from unittest.mock import patch

import numba
import numpy as np

import eventsim as es
from bench.harness import arguments, report, timed
from eventsim.plan import make_plan

# Channels, kernel, samples; more than 1/16 of the places are taken, or they are not kept whole.
SHAPES = ((64, 31, 16), (64, 17, 16), (64, 9, 16), (256, 33, 8), (256, 17, 8))
MAPS, DURATION, RATE = 16, 500.0, 40.0


def workload(n_inputs: int, kernel: int, n_samples: int) -> tuple[Any, Any]:
    """Network and input."""
    rng = np.random.default_rng(0)
    layer = es.Convolution(n_inputs, kernel, 2, kernel // 2, out_maps=MAPS)
    net = es.Network()
    net.add_input("input", n_inputs)
    net.add_population("neurons", layer.n_targets, tau_syn=10.0)
    layer.connect(net, "input", "neurons", layer.draw(rng, mean=1.0, spread=2.0))
    counts = rng.poisson(RATE * 1e-3 * DURATION * n_inputs, n_samples)
    samples = [(np.sort(rng.uniform(0, DURATION, n)), rng.integers(0, n_inputs, n)) for n in counts]
    return net, es.EventStream.from_samples(samples, n_channels=n_inputs, duration=DURATION)


def seconds(case: tuple[int, int, int], repeats: int, *, most: float) -> list[float]:
    """Of both passes, the spikes, and what a block hears at most a share of ``most``."""
    net, stream = workload(*case)
    with patch("eventsim.plan.plan.MOST_HEARD", most):
        heard = float(make_plan(net).stages[0].heard.mean())

    def forward() -> Any:
        return es.simulate(net, stream, backend="cpu", precision="single")

    tape = forward()
    seeds = {"neurons": np.ones(len(tape["neurons"]))}

    def backward() -> Any:
        return es.backward(net, tape, seeds)

    both = [timed(call, repeats=repeats).minimum for call in (forward, backward)]
    return [*both, float(len(tape["neurons"])), heard]


def measure(case: tuple[int, int, int], repeats: int) -> dict[str, Any]:
    """One row."""
    many, one = (seconds(case, repeats, most=most) for most in (1.0, 0.0))
    return {
        "bench": "blocks",
        "case": f"{case[0]} channels, kernel {case[1]}",
        "spikes": int(many[2]),
        "spikes_one": int(one[2]),
        "heard": many[3],
        "blocks_s": many[0] + many[1],
        "forward": one[0] / many[0],
        "backward": one[1] / many[1],
    }


def main() -> None:
    """All cases."""
    options = arguments(__doc__.splitlines()[0])
    numba.set_num_threads(1)
    report([measure(case, options.repeats) for case in SHAPES], options)


if __name__ == "__main__":
    main()
