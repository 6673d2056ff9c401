"""What it gains that neurons of a convolution walk in blocks, each its own events.

Method   Poisson input of 40 Hz per channel for 500 ms to a convolution of 16 maps with stride 2,
         single precision; the same network with all neurons in one block. The last case is the
         network of the recipe ``convolution``, both layers, with its loss of the largest voltages.
         All take turns, on one thread, in CPU time of the process. ``forward`` and ``backward`` are
         the seconds of one block over those of many, from the minima of the repeats. ``heard`` is
         the share of all channels that a block of the first layer hears; above ``MOST_HEARD`` all
         neurons are one block outside of this benchmark.
Answer   see results/blocks.jsonl and ``Stage.heard`` of eventsim/plan/plan.py.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

import eventsim as es
from bench.harness import arguments, in_turn, report
from bench.macro.filling import poisson_input
from eventsim.engine.contract.registry import set_threads
from eventsim.plan import make_plan
from eventsim.train.readouts import VoltageCrossEntropy

# Channels, kernel, samples; more than 1/16 of the places are taken, or they are not kept whole.
SHAPES = (
    (64, 31, 16), (64, 17, 16), (64, 9, 16), (256, 33, 8), (256, 17, 8),
    (512, 65, 4), (1024, 129, 2),
)  # fmt: skip
MAPS = 16
RECIPE = "the recipe convolution"

Loss = Callable[[Any], Any]  # what backward takes, of a tape


def workload(n_inputs: int, kernel: int, n_samples: int) -> tuple[Any, Any, Loss]:
    """Network, input and loss of a layer."""
    rng = np.random.default_rng(0)
    layer = es.Convolution(n_inputs, kernel, 2, kernel // 2, out_maps=MAPS)
    net = es.Network()
    net.add_input("input", n_inputs)
    net.add_population("neurons", layer.n_targets, tau_syn=10.0)
    layer.connect(net, "input", "neurons", layer.draw(rng, mean=1.0, spread=2.0))
    stream = poisson_input(n_inputs, n_samples, rng)
    return net, stream, lambda tape: {"neurons": np.ones(len(tape["neurons"]))}


def recipe() -> tuple[Any, Any, Loss]:
    """Those of the recipe."""
    net = es.convolutional(64, (24,), 10, seed=0)
    loss = VoltageCrossEntropy(np.arange(16) % 10)
    return net, poisson_input(64, 16, np.random.default_rng(0)), lambda tape: loss


def measure(name: str, build: Callable[[], tuple[Any, Any, Loss]], repeats: int) -> dict[str, Any]:
    """One row."""
    tail = 200.0 if build is recipe else None
    calls: dict[str, Callable[[], Any]] = {}
    spikes, heard = [], []
    for kind, most in (("many", 1.0), ("one", 0.0)):
        net, stream, loss = build()
        with patch("eventsim.plan.plan.MOST_HEARD", most):
            # The network keeps its plan, and the plan its blocks.
            heard.append([float(stage.heard.mean()) for stage in make_plan(net).stages])
        forward = partial(es.simulate, net, stream, backend="cpu", precision="single", tail=tail)
        tape = forward()
        spikes.append(sum(map(len, tape.trains.values())))
        calls |= {
            f"{kind}, forward": forward,
            f"{kind}, backward": partial(es.backward, net, tape, loss(tape)),
        }
    found = {key: timing.minimum for key, timing in in_turn(calls, repeats=repeats).items()}
    return {
        "bench": "blocks",
        "case": name,
        "spikes": spikes[0],
        "spikes_one": spikes[1],
        "heard": heard[0][0],
        "blocks_s": found["many, forward"] + found["many, backward"],
        "forward": found["one, forward"] / found["many, forward"],
        "backward": found["one, backward"] / found["many, backward"],
    }


def main() -> None:
    """All cases."""
    options = arguments(__doc__.splitlines()[0])
    set_threads(1, backend="cpu")
    cases = {f"{n} channels, kernel {k}": partial(workload, n, k, s) for n, k, s in SHAPES}
    cases[RECIPE] = recipe
    report([measure(name, case, options.repeats) for name, case in cases.items()], options)


if __name__ == "__main__":
    main()
