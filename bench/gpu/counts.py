"""What one training step asks of a device: launches, reads by the host, copies, by phase.

Method   The stand-in of the tests for a device counts: kernels of ours, what CuPy launches for an
         operation on arrays, reads by the host, copies to the device, memsets. No card takes part;
         tests/support/simt/counting.py says what an operation counts as. A step is that of
         eventsim.train.train on an ScSr network with two hidden populations in single precision,
         the third of three, so that what is kept from step to step is there. Augmentation is left
         out, since it is done on the host; rate band, lift of silent neurons and weight averaging
         are part of it.
Answer   results/counts.jsonl.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

import eventsim as es
from bench.gpu.nets import poisson, scsr_net
from bench.gpu.place import place
from bench.harness import parser, report
from eventsim.engine import place as place_net
from eventsim.events import Dataset
from eventsim.train import AdamW, TrainConfig, select
from eventsim.train.checkpoint import TrainState
from eventsim.train.method import Exact
from eventsim.train.optimiser import Pace
from eventsim.train.parallel import ProcessGroup
from eventsim.train.step import train_batch

KINDS = {"launches": "launches", "reads": "to_host", "uploads": "to_device", "memsets": "memsets"}
# By the first of these functions on the way to an operation.
PHASES = {
    "start": "forward",
    "Course.run": "forward",
    "CrossEntropy.classify": "loss",
    "begin_backward": "backward",
    "AdamW.begin_step": "optimiser",
    "AdamW.average": "optimiser",
}
REST = "other"
N_INPUTS, N_CLASSES, DURATION = 64, 11, 60.0
CASES: dict[str, dict[str, Any]] = {
    "dense": {},
    "dense, batch 12": {"batch": 12},
    "delays": {"delays": True},
    "sparse": {"density": 0.05},
    "loop": {"density": 0.2, "loop": True},
    "linear": {"neuron": True},
    "linear, loop": {"neuron": True, "loop": True},
}


def network(delays: bool, density: float | None, loop: bool, neuron: bool) -> es.Network:
    """ScSr with two hidden populations, small; delays are by source, ``neuron`` is AdLIF."""
    if neuron:
        make = es.rsnn if loop else es.scsr
        adlif = es.AdLIF(a=0.5, b=0.2)
        return make(N_INPUTS, (16, 16), N_CLASSES, neuron=adlif, mean=4.0, spread=4.0)
    if density is not None:
        return scsr_net(16, density=density, loop=loop)
    options = {"forward_delays": (0.0, 5.0)} if delays else {}
    return es.scsr(N_INPUTS, (16, 16), N_CLASSES, mean=4.0, spread=4.0, **options)  # type: ignore[arg-type]


def counts_of(
    *,
    batch: int = 4,
    delays: bool = False,
    density: float | None = None,
    loop: bool = False,
    neuron: bool = False,
) -> dict[str, int]:
    """Counts of one step, by kind, whole and by phase; inside :func:`bench.gpu.place.place`."""
    from tests.support.simt.counting import counted

    config = TrainConfig(backend="cuda", precision="single")
    net = place_net(network(delays, density, loop, neuron), backend="cuda")
    state = TrainState(net, AdamW(net, select(net, config.trained()), config.adam_settings()))
    stream = poisson(batch, N_INPUTS, 0.1 * DURATION * N_INPUTS, DURATION, seed=3)
    names = tuple(str(k) for k in range(N_CLASSES))
    data = Dataset(stream, np.arange(batch) % N_CLASSES, names)
    pace, group = Pace(counts=True), ProcessGroup()
    for _ in range(3):
        with counted() as counts:
            rng = np.random.default_rng(0)
            train_batch(config, state, data, group, method=Exact(), rng=rng, pace=pace)
    return _by_phase(counts.of)


def _by_phase(found: Counter[tuple[str, tuple[str, ...]]]) -> dict[str, int]:
    row = {kind: sum(n for (one, _), n in found.items() if one == KINDS[kind]) for kind in KINDS}
    for kind in ("launches", "reads"):
        for phase in (*dict.fromkeys(PHASES.values()), REST):
            mine = [
                n for (one, path), n in found.items() if (one, _phase(path)) == (KINDS[kind], phase)
            ]
            row[f"{kind}_{phase}"] = sum(mine)
    return row


def _phase(path: Iterable[str]) -> str:
    return next((PHASES[name] for name in path if name in PHASES), REST)


def main(words: list[str] | None = None) -> int:
    """Count all cases."""
    options: argparse.Namespace = parser(__doc__.splitlines()[0]).parse_args(words)
    with place(host=True):
        rows = [
            {"bench": "counts", "case": name} | counts_of(**about) for name, about in CASES.items()
        ]
    report(rows, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
