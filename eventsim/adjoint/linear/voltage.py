r"""Voltage of neurons without spikes, at any times and at its maximum, with exact gradients.

Readouts, and spiking neurons in samples in which they do not fire, are linear in what arrives. With
arrivals :math:`(t_i, w_i)` and the kernel :math:`g` of :mod:`eventsim.engine.run.voltage_kernel`

.. math:: V(t) = E + \sum_{t_i < t} R\, w_i\, g(t - t_i).

States at the asked times, integrals and gradients are those of :mod:`eventsim.engine.run.states`.

**Maximum.** Between two arrivals V has one extremum in closed form, and it is a maximum if V rises
after the first and falls before the second. By the envelope theorem its time does not matter for
the gradient: it is that of V at a fixed time. A maximum at an arrival that turns V round (an
inhibitory one) is a kink, which moves with the arrival; the arrival gets :math:`V'` before it.
Where the maximum is the very end it stays there, and where V never exceeds E it is E, at time 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eventsim.adjoint.linear.maximum import Maximum, find_maximum
from eventsim.adjoint.linear.neurons import Neurons, bare_neurons, silent_parts
from eventsim.arrays import Array, Floats, beside, largest, namespace
from eventsim.engine.contract.job import DirectGradients, Voltages
from eventsim.engine.run.arrivals import Arrivals
from eventsim.engine.run.states import Met, Rates, States
from eventsim.errors import ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class VoltageProbe:
    """Voltage of some neurons at asked times; see the module."""

    neurons: Neurons  # whose voltage
    times: Array  # ms, [rows, asked], ascending in every row, all at or after the start
    value: Array  # V, [rows, asked]
    _states: States  # [asked, rows]
    _met: Array  # which arrivals count at an asked time
    # Where one time was asked, the row's maximum, which may move with an arrival; else None
    maximum: Maximum | None = None

    __repr__ = short_repr

    @classmethod
    def at_maximum(cls, neurons: Neurons) -> "VoltageProbe":
        """Ask for the largest voltage of every row, and where it is."""
        found, maximum = neurons.arrivals, find_maximum(neurons)
        met = found.time < maximum.time[found.row]
        number = neurons.xp.zeros(found.row.size, np.int64)
        states = _states(neurons, maximum.time[None], met, number)
        return cls(neurons, maximum.time[:, None], maximum.value[:, None], states, met, maximum)

    @classmethod
    def at(cls, neurons: Neurons, times: Array) -> "VoltageProbe":
        """Ask for the voltages; raises ShapeError unless ``times`` has one line per row."""
        if times.ndim != 2 or times.shape[0] != neurons.n_rows:
            raise ShapeError(
                "VoltageProbe",
                f"times have shape {times.shape}",
                f"({neurons.n_rows}, times), one line per neuron in every sample",
            )
        number = _next_asked(neurons.arrivals, times)
        met = number < times.shape[1]
        states = _states(neurons, times.T, met, number)
        rest = neurons.by_row(neurons.parameter("v_leak"))
        return cls(neurons, times, rest[:, None] + states.v.T, states, met)

    def slope(self) -> Array:
        """dV/dt just before the asked times of :meth:`at`, [rows, asked], per ms."""
        return self._states.slope().T

    def integral(self, time_constant: float, *, since_first: bool = False) -> Array:
        """Integral of V from the start to the asked times of :meth:`at`, [rows, asked].

        V is weighted by ``exp(-t / time_constant)``, in ms; infinity weights evenly. Up to the end
        of the sample it is that of :func:`eventsim.readout_integral`. With ``since_first`` it is
        from the first of the asked times on, from where the weight counts.
        """
        rest = self.neurons.by_row(self.neurons.parameter("v_leak"))[:, None]
        lasts = self.times - self.times[:, :1] if since_first else self.times
        above_rest = self._states.integral(1.0 / time_constant, since_first=since_first)
        found: Array = rest * weighted_time(lasts, time_constant) + above_rest.T
        return found

    def backward(self, by_voltage: Array) -> DirectGradients:
        """Gradients from dL/dV at the asked times, [rows, asked]."""
        one, found, met = self.neurons, self.neurons.arrivals, self._met
        back = self._states.backward(by_voltage.T)
        n_synapses = int(one.job.stage.wiring.synapse_start[-1])
        n_spikes = sum(source.times.size for source in one.job.sources)
        row, synapse, spike = found.row[met], found.synapse[met], found.spike[met]
        apart, delays = one.job.stage.delays_per_synapse, None
        if apart:
            delays = one.sum_by(back.time, synapse, n_synapses)
        spikes = one.sum_by(back.time, spike, n_spikes)
        if self.maximum is not None:
            turns = self.maximum.arrival >= 0
            arrival = self.maximum.arrival[turns]
            moved = by_voltage[:, 0][turns] * self.maximum.slope[turns]
            if apart:
                delays = delays + one.sum_by(moved, found.synapse[arrival], n_synapses)
            spikes = spikes + one.sum_by(moved, found.spike[arrival], n_spikes)
        a, b = self._states.rates
        per_neuron = {
            "tau_mem": -(back.a * a * a),
            "tau_syn": -(back.b * b * b),
            "resistance": one.sum_by(found.weight[met] * back.drive, row, one.n_rows),
            "v_leak": by_voltage.sum(axis=1),
        }
        r = one.by_row(one.parameter("resistance"))
        return DirectGradients(
            synapses=one.sum_by(r[row] * back.drive, synapse, n_synapses),
            delays=delays,
            spikes=spikes,
            parameters={
                name: values.reshape(-1, one.chosen.size).sum(axis=0)
                for name, values in per_neuron.items()
            },
        )


def _states(neurons: Neurons, times: Array, met: Array, number: Array) -> States:
    """At ``times`` [asked, rows]; of arrivals those that are ``met`` by the time of that number."""
    found, row = neurons.arrivals, neurons.arrivals.row[met]
    a, b, r = (neurons.by_row(neurons.parameter(k)) for k in ("tau_mem", "tau_syn", "resistance"))
    arrived = Met(row, number[met], found.time[met], r[row] * found.weight[met])
    return States(times, Rates(1.0 / a, 1.0 / b), arrived, add=neurons.sum_by)


@dataclass(frozen=True, eq=False)
class EngineProbe:
    """Voltages of all neurons of a readout, found by the engine."""

    neurons: Neurons  # whose voltage
    value: Array  # V, [samples, neurons, asked], in any order in memory
    _found: Voltages

    __repr__ = short_repr

    @classmethod
    def of(cls, neurons: Neurons, found: Voltages) -> "EngineProbe":
        """Probe of a whole population, from the voltages of its stage."""
        return cls(neurons, found.value[:, _range_of(neurons)], found)

    def backward(self, by_voltage: Array) -> DirectGradients:
        """Gradients from dL/dV, [samples, neurons, asked]."""
        shape, mine, of_stage = self._found.value.shape, _range_of(self.neurons), by_voltage
        if self.value.shape != shape:
            of_stage = self.neurons.xp.zeros(shape)
            of_stage[:, mine] = by_voltage
        found = self._found.backward(of_stage)
        parameters = {key: values[mine] for key, values in found.parameters.items()}
        return found._replace(parameters=parameters)


def _range_of(neurons: Neurons) -> slice:
    """The neurons of a whole population, which lie together in their stage."""
    first = int(neurons.chosen[0])
    return slice(first, first + neurons.chosen.size)


Probe = VoltageProbe | EngineProbe


def readout_maximum(net: Network, tape: SpikeTape, name: str) -> Sequence[Probe]:
    """Largest voltage of every neuron of a readout, in parts one behind the other."""
    neurons = bare_neurons(net, tape, name)
    found = neurons.engine.readout_peaks(neurons.job)
    if found is None:
        return [VoltageProbe.at_maximum(part) for part in silent_parts(net, tape, name)]
    return [EngineProbe.of(neurons, found)]


def readout_at(net: Network, tape: SpikeTape, name: str, times: Floats) -> Sequence[Probe]:
    """Voltage of every neuron of a readout at ``times``, in parts likewise.

    ``times`` in ms, NumPy, [samples, asked], ascending in every sample and not after its end.
    """
    neurons = bare_neurons(net, tape, name)
    found = neurons.engine.readout_voltages(neurons.job, times)
    if found is not None:
        return [EngineProbe.of(neurons, found)]
    return [
        VoltageProbe.at(
            part, beside(np.repeat(times, part.chosen.size, axis=0), part.arrivals.time)
        )
        for part in silent_parts(net, tape, name)
    ]


def readout_last(net: Network, tape: SpikeTape, name: str) -> Sequence[Probe]:
    """Voltage of every neuron of a readout at the end of its sample, in parts likewise."""
    ends = bare_neurons(net, tape, name).job.duration
    return readout_at(net, tape, name, ends[:, None])


def joined_voltages(probes: Sequence[Probe]) -> Array:
    """Voltages of parts one behind the other, [samples, neurons, asked]; a view of a single one."""
    parts = [
        probe.value.reshape(-1, probe.neurons.chosen.size, probe.value.shape[-1])
        for probe in probes
    ]
    return parts[0] if len(parts) == 1 else probes[0].neurons.xp.concatenate(parts, axis=1)


def weighted_time(times: Array, time_constant: float) -> Array:
    """Integral of ``exp(-t / time_constant)`` from 0 to ``times``, ms."""
    if math.isinf(time_constant):
        return times
    return -time_constant * namespace(times).expm1(-times / time_constant)


def _next_asked(found: Arrivals, times: Array) -> Array:
    """Number of the first asked time after every arrival; that of all times if there is none."""
    xp, (n_rows, n) = namespace(times), times.shape
    # One search for all rows: a row's times are lifted above those of the rows before it.
    lift = 1.0 + max(largest(xp.abs(times)), largest(found.time))
    keys = (times + lift * xp.arange(n_rows)[:, None]).ravel()
    number = xp.searchsorted(keys, found.time + lift * found.row, side="right") - n * found.row
    number = xp.minimum(xp.maximum(number, 0), n)
    # The lift rounds: compare with the neighbours themselves.
    before = times[found.row, xp.maximum(number - 1, 0)]
    number = xp.where((number > 0) & (before > found.time), number - 1, number)
    here = times[found.row, xp.minimum(number, n - 1)]
    return xp.where((number < n) & (here <= found.time), number + 1, number)
