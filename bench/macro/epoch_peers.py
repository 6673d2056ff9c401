"""The networks of other libraries for bench.macro.epoch, each only where it can be imported.

Those that spike have 64 inputs, two hidden populations of 128 and 10 readouts, each fed by the one
before. A layer's synapses are one matrix product over all steps, its neurons one loop over the
steps. The readout is a leaky integrator whose mean voltage is the logit; it is computed in closed
form. For bench.suite.budget a GRU of as many parameters stands beside them.
"""

import math
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

TAU_MEM, TAU_SYN = 20.0, 10.0  # ms
N_INPUTS, HIDDEN, N_OUTPUTS = 64, 128, 10
GAIN, RATE = 20.0, 1e-3
GATED = 64  # units of the GRU
Loop = Callable[[Any], Any]
"""Currents [steps, samples, neurons] to spikes of the same shape."""
Forward = Callable[[Any, Any], tuple[Any, Any]]
"""Counts, and the steps of every sample, to logits and operations (None while it is trained)."""


def snntorch_loop(step: float) -> Loop:
    """RSynaptic with one weight per neuron onto itself, reset to zero."""
    import snntorch
    import torch

    neurons = snntorch.RSynaptic(
        alpha=math.exp(-step / TAU_SYN), beta=math.exp(-step / TAU_MEM), V=torch.zeros(HIDDEN),
        all_to_all=False, reset_mechanism="zero",
    )  # fmt: skip

    def run(currents: Any) -> Any:
        spikes, state = [], neurons.reset_mem()
        for current in currents:
            state = neurons(current, *state)
            spikes.append(state[0])
        return torch.stack(spikes)

    run.neurons = neurons  # type: ignore[attr-defined]
    return run


def spikingjelly_loop(step: float) -> Loop:
    """CUBALIFNode in multi-step mode, on its torch backend."""
    from spikingjelly.activation_based import functional, neuron

    neurons = neuron.CUBALIFNode(
        c_decay=math.exp(-step / TAU_SYN), v_decay=math.exp(-step / TAU_MEM), v_threshold=1.0
    )
    neurons.step_mode = "m"

    def run(currents: Any) -> Any:
        functional.reset_net(neurons)
        return neurons(currents)

    run.neurons = neurons  # type: ignore[attr-defined]
    return run


def norse_loop(step: float) -> Loop:
    """LIFCell."""
    import norse.torch as norse
    import torch

    rates = {"tau_syn_inv": 1e3 / TAU_SYN, "tau_mem_inv": 1e3 / TAU_MEM}
    parameters = {name: torch.as_tensor(rate) for name, rate in rates.items()}
    neurons = norse.LIFCell(p=norse.LIFParameters(**parameters), dt=step * 1e-3)

    def run(currents: Any) -> Any:
        spikes, state = [], None
        for current in currents:
            fired, state = neurons(current, state)
            spikes.append(fired)
        return torch.stack(spikes)

    run.neurons = neurons  # type: ignore[attr-defined]
    return run


# Name, package, and what makes the loop over a layer's neurons for a step in ms.
PEERS: Sequence[tuple[str, str, Callable[[float], Loop]]] = (
    ("snnTorch, RSynaptic", "snntorch", snntorch_loop),
    ("SpikingJelly, CUBALIF", "spikingjelly", spikingjelly_loop),
    ("Norse, LIFCell", "norse", norse_loop),
)


class Peer:
    """A network that is trained and asked batch by batch.

    Parameters
    ----------
    modules
        What has parameters.
    forward
        From counts [steps, samples, inputs] and how many of the steps each sample has, to logits
        [samples, classes] and the operations of every sample.
    """

    def __init__(self, modules: Any, forward: Forward) -> None:
        import torch

        self._forward, self._modules = forward, modules
        self._adam = torch.optim.Adam(modules.parameters(), lr=RATE)

    @property
    def n_parameters(self) -> int:
        """That are trained."""
        return sum(p.numel() for p in self._modules.parameters() if p.requires_grad)

    def train(self, counts: Any, labels: Any, steps: Any, rate: float = RATE) -> float:
        """One step of Adam at this learning rate; the loss before it."""
        import torch

        logits, _ = self._forward(torch.as_tensor(counts, dtype=torch.float32), steps)
        loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels))
        self._adam.zero_grad()
        loss.backward()
        self._adam.param_groups[0]["lr"] = rate
        self._adam.step()
        return float(loss.detach())

    def answers(self, counts: Any, steps: Any) -> tuple[Any, Any]:
        """Classes [samples], and operations of every sample."""
        import torch

        with torch.no_grad():
            logits, work = self._forward(torch.as_tensor(counts, dtype=torch.float32), steps)
        return logits.argmax(1).numpy(), work


def spiking(make: Callable[[float], Loop], step: float, seed: int = 0) -> Peer:
    """Two populations of a library's neurons; an operation is an event at a synapse."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    sizes = (N_INPUTS, HIDDEN, HIDDEN, N_OUTPUTS)
    wires = [torch.nn.Linear(a, b, bias=False) for a, b in zip(sizes, sizes[1:], strict=False)]
    for wire in wires:
        torch.nn.init.normal_(wire.weight, 2.0 / wire.in_features, 2.0 / wire.in_features**0.5)
    loops = [make(step) for _ in wires[:-1]]
    modules = torch.nn.ModuleList([*wires, *(loop.neurons for loop in loops)])  # type: ignore[attr-defined]

    def forward(values: Any, _steps: Any) -> tuple[Any, Any]:
        trains = [values]
        for wire, loop in zip(wires, loops, strict=False):
            trains.append(loop(wire(trains[-1])))
        left = torch.arange(len(values), 0, -1) * (step / TAU_MEM)
        share = (1.0 - torch.exp(-left)) / len(values)
        logits = GAIN * wires[-1]((trains[-1] * share[:, None, None]).sum(0))
        if torch.is_grad_enabled():  # in training nobody asks
            return logits, None
        pairs = zip(trains, wires, strict=True)
        return logits, sum(each.sum((0, 2)).numpy() * wire.out_features for each, wire in pairs)

    return Peer(modules, forward)


def gru(step: float, seed: int = 0) -> Peer:
    """A layer of gated units, as many parameters; the mean over frames is classified.

    An operation is a multiplication by a weight.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    layer, last = torch.nn.GRU(N_INPUTS, GATED), torch.nn.Linear(GATED, N_OUTPUTS)
    each = sum(p.numel() for p in layer.parameters() if p.dim() > 1)

    def forward(values: Any, steps: Any) -> tuple[Any, Any]:
        heard = layer(torch.log1p(values))[0]
        lasts = torch.as_tensor(steps)[None] > torch.arange(len(values))[:, None]
        mean = (heard * lasts[..., None]).sum(0) / lasts.sum(0)[:, None]
        return last(mean), each * steps.astype(float) + GATED * N_OUTPUTS

    return Peer(torch.nn.ModuleList([layer, last]), forward)


def pace(step: int, per_epoch: int, epochs: int) -> float:
    """Factor on the learning rate: one epoch of warm-up, and a cosine to zero."""
    cosine = 0.5 * (1.0 + math.cos(math.pi * step / (epochs * per_epoch)))
    return min((step + 1) / per_epoch, cosine)


def version_of(package: str) -> str:
    """Version of an installed distribution."""
    return version(package)
