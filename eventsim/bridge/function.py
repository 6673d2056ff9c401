"""simulate and backward as one differentiable function of PyTorch."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from eventsim.adjoint import Gradients, ReadoutSeed, Seeds, SpikeSeed, backward
from eventsim.arrays import Precision
from eventsim.bridge.share import from_torch, set_values, to_torch
from eventsim.engine import readout_integral, simulate
from eventsim.events import EventStream, SpikeTape
from eventsim.network import Network


@dataclass(eq=False)
class Call:
    """A run: its arguments, and the tape that it records."""

    net: Network
    stream: EventStream
    keys: tuple[str, ...]  # of the values, as in ``net.parameters()``
    # Populations whose integrals and spike times are the results, in this order
    readouts: tuple[str, ...]
    spiking: tuple[str, ...]
    time_constant: float
    backend: str
    precision: Precision
    tape: SpikeTape | None = None
    gradients: list[Gradients] = field(default_factory=list)


class SimulateFunction(torch.autograd.Function):
    """``Run.apply(call, input times or None, *values)``: integrals, then spike times."""

    @staticmethod
    def forward(ctx: Any, call: Call, times: Any, *values: Any) -> tuple[Any, ...]:
        """Simulate; see :class:`Call`."""
        ctx.call = call
        ctx.set_materialize_grads(False)
        # PyTorch then notices if a value is changed before the backward pass.
        ctx.save_for_backward(*values)
        set_values(call.net, call.keys, values)
        tape = simulate(
            call.net, call.stream, backend=call.backend, precision=call.precision, resident=True
        )
        call.tape = tape
        integrals = [
            readout_integral(call.net, tape, name, time_constant=call.time_constant)
            for name in call.readouts
        ]
        return tuple(map(to_torch, [*integrals, *(tape[name].times for name in call.spiking)]))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *by_result: Any) -> tuple[Any, ...]:
        """Exact gradients by the values, and by the input times where these need one."""
        call, values = ctx.call, ctx.saved_tensors
        set_values(call.net, call.keys, values)
        found = backward(call.net, call.tape, _seeds(call, by_result))
        call.gradients.append(found)
        flat = found.flat()
        _, by_times, *wanted = ctx.needs_input_grad
        by_value = [
            to_torch(flat[key]).to(value) if want else None
            for key, value, want in zip(call.keys, values, wanted, strict=True)
        ]
        return (None, to_torch(found.input_times) if by_times else None, *by_value)


def _seeds(call: Call, by_result: tuple[Any, ...]) -> Seeds:
    tape = call.tape
    assert tape is not None
    like = next(iter(call.net.parameters().values()))
    seeds: dict[str, Any] = {}
    for name, given in zip((*call.readouts, *call.spiking), by_result, strict=True):
        if given is None:
            continue
        values = from_torch(given.to(torch.float64), like)
        if name in call.readouts:
            seeds[name] = ReadoutSeed(call.time_constant, values)
        else:
            seeds[name] = SpikeSeed(time=values)
    return seeds
