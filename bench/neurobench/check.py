"""Do our counters equal NeuroBench's: on a network of ours, and on one of snnTorch.

Method   (1) A network of eventsim runs in NeuroBench's harness through neurobench_model; its
         metrics beside neurobench_results of the same run: as it is, pruned, rounded to 3 bits,
         and both with a linear decision behind its readout. (2) A network of snnTorch runs in the
         harness through NeuroBench's own SNNTorchModel; its metrics beside neurobench_results of a
         tape that holds snnTorch's spikes, each in the middle of its step. Dense and sparse, with
         several events of a channel in a step, batches of 1 and 3.
         ``pip install 'neurobench>=2.3'``; then ``python -m bench.neurobench.check``.
Answer   All numbers are equal, the footprint of (2) excepted: snnTorch keeps one number for the
         neurons of a layer, and other ones than eventsim.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models import SNNTorchModel
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, TensorDataset

import eventsim as es
from bench.neurobench.twin import neurobench_batch, neurobench_model, neurobench_results
from eventsim.events import SpikeTape, SpikeTrains
from eventsim.mapping import quantise

N_SAMPLES, N_CHANNELS, DURATION, RATE_HZ = 6, 20, 60.0, 150.0
KEYS = {
    "footprint": "Footprint",
    "connection_sparsity": "ConnectionSparsity",
    "activation_sparsity": "ActivationSparsity",
    "synaptic_operations": "SynapticOperations",
}


def stream_of(seed: int) -> es.EventStream:
    """Poisson events, some of which meet in a step of 1 ms."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(N_CHANNELS * RATE_HZ * DURATION * 1e-3, N_SAMPLES)
    return es.EventStream.from_samples(
        [(np.sort(rng.uniform(0, DURATION, n)), rng.integers(0, N_CHANNELS, n)) for n in counts],
        n_channels=N_CHANNELS,
        duration=DURATION,
    )


def weights_of(seed: int, shape: tuple[int, int], density: float) -> np.ndarray:
    """Random weights, a share of which are zero."""
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 1.0, shape) * (rng.random(shape) < density)


def eventsim_net(density: float) -> es.Network:
    """Self-recurrence, a skip, delays; sparse projections unless all weights are there."""
    net = es.Network()
    net.add_input("input", N_CHANNELS)
    net.add_population("hidden", 16, tau_mem=np.linspace(10.0, 30.0, 16))
    net.add_readout("output", 4)

    def connect(source: str, target: str, seed: int, **options: Any) -> None:
        shape = (net.population(source).size, net.population(target).size)
        weights = weights_of(seed, shape, density)
        net.connect(source, target, weights if density == 1.0 else sp.csr_array(weights), **options)

    connect("input", "hidden", 1, delays=np.linspace(0.0, 8.0, N_CHANNELS))
    net.connect("hidden", "hidden", es.self_recurrent(np.linspace(-0.5, 0.5, 16)), delays=0.7)
    connect("hidden", "output", 2)
    connect("input", "output", 3)
    return net


class SnnTorchNet(torch.nn.Module):
    """Two layers of leaky neurons, as in NeuroBench's examples."""

    def __init__(self, density: float):
        super().__init__()
        self.first = torch.nn.Linear(N_CHANNELS, 16, bias=False)
        self.hidden = snntorch.Leaky(beta=0.9, init_hidden=True)
        self.second = torch.nn.Linear(16, 4, bias=False)
        self.out = snntorch.Leaky(beta=0.9, init_hidden=True, output=True)
        for seed, layer in enumerate((self.first, self.second), start=1):
            values = weights_of(seed, tuple(layer.weight.T.shape), density).T / 4
            layer.weight = torch.nn.Parameter(torch.as_tensor(values, dtype=torch.float32))

    def forward(self, inputs: Any) -> Any:
        return self.out(self.second(self.hidden(self.first(inputs))))


def harness(model: Any, inputs: Any, batch_size: int) -> Mapping[str, Any]:
    """NeuroBench's own results."""
    data = TensorDataset(inputs, torch.zeros(inputs.shape[0]))
    metrics = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations]]
    benchmark = Benchmark(model, DataLoader(data, batch_size=batch_size), [], [], metrics)
    found: Mapping[str, Any] = benchmark.run(quiet=True)
    return found


def as_it_is(net: es.Network) -> es.Network:
    """The network."""
    return net


