"""What does a synaptic event cost, in each kind of network, beside a dense layer of LIF neurons.

Method   16 samples of 1 s: 64 Poisson channels at 100 spikes/s, 256 neurons, ten readouts. What
         differs are the neurons and the wiring: own returns, sparse input, delays by synapse,
         lateral synapses, all or 10 %, without delay, of 1 ms, or of 1 to 10 ms by synapse. Single
         precision, one thread, CPU time, least of the repeats. Backward is the gradient of the
         sum of all spike times. ``forward_times`` and ``backward_times`` are the time of a synaptic
         event over that of the first row, of the same run.

         Beside it, where it has the network, another program with a time step: the same sizes and
         samples, forward and backward for the sum of all spikes, in steps of 10 and of 1 ms, by
         Norse (LIF, adaptive thresholds) or snnTorch (own returns); their spikes are not the same.
         A program that is not installed is left out and named.
Answer   see results/cliffs.jsonl and docs/benchmarks.md.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

import eventsim as es
from bench.harness import parser, report
from bench.macro.epoch_peers import TAU_MEM, TAU_SYN, version_of
from eventsim.engine.contract.registry import set_threads

SAMPLES, CHANNELS, NEURONS, READOUTS = 16, 64, 256, 10
MS, RATE_HZ = 1000.0, 100.0
MEAN, SPREAD = 0.02, 0.12  # of an input weight
LATERAL_SHARE = 0.1
STEPS = (10.0, 1.0)  # ms, of other programs
FIRST = ("case", "rate_hz", "forward_ns", "forward_times", "backward_ns", "backward_times")


@dataclass(frozen=True)
class Case:
    """A network: kind of neurons, and wiring; ``lateral`` is a share of all pairs."""

    kind: str = "LIF"
    own: float | None = None  # delay of own returns, ms
    inputs: float = 1.0  # share of all pairs
    input_delays: bool = False  # by synapse, 0 to 50 ms
    lateral: float = 0.0
    delay: float | None = None  # of lateral synapses, ms; None for 1 to 10 by synapse
    refractory: float = 1.0
    peer: str | None = None  # a program that has it

    @property
    def name(self) -> str:
        """In words."""
        wiring = ["layer" if self.inputs == 1.0 else f"layer, {self.inputs:.0%}"]
        if self.input_delays:
            wiring.append("delays by synapse")
        if self.own is not None:
            wiring.append("own returns" + (f", {self.own:g} ms" if self.own else ", no delay"))
        if self.lateral:
            ms = "delays by synapse" if self.delay is None else f"{self.delay:g} ms"
            dense = "dense" if self.lateral == 1.0 else f"{self.lateral:.0%}"
            wiring = [f"loop, {dense}", "no delay" if self.delay == 0.0 else ms]
        if self.refractory != 1.0:
            wiring.append(f"refractory {self.refractory:g} ms")
        return f"{self.kind}, {', '.join(wiring)}"


CASES = (
    Case(peer="Norse"),
    Case(refractory=5.0),
    Case(own=0.0),
    Case(own=2.0, peer="snnTorch"),
    Case(inputs=0.1),
    Case(input_delays=True),
    Case(inputs=0.1, input_delays=True),
    Case(lateral=1.0, delay=1.0, peer="Norse"),
    Case(lateral=LATERAL_SHARE, delay=1.0),
    Case(lateral=1.0, delay=0.0),
    Case(lateral=LATERAL_SHARE, delay=0.0),
    Case(lateral=LATERAL_SHARE),
    Case("adaptive", peer="Norse"),
    Case("adaptive", inputs=0.1),
    Case("adaptive", lateral=1.0, delay=1.0, peer="Norse"),
    Case("adaptive", lateral=LATERAL_SHARE, delay=1.0),
    Case("adaptive", lateral=LATERAL_SHARE, delay=0.0),
    Case("AdLIF"),
    Case("AdLIF", input_delays=True),
    Case("AdLIF", lateral=1.0, delay=1.0),
    Case("AdLIF", lateral=LATERAL_SHARE, delay=1.0),
    Case("AdLIF", lateral=LATERAL_SHARE, delay=0.0),
    Case("resonator"),
    Case("receptors"),
    Case("receptors", lateral=LATERAL_SHARE, delay=1.0),
    Case("receptors", lateral=LATERAL_SHARE),
)


def stream() -> es.EventStream:
    """What all networks hear."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(CHANNELS * RATE_HZ * MS * 1e-3, SAMPLES)
    samples = [(np.sort(rng.uniform(0.0, MS, n)), rng.integers(0, CHANNELS, n)) for n in counts]
    return es.EventStream.from_samples(samples, n_channels=CHANNELS, duration=MS)


