"""Linear neurons on a device: how long does a training step take beside that of LIF neurons.

Method   64 Poisson channels at 100/s onto 256 neurons, self-recurrent or a loop of all with all,
         and 11 readouts; 1 s a sample. LIF neurons, AdLIF, and resonators, each population with
         one value of every parameter. A step is that of bench.gpu.w1, and so are the times. A
         linear neuron keeps the state before each of its events on the way back, so batches are
         smaller.
Answer   see results/gpu-*.jsonl.
"""

import sys
from collections.abc import Iterator
from typing import Any

import eventsim as es
from bench.gpu.nets import N_INPUTS, N_OUTPUTS, loss_of, stream_of
from bench.gpu.place import Place, timed
from bench.gpu.training import Trainer, by_kernel, measure

KINDS: dict[str, Any] = {
    "LIF": None,
    "AdLIF": es.AdLIF(a=0.5, b=0.2),
    "resonator": es.Resonator(frequency=20.0, damping=30.0),
}
NETWORKS = {"layer": es.scsr, "loop": es.rsnn}
BATCHES, NEURONS = (32, 128), 256


def rows_of(where: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """One row per network, kind of neuron and batch; kernels for the largest."""
    batches, size = ((2,), 8) if where.host else (BATCHES, NEURONS)
    for name, make in NETWORKS.items():
        for kind, neuron in KINDS.items():
            net = make(N_INPUTS, (size,), N_OUTPUTS, neuron=neuron, mean=4.0, spread=4.0)
            trainer = Trainer(net, "cuda")
            for batch in batches:
                stream = stream_of(batch, 50.0 if where.host else 1000.0)
                row = {"network": name, "neuron": kind, "batch": batch, "precision": "single"}
                found = measure(trainer, [(stream, loss_of(batch))], where, repeats=repeats)
                yield {"bench": "gpu-linear"} | row | found
            about = {"bench": "gpu-linear-kernels"} | row
            yield from by_kernel(trainer, (stream, loss_of(batch)), where, about)


def main(words: list[str] | None = None) -> int:
    """Measure all cases."""
    return timed(__doc__, rows_of, words)


if __name__ == "__main__":
    sys.exit(main())
