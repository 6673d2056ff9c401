"""Voltage of a readout at given times, as one differentiable function of PyTorch.

Values and derivatives are those of :class:`eventsim.adjoint.linear.voltage.VoltageProbe`. Gradients
are by the readout's parameters, by the weights and delays of projections into it, by the times of
spikes and input events, and by the given times.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from eventsim.adjoint import VoltageSeed
from eventsim.adjoint.linear.direct import by_key, by_source
from eventsim.adjoint.linear.neurons import silent_neurons
from eventsim.adjoint.linear.voltage import VoltageProbe
from eventsim.arrays import beside
from eventsim.bridge.share import from_torch, require_times, set_values, to_torch
from eventsim.errors import ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network


@dataclass(frozen=True, eq=False)
class _Asked:
    """A readout of a run, its sources, and the keys of the parameters that act on it."""

    net: Network
    tape: SpikeTape
    name: str
    sources: tuple[str, ...]
    keys: tuple[str, ...]


def readout_voltage(
    net: Network,
    tape: SpikeTape,
    values: Mapping[str, Any],
    times: Mapping[str, Any],
    name: str,
    at: Any,
) -> Any:
    """Tensor [samples, times, size]; see :meth:`eventsim.bridge.outputs.Outputs.voltage`.

    ``values`` are tensors of all parameters by their names in ``net.parameters()``, ``times`` those
    of input events and of spikes by population.
    """
    population = net.readout(name, "Outputs.voltage")
    require_times("Outputs.voltage", "at", at)
    if at.ndim != 1:
        raise ShapeError(
            "Outputs.voltage",
            f"at has shape {tuple(at.shape)}",
            "one dimension, [times]",
            "Pass at.reshape(-1).",
        )
    if not bool(torch.isfinite(at).all()):
        raise ParameterError("Outputs.voltage", "at has entries that are not finite", "ms")
    into = [p for p in net.projections.values() if p.target == name]
    sources = tuple(dict.fromkeys(p.source for p in into))
    keys = [f"{name}.{kind}" for kind in population.parameters]
    keys += [f"{p.name}.{kind}" for p in into for kind in ("weights", "delays")]
    asked = _Asked(net, tape, name, sources, tuple(keys))
    apply: Any = _Voltage.apply  # untyped in PyTorch
    return apply(asked, at, *(times[source] for source in sources), *(values[k] for k in keys))


class _Voltage(torch.autograd.Function):
    """``_Voltage.apply(asked, at, *times of the sources, *values of the keys)``."""

    @staticmethod
    def forward(ctx: Any, asked: _Asked, at: Any, *tensors: Any) -> Any:
        """Voltages, [samples, times, size]."""
        values = tensors[len(asked.sources) :]
        ctx.asked = asked
        # PyTorch then notices if a value is changed before the backward pass.
        ctx.save_for_backward(at, *values)
        set_values(asked.net, asked.keys, values)
        neurons = silent_neurons(asked.net, asked.tape, asked.name)
        # Before the start V rests, as at the start.
        times = np.maximum(at.detach().cpu().to(torch.float64).numpy(), 0.0)
        ctx.order = np.argsort(times, kind="stable")
        ascending = beside(times[ctx.order], neurons.arrivals.time)
        ctx.probe = VoltageProbe.at(neurons, neurons.xp.tile(ascending, (neurons.n_rows, 1)))
        found = to_torch(ctx.probe.value)
        found = found.reshape(-1, neurons.chosen.size, times.size).transpose(1, 2)
        return found[:, np.argsort(ctx.order)]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_voltage: Any) -> tuple[Any, ...]:
        """Gradients by the given times, the sources' times and the values."""
        asked, probe, (at, *values) = ctx.asked, ctx.probe, ctx.saved_tensors
        set_values(asked.net, asked.keys, values)
        by = by_voltage[:, ctx.order].transpose(1, 2).reshape(probe.value.shape)
        by = from_torch(by.to(torch.float64), probe.value)
        found = VoltageSeed(probe, by).direct()
        by_at = (by * probe.slope()).sum(axis=0)[np.argsort(ctx.order)]
        by_times = dict[str, Any]()
        for name, moved in by_source(probe.neurons, found):
            by_times[name] = by_times[name] + moved if name in by_times else moved
        by_value = dict(by_key(probe.neurons, found))
        return (
            None,
            to_torch(by_at).to(at),
            *(to_torch(by_times[name]) for name in asked.sources),
            *(to_torch(by_value[k]).to(v) for k, v in zip(asked.keys, values, strict=True)),
        )