def pruned(net: es.Network) -> es.Network:
    """Half of the weights of every projection are gone."""
    return es.train.prune(net, 0.5)


def quantised(net: es.Network) -> es.Network:
    """Weights of 3 bits, many of them 0."""
    return quantise(net, 3).net


def decided(net: es.Network) -> es.Network:
    """Few weights, each of 3 bits, and a decision, some of whose weights are 0."""
    few = quantised(pruned(net))
    few.decide("output", weights_of(4, (4, 3), 0.7), bias=np.arange(3.0))
    return few


CHANGES = (as_it_is, pruned, quantised, decided)


def ours_in_harness(
    density: float, batch_size: int, change: Callable[[es.Network], es.Network] = as_it_is
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """NeuroBench's results of a network of ours, and ours."""
    net, stream = change(eventsim_net(density)), stream_of(0)
    tape = es.simulate(net, stream, backend="reference")
    model = neurobench_model(net, step_ms=1.0, backend="reference")
    found = harness(model, neurobench_batch(stream), batch_size)
    return found, neurobench_results(net, tape, step_ms=1.0, batch_size=batch_size)


def snntorch_in_harness(
    density: float, batch_size: int
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """NeuroBench's results of a network of snnTorch, and ours of the same spikes."""
    stream, module = stream_of(0), SnnTorchNet(density)
    steps = int(DURATION)
    frames = torch.zeros(N_SAMPLES, steps, N_CHANNELS)
    for sample, (times, channels) in enumerate(stream):
        np.add.at(frames.numpy(), (sample, np.floor(times).astype(int), channels), 1.0)
    found = harness(SNNTorchModel(module), frames, batch_size)
    net, tape = _tape_of(module, frames, stream)
    return found, neurobench_results(net, tape, step_ms=1.0, batch_size=batch_size)


def _tape_of(module: Any, frames: Any, stream: es.EventStream) -> tuple[es.Network, SpikeTape]:
    """The spikes of a network of snnTorch as those of one of eventsim."""
    spikes: dict[str, list[Any]] = {"hidden": [], "out": []}
    hooks = [
        getattr(module, name).register_forward_hook(
            lambda _, __, fired, name=name: spikes[name].append(
                (fired[0] if isinstance(fired, tuple) else fired).detach().numpy()
            )
        )
        for name in spikes
    ]
    SNNTorchModel(module)(frames)
    for hook in hooks:
        hook.remove()
    trains = {name: _trains(np.stack(found, axis=1)) for name, found in spikes.items()}
    net = es.Network()
    net.add_input("input", N_CHANNELS)
    net.add_population("hidden", 16)
    net.add_population("out", 4)
    net.connect("input", "hidden", module.first.weight.detach().numpy().T)
    net.connect("hidden", "out", module.second.weight.detach().numpy().T)
    events = {"input->hidden": stream.n_events * 16, "hidden->out": len(trains["hidden"]) * 4}
    return net, SpikeTape(stream, trains, events, "snntorch", "single")


def _trains(fired: np.ndarray) -> SpikeTrains:
    """Spikes of [samples, steps, neurons], each in the middle of its step of 1 ms."""
    sample, step, neuron = np.nonzero(fired)
    offsets = np.searchsorted(sample, np.arange(fired.shape[0] + 1))
    nothing = np.zeros(sample.size)
    return SpikeTrains(
        step + 0.5, neuron.astype(np.int32), offsets, fired.shape[2],
        current=nothing, restart_current=nothing,
    )  # fmt: skip


def main() -> int:
    """Compare all cases; 1 if any number differs."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    table = Table("network", "density", "batch", "metric", "NeuroBench", "eventsim", "")
    failed = False
    ours = [(f"eventsim, {c.__name__}", partial(ours_in_harness, change=c)) for c in CHANGES]
    for name, run in (*ours, ("snnTorch", snntorch_in_harness)):
        for density in (1.0, 0.3):
            for batch_size in (1, 3):
                theirs, own = run(density, batch_size)
                for key, label in KEYS.items():
                    if (name, key) == ("snnTorch", "footprint"):
                        continue
                    equal = theirs[label] == own[key]
                    failed |= not equal
                    cells = (str(density), str(batch_size), key, str(theirs[label]), str(own[key]))
                    table.add_row(name, *cells, "equal" if equal else "DIFFERS")
    Console(width=160).print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
