"""Norse, snnTorch, SpikingJelly, Rockpool: do they run our NIR files with our spikes.

Method   A random ScSr network (16 inputs, two populations of 24, self-recurrence, a skip, every
         parameter of every neuron its own; one tau for all for SpikingJelly), 2 samples of 300 ms.
         eventsim runs it in exact event time; each program reads the file written for it and runs
         at the file's time step. Spikes of a neuron are paired as in eventsim.conformance.compare.
         "norse, plain file" is Norse on a file without a target: what a missing w_in costs.
Answer   Yes, as well as their steps allow. Norse: 91, 99.2, 99.7 % of the spikes have a partner
         within 5 ms at 1, 0.1, 0.02 ms, at a median distance of 0.8 to 0.95 steps. At 0.1 ms
         snnTorch 99.2 %, SpikingJelly 97.7 %, Rockpool 96.1 %, medians 1.0, 1.7, 2.5 steps. Of the
         plain file Norse makes no spike at all. results/nir.jsonl
"""

import logging
import tempfile
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from eventsim.conformance.compare import PARTNER_WITHIN
from eventsim.network.nir import write_nir

SIZE, INPUTS, SAMPLES, DURATION, RATE = 24, 16, 2, 300.0, 25.0
CASES = [
    ("norse", 1.0),
    ("norse", 0.1),
    ("norse", 0.02),
    ("snntorch", 0.1),
    ("spikingjelly", 1.0),
    ("spikingjelly", 0.1),
    ("rockpool", 1.0),
    ("rockpool", 0.1),
    ("norse, plain file", 0.1),
]
Step = Callable[[Any], dict[str, Any]]


def network(*, uniform: bool, seed: int = 3) -> es.Network:
    """A live network that fires at some tens per second."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", INPUTS)
    for name, sources in (("one", ("input",)), ("two", ("input", "one"))):
        tau_syn = rng.uniform(3.0, 8.0, SIZE)
        leak = rng.uniform(-0.2, 0.2, SIZE)
        net.add_population(
            name,
            SIZE,
            tau_mem=14.0 if uniform else rng.uniform(8.0, 22.0, SIZE),
            tau_syn=6.0 if uniform else tau_syn,
            resistance=rng.uniform(0.6, 1.6, SIZE),
            threshold=rng.uniform(0.8, 1.2, SIZE),
            v_leak=leak,
            v_reset=leak,
        )
        for source in sources:
            gain = 1.5 / len(sources) if source == "input" else 0.2
            shape = (net.populations[source].size, SIZE)
            net.connect(source, name, gain * (0.3 + 0.5 * rng.standard_normal(shape)))
        net.connect(name, name, es.self_recurrent(rng.uniform(-0.6, 0.3, SIZE)))
    net.add_readout("output", 3, tau_mem=14.0, tau_syn=6.0)
    net.connect("two", "output", rng.normal(0.0, 0.3, (SIZE, 3)))
    return net


def stream(seed: int = 4) -> es.EventStream:
    """Poisson events."""
    rng = np.random.default_rng(seed)
    parts = []
    for count in rng.poisson(RATE * INPUTS * DURATION / 1e3, SAMPLES):
        parts.append((np.sort(rng.uniform(0, DURATION, count)), rng.integers(0, INPUTS, count)))
    return es.EventStream.from_samples(parts, n_channels=INPUTS, duration=DURATION)


def gridded(events: es.EventStream, dt: float) -> Any:
    """Events in every step, tensor [steps, samples, channels]."""
    import torch

    counts = np.zeros((int(DURATION / dt), events.n_samples, INPUTS), np.float32)
    sample = np.repeat(np.arange(events.n_samples), np.diff(events.offsets))
    steps = np.minimum((events.times / dt).astype(int), len(counts) - 1)
    np.add.at(counts, (steps, sample, events.channels), 1.0)
    return torch.from_numpy(counts)


def run(program: str, path: Path, x: Any, dt: float) -> dict[str, np.ndarray[Any, Any]]:
    """Spikes of both populations, [steps, samples, neurons]."""
    import nir
    import torch

    graph = nir.read(path)
    found: dict[str, list[Any]] = {"one": [], "two": []}
    # Rockpool keeps the state of its first sample for all: one at a time.
    batches = x.split(1, dim=1) if program == "rockpool" else [x]
    for batch in batches:
        module, state = load(program, graph, dt), None
        kept: dict[str, list[Any]] = {"one": [], "two": []}
        for name, into in kept.items():
            getattr(module, name).register_forward_hook(
                lambda m, i, o, into=into: into.append(o[0] if isinstance(o, tuple) else o)
            )
        with torch.no_grad():
            for now in batch:
                _, state = module(now[:, None] if program == "rockpool" else now, state)
        for name, into in kept.items():
            found[name].append(torch.stack(into).reshape(len(x), -1, SIZE))
    return {name: torch.cat(parts, dim=1).numpy() for name, parts in found.items()}


def load(program: str, graph: Any, dt: float) -> Any:
    """The program's own module for a graph."""
    if program == "norse":
        import norse.torch

        return norse.torch.from_nir(graph, dt=dt / 1e3)
    if program == "snntorch":
        from snntorch.import_nir import import_from_nir

        return import_from_nir(graph)
    if program == "spikingjelly":
        from spikingjelly.activation_based.nir_exchange import import_from_nir

        return import_from_nir(graph, dt=dt / 1e3)
    from rockpool.nn.modules.torch.nir import from_nir

    return from_nir(graph)