def network(case: Case) -> es.Network:
    """One of the networks."""
    rng, net = np.random.default_rng(1), es.Network()
    net.add_input("input", CHANNELS)
    kinds: dict[str, dict[str, Any]] = {
        "LIF": {"tau_mem": TAU_MEM, "tau_syn": TAU_SYN},
        "adaptive": {
            "tau_mem": TAU_MEM, "tau_syn": TAU_SYN, "adaptation": 0.2, "tau_adaptation": 100.0
        },
        "AdLIF": {"neuron": es.AdLIF(a=1.0, b=0.2)},
        "resonator": {"neuron": es.Resonator(frequency=20.0)},
        "receptors": {"neuron": es.LIF(tau_syn={"ampa": 5.0, "gaba": 10.0})},
    }  # fmt: skip
    net.add_population("hidden", NEURONS, refractory=case.refractory, **kinds[case.kind])
    dense = rng.normal(MEAN, SPREAD, (CHANNELS, NEURONS))
    weights: Any = dense
    if case.inputs < 1.0:
        weights = _random(rng, (CHANNELS, NEURONS), case.inputs, MEAN, SPREAD / case.inputs**0.5)
    elif case.input_delays:
        weights = sp.csr_array(dense)
    delays: dict[str, Any] = {}
    if case.input_delays:
        delays = {"delays": rng.uniform(0.0, 50.0, weights.nnz), "delays_of": "synapse"}
    if case.kind == "receptors":
        net.connect("input", "hidden", np.maximum(weights, 0.0), receptor="ampa")
        net.connect("input", "hidden", np.minimum(weights, 0.0), receptor="gaba")
    else:
        net.connect("input", "hidden", weights, **delays)
    if case.own is not None:
        own = es.self_recurrent(rng.normal(0.0, 0.1, NEURONS))
        net.connect("hidden", "hidden", own, delays=case.own)
    if case.lateral:
        _connect_lateral(net, case, rng)
    net.add_readout("out", READOUTS, tau_mem=TAU_MEM, tau_syn=TAU_SYN)
    net.connect("hidden", "out", rng.normal(0.0, 0.1, (NEURONS, READOUTS)))
    return net


def _connect_lateral(net: es.Network, case: Case, rng: np.random.Generator) -> None:
    shape = NEURONS, NEURONS
    lateral: Any = rng.normal(0.0, 0.05, shape)
    if case.lateral == 1.0:
        np.fill_diagonal(lateral, 0.0)
    else:
        lateral = _random(rng, shape, case.lateral, 0.0, 0.15)
        lateral.setdiag(0.0)
        lateral.eliminate_zeros()
    delays: dict[str, Any] = {"delays": case.delay}
    if case.delay is None:
        delays = {"delays": rng.uniform(1.0, 10.0, lateral.nnz), "delays_of": "synapse"}
    receptor = "ampa" if case.kind == "receptors" else None
    net.connect("hidden", "hidden", lateral, receptor=receptor, **delays)


def _random(
    rng: np.random.Generator, shape: tuple[int, int], share: float, mean: float, spread: float
) -> sp.csr_array:
    found = sp.random_array(shape, density=share, format="csr", rng=rng)
    found.data = rng.normal(mean, spread, found.nnz)
    return sp.csr_array(found)


def measure(case: Case, repeats: int) -> dict[str, Any]:
    """The times of eventsim."""
    net, events = network(case), stream()
    found: list[es.SpikeTape] = []

    def run() -> None:
        found[:] = [es.simulate(net, events, backend="cpu", precision="single")]

    def back() -> None:
        es.backward(net, found[0], {"hidden": np.ones(found[0]["hidden"].times.size)})

    forward, backward = _least(run, repeats), _least(back, repeats)
    tape = found[0]
    n, spikes = sum(tape.synaptic_events.values()), tape["hidden"].times.size
    return {
        "rate_hz": spikes / SAMPLES / NEURONS / (MS * 1e-3),
        "synaptic_events": n,
        "forward_ms": 1e3 * forward,
        "backward_ms": 1e3 * backward,
        "forward_ns": 1e9 * forward / n,
        "backward_ns": 1e9 * backward / n,
    }


