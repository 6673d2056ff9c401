"""What it gains that neurons of a convolution walk in blocks, each its own events.

Method   Poisson input of 40 Hz per channel for 500 ms to a convolution of 16 maps with stride 2,
         single precision, one thread; the same network with all neurons in one block. ``forward``
         and ``backward`` are the seconds of one block over those of many, from the minima of the
         repeats. ``heard`` is the share of all channels that a block hears; above ``MOST_HEARD``
         all neurons are one block outside of this benchmark.
Answer   see results/blocks.jsonl and ``Stage.heard`` of eventsim/plan/plan.py.
"""

from typing import Any
from unittest.mock import patch

import numpy as np

import eventsim as es
from bench.harness import arguments, report
from bench.macro.filling import both_passes, poisson_input
from eventsim.engine.contract.registry import set_threads
from eventsim.plan import make_plan

# Channels, kernel, samples; more than 1/16 of the places are taken, or they are not kept whole.
SHAPES = (
    (64, 31, 16), (64, 17, 16), (64, 9, 16), (256, 33, 8), (256, 17, 8),
    (512, 65, 4), (1024, 129, 2),
)  # fmt: skip
MAPS = 16


def workload(n_inputs: int, kernel: int, n_samples: int) -> tuple[Any, Any]:
    """Network and input."""
    rng = np.random.default_rng(0)
    layer = es.Convolution(n_inputs, kernel, 2, kernel // 2, out_maps=MAPS)
    net = es.Network()
    net.add_input("input", n_inputs)
    net.add_population("neurons", layer.n_targets, tau_syn=10.0)
    layer.connect(net, "input", "neurons", layer.draw(rng, mean=1.0, spread=2.0))
    return net, poisson_input(n_inputs, n_samples, rng)


def seconds(case: tuple[int, int, int], repeats: int, *, most: float) -> list[float]:
    """Of both passes, the spikes, and what a block hears, if blocks may hear up to ``most``."""
    net, stream = workload(*case)
    with patch("eventsim.plan.plan.MOST_HEARD", most):
        heard = float(make_plan(net).stages[0].heard.mean())
    return [*both_passes(net, stream, repeats), heard]


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
    set_threads(1, backend="cpu")
    report([measure(case, options.repeats) for case in SHAPES], options)


if __name__ == "__main__":
    main()