def paired(exact: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> list[float]:
    """Distances of spikes that have a partner, each taken by the nearest that is free, in order."""
    found, k = [], 0
    for time in exact:
        while k < other.size and other[k] < time - PARTNER_WITHIN:
            k += 1
        while k + 1 < other.size and abs(other[k + 1] - time) < abs(other[k] - time):
            k += 1
        if k < other.size and abs(other[k] - time) < PARTNER_WITHIN:
            found.append(float(other[k] - time))
            k += 1
    return found


def compare(
    tape: es.SpikeTape, spikes: dict[str, np.ndarray[Any, Any]], dt: float
) -> dict[str, Any]:
    """Numbers of spikes, partners and their distances."""
    errors: list[float] = []
    for name, z in spikes.items():
        for sample in range(SAMPLES):
            times, neurons = tape[name].sample(sample)
            for j in range(SIZE):
                steps = np.repeat(np.arange(len(z)), z[:, sample, j].astype(int))
                errors += paired(times[neurons == j], (steps + 0.5) * dt)
    n_exact = sum(len(tape[name]) for name in spikes)
    found = {
        "exact_spikes": n_exact,
        "spikes": int(sum(z.sum() for z in spikes.values())),
        "with_partner": len(errors) / n_exact,
    }
    if not errors:
        return found
    middle, most = np.quantile(np.abs(errors), [0.5, 0.9])
    distances = {"median_ms": middle, "median_steps": middle / dt, "p90_ms": most}
    return found | {key: float(value) for key, value in distances.items()}


def main() -> None:
    """All programs that are installed."""
    options = parser(__doc__ or "").parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    rows = []
    for name, dt in CASES:
        program = name.split(",")[0]
        try:
            installed = version(program)
        except PackageNotFoundError:
            continue
        net, events = network(uniform=program == "spikingjelly"), stream()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.nir"
            if name == program:
                write_nir(net, path, target=program, dt=dt)  # type: ignore[arg-type]
            else:
                write_nir(net, path)
                plain_readout_as_norse_takes_it(path)
            spikes = run(program, path, gridded(events, dt), dt)
        row = {"bench": "nir", "case": name, "version": installed, "dt_ms": dt}
        rows.append(row | compare(es.simulate(net, events), spikes, dt))
    report(rows, options)


def plain_readout_as_norse_takes_it(path: Path) -> None:
    """Norse knows neither CubaLI nor Scale; without them the file loads, and is silent."""
    import nir

    graph = nir.read(path)
    nodes: dict[str, Any] = {}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Scale):
            node = nir.Linear(np.diag(node.scale))
        if isinstance(node, nir.CubaLI):
            far = np.full(node.r.size, 1e30)
            node = nir.CubaLIF(
                node.tau_syn, node.tau_mem, node.r, node.v_leak, v_threshold=far, w_in=node.w_in
            )
        nodes[name] = node
    nir.write(path, nir.NIRGraph(nodes, graph.edges))


if __name__ == "__main__":
    main()
