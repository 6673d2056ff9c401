"""The networks of other libraries for bench.macro.epoch, each only where it can be imported.

All have 64 inputs, two hidden populations of 128 and 10 readouts, each fed by the one before. A
layer's synapses are one matrix product over all steps, its neurons one loop over the steps. The
readout is a leaky integrator whose mean voltage is the logit; it is computed in closed form.
"""

import math
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

TAU_MEM, TAU_SYN = 20.0, 10.0  # ms
N_INPUTS, HIDDEN, N_OUTPUTS = 64, 128, 10
GAIN, RATE = 20.0, 1e-3
Loop = Callable[[Any], Any]
"""Currents [steps, samples, neurons] to spikes of the same shape."""


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


def trainer(make: Callable[[float], Loop], step: float) -> Callable[[Any, Any], float]:
    """A function that takes counts [steps, samples, inputs] and labels, and trains one batch."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = (N_INPUTS, HIDDEN, HIDDEN, N_OUTPUTS)
    wires = [torch.nn.Linear(a, b, bias=False) for a, b in zip(sizes, sizes[1:], strict=False)]
    for wire in wires:
        torch.nn.init.normal_(wire.weight, 2.0 / wire.in_features, 2.0 / wire.in_features**0.5)
    loops = [make(step) for _ in wires[:-1]]
    modules = torch.nn.ModuleList([*wires, *(loop.neurons for loop in loops)])  # type: ignore[attr-defined]
    optimiser = torch.optim.Adam(modules.parameters(), lr=RATE)

    def train(counts: Any, labels: Any) -> float:
        values = torch.as_tensor(counts, dtype=torch.float32)
        for wire, loop in zip(wires, loops, strict=False):
            values = loop(wire(values))
        left = torch.arange(len(values), 0, -1) * (step / TAU_MEM)
        share = (1.0 - torch.exp(-left)) / len(values)
        logits = GAIN * wires[-1]((values * share[:, None, None]).sum(0))
        loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return train


def version_of(package: str) -> str:
    """Version of an installed distribution."""
    return version(package)