def _least(call: Callable[[], object], repeats: int) -> float:
    """Least CPU time in seconds after a first call."""
    call()
    took = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)


def peer_times(case: Case, repeats: int) -> dict[str, Any]:
    """Those of the other program; which it was, or why there are none."""
    if case.peer is None:
        return {}
    package = case.peer.lower()
    if find_spec(package) is None:
        return {"missing": f"{case.peer} is not installed: pip install {package}"}
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    row: dict[str, Any] = {"peer": f"{case.peer} {version_of(package)}"}
    for step in STEPS:
        layer, counts = _peer(case, step), torch.as_tensor(_binned(step))
        spikes: list[Any] = []

        def run(layer: Any = layer, counts: Any = counts, spikes: list[Any] = spikes) -> None:
            spikes[:] = [layer(counts)]

        def both(run: Callable[[], None] = run, spikes: list[Any] = spikes) -> None:
            run()
            spikes[0].sum().backward()

        forward = _least(run, repeats)
        row[f"peer_{step:g}ms_forward_ms"] = 1e3 * forward
        row[f"peer_{step:g}ms_backward_ms"] = 1e3 * (_least(both, repeats) - forward)
    return row


def _binned(step: float) -> NDArray[np.float32]:
    """Events as counts, [steps, samples, channels]."""
    events, bins = stream(), round(MS / step)
    counts = np.zeros((bins, SAMPLES, CHANNELS), np.float32)
    for k, (times, channels) in enumerate(events):
        np.add.at(counts[:, k], ((times / step).astype(np.int64), channels), 1.0)
    return counts


def _peer(case: Case, step: float) -> Callable[[Any], Any]:
    """From counts to spikes, [steps, samples, neurons]."""
    import torch

    wires = torch.nn.Linear(CHANNELS, NEURONS, bias=False)
    torch.nn.init.normal_(wires.weight, MEAN, SPREAD)
    cell = _snntorch(step) if case.peer == "snnTorch" else _norse(case, step)

    def run(counts: Any) -> Any:
        spikes, state = [], None
        for current in counts if case.lateral else wires(counts):
            fired, state = cell(current, state)
            spikes.append(fired)
        return torch.stack(spikes)

    return run


def _norse(case: Case, step: float) -> Callable[[Any, Any], tuple[Any, Any]]:
    import norse.torch as norse
    import torch

    rates = {"tau_syn_inv": 1e3 / TAU_SYN, "tau_mem_inv": 1e3 / TAU_MEM}
    of = {name: torch.as_tensor(rate) for name, rate in rates.items()}
    adapts = case.kind == "adaptive"
    p = norse.LSNNParameters(**of) if adapts else norse.LIFParameters(**of)
    if not case.lateral:
        return (norse.LSNNCell if adapts else norse.LIFCell)(p=p, dt=step * 1e-3)
    recurrent = norse.LSNNRecurrentCell if adapts else norse.LIFRecurrentCell
    cell = recurrent(CHANNELS, NEURONS, p=p, dt=step * 1e-3)
    torch.nn.init.normal_(cell.input_weights, MEAN, SPREAD)
    torch.nn.init.normal_(cell.recurrent_weights, 0.0, 0.05)
    return cell


def _snntorch(step: float) -> Callable[[Any, Any], tuple[Any, Any]]:
    import snntorch
    import torch

    neurons = snntorch.RSynaptic(
        alpha=np.exp(-step / TAU_SYN), beta=np.exp(-step / TAU_MEM), V=torch.zeros(NEURONS),
        all_to_all=False, reset_mechanism="zero",
    )  # fmt: skip

    def cell(current: Any, state: Any) -> tuple[Any, Any]:
        found = neurons(current, *(neurons.reset_mem() if state is None else state))
        return found[0], found

    return cell


def rows(repeats: int) -> Iterator[dict[str, Any]]:
    """A row of every network."""
    first: dict[str, Any] = {}
    for case in CASES:
        row = {"bench": "cliffs", "case": case.name} | measure(case, repeats)
        first = first or row
        for way in ("forward", "backward"):
            row[f"{way}_times"] = row[f"{way}_ns"] / first[f"{way}_ns"]
        yield row | peer_times(case, repeats)


def main() -> None:
    """All networks, one after the other."""
    options = parser(__doc__.splitlines()[0], repeats=3).parse_args()
    set_threads(1, backend="cpu")
    report(rows(options.repeats), options, first=FIRST)


if __name__ == "__main__":
    main()
