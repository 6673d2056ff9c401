r"""Voltage of a readout as a formula of PyTorch, so that autograd sees all that it depends on.

With arrivals at :math:`t_i + d_i`, weights :math:`w_i`, and h the time since,

.. math::
    V(t) = E + R \sum_i w_i\, g(h_i), \qquad
    g(h) = \frac{h}{\tau_m} e^{-a} \frac{\sinh y}{y}, \qquad
    a = \frac h2 \Bigl(\frac1{\tau_m} + \frac1{\tau_s}\Bigr), \quad
    y = \frac h2 \Bigl(\frac1{\tau_s} - \frac1{\tau_m}\Bigr),

which is :func:`eventsim.neuron.lif.synaptic_gain` in a form that is smooth where
:math:`\tau_m = \tau_s`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from eventsim.arrays import to_host
from eventsim.bridge.share import to_torch
from eventsim.events import SpikeTape
from eventsim.network import Network, Projection

SMALL = 1e-3  # of |y|, below which the series is exact to rounding


def readout_voltage(
    net: Network,
    tape: SpikeTape,
    values: Mapping[str, Any],
    sent: tuple[Any, Mapping[str, Any]],
    name: str,
    at: Any,
) -> Any:
    """As :meth:`eventsim.bridge.outputs.Outputs.voltage`.

    Parameters
    ----------
    net, tape
        The network and its run.
    values
        Tensors of all parameters, by their names in ``net.parameters()``.
    sent
        Times of input events and, by population, of spikes, as tensors.
    name, at
        The readout and the times.
    """
    population = net.readout(name, "Outputs.voltage")
    shape = (tape.stream.n_samples, at.numel(), population.size)
    mine = {key: values[f"{name}.{key}"] for key in population.parameters}
    total = mine["v_leak"].expand(shape)
    for projection in net.projections.values():
        if projection.target == name:
            total = total + _caused(net, tape, values, sent, projection, mine, at)
    return total


def _caused(
    net: Network,
    tape: SpikeTape,
    values: Mapping[str, Any],
    sent: tuple[Any, Mapping[str, Any]],
    projection: Projection,
    mine: Mapping[str, Any],
    at: Any,
) -> Any:
    """What a projection adds, [samples, times, size]."""
    if projection.source == net.input.name:
        times, channel, offsets = sent[0], tape.stream.channels, tape.stream.offsets
    else:
        trains = tape[projection.source]
        times, channel = sent[1][projection.source], to_host(trains.neurons)
        offsets = to_host(trains.offsets)
    event, synapse, target = _arrivals(projection, np.asarray(channel))
    device = times.device
    event, synapse, target = (to_torch(x).to(device) for x in (event, synapse, target))
    weights = values[f"{projection.name}.weights"].reshape(-1)[synapse]
    arrival = times[event] + _delays(projection, values, channel, event, synapse)
    gain = _gain(at[:, None] - arrival, mine["tau_mem"][target], mine["tau_syn"][target])
    each = weights * mine["resistance"][target] * gain  # [times, arrivals]
    sample = to_torch(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))).to(device)[event]
    size, n_samples = net.population(projection.target).size, len(offsets) - 1
    flat = each.new_zeros((at.numel(), n_samples * size))
    flat = flat.index_add(1, sample * size + target, each)
    return flat.reshape(at.numel(), n_samples, size).transpose(0, 1)


def _arrivals(projection: Projection, channel: Any) -> tuple[Any, Any, Any]:
    """Event, synapse (entry of the weights) and target of every arrival, int64 each."""
    first = projection.first_synapses()
    fan_out = np.diff(first)[channel]
    event = np.repeat(np.arange(channel.size), fan_out)
    begins = np.repeat(np.cumsum(fan_out) - fan_out, fan_out)
    synapse = np.repeat(first[channel], fan_out) + np.arange(event.size) - begins
    return event, synapse, projection.targets(synapse)


def _delays(
    projection: Projection, values: Mapping[str, Any], channel: Any, event: Any, synapse: Any
) -> Any:
    """Delay of every arrival."""
    delays = values[f"{projection.name}.delays"]
    if delays.ndim == 0:
        return delays
    if projection.delay_per_synapse:
        return delays.reshape(-1)[synapse]
    return delays[to_torch(np.asarray(channel, dtype=np.int64)).to(event.device)[event]]


def _gain(since: Any, tau_mem: Any, tau_syn: Any) -> Any:
    """The module's g, 0 before the arrival."""
    h = since.clamp(min=0.0)
    half_sum, y = h / 2 * (1 / tau_mem + 1 / tau_syn), h / 2 * (1 / tau_syn - 1 / tau_mem)
    small = y.abs() < SMALL
    # The branch that is not taken must not divide by 0: its gradient would be NaN times 0.
    safe = torch.where(small, torch.ones_like(y), y)
    full = (torch.exp(safe - half_sum) - torch.exp(-safe - half_sum)) / (2 * safe)
    series = torch.exp(-half_sum) * (1 + y**2 / 6 * (1 + y**2 / 20))
    return h / tau_mem * torch.where(small, series, full)
