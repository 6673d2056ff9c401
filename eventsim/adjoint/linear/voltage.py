r"""Voltage of neurons without spikes, at any times and at its maximum, with exact gradients.

Readouts, and spiking neurons in samples in which they do not fire, are linear in what arrives. With
arrivals :math:`(t_i, w_i)` and the kernel :math:`x, y, g` of
:mod:`eventsim.engine.run.voltage_kernel`

.. math:: V(t) = E + \sum_{t_i < t} R\, w_i\, g(t - t_i).

**Forward.** Each arrival is carried to the first asked time after it, the state :math:`(v, J)` from
one asked time to the next. The work grows with arrivals, not with arrivals times asked times.

**Integral.** With a weight :math:`e^{-\lambda u}`, :math:`v = V - E` and :math:`J = R I` both
equations are integrated by parts,

.. math::
    K(t) = \int_0^t e^{-\lambda u} J\,du
         = \frac{\sum_{t_i < t} R\, w_i\, e^{-\lambda t_i} - e^{-\lambda t} J(t)}{b + \lambda},
    \qquad
    \int_0^t e^{-\lambda u} v\,du = \frac{a\,K(t) - e^{-\lambda t} v(t)}{a + \lambda},

so that the integral up to every asked time follows from the states there and a cumulative sum.

**Backward.** With :math:`\alpha = \partial L/\partial v` and :math:`\beta = \partial L/\partial J`
at the asked times, later ones included (:math:`\alpha_q = u_q + x\,\alpha_{q+1}`, :math:`\beta_q =
g\,\alpha_{q+1} + y\,\beta_{q+1}`, where :math:`u` is the loss's own derivative), an arrival
:math:`h` before the first of them has

.. math::
    \frac{\partial L}{\partial (R w)} = \alpha\, g + \beta\, y, \qquad
    \frac{\partial L}{\partial t_i} = -R w\,\bigl(a\,(y - g)\,\alpha - b\,y\,\beta\bigr),

and the rates get what the derivatives of the same maps say.

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
from eventsim.engine.run.voltage_kernel import kernel, kernel_slopes
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
    _asked: Array  # of every arrival: the first asked time after it, as row * n + number; or -1
    _v: Array  # from E, at the asked times, [asked, rows]
    _drive: Array
    # Where one time was asked, the row's maximum, which may move with an arrival; else None
    maximum: Maximum | None = None

    __repr__ = short_repr

    @classmethod
    def at_maximum(cls, neurons: Neurons) -> "VoltageProbe":
        """Ask for the largest voltage of every row, and where it is."""
        found, xp, maximum = neurons.arrivals, neurons.xp, find_maximum(neurons)
        # One asked time per row has no moves between asked times: their states are of no use.
        asked = xp.where(found.time < maximum.time[found.row], found.row, -1)
        states = xp.zeros((1, neurons.n_rows))
        times, value = maximum.time[:, None], maximum.value[:, None]
        return cls(neurons, times, value, asked, states, states, maximum)

    @classmethod
    def at(cls, neurons: Neurons, times: Array) -> "VoltageProbe":
        """Ask for the voltages; raises ShapeError unless ``times`` has one line per row."""
        if times.ndim != 2 or times.shape[0] != neurons.n_rows:
            raise ShapeError(
                f"VoltageProbe: times have shape {times.shape}, expected ({neurons.n_rows}, "
                "times), one line per neuron in every sample."
            )
        xp, found = neurons.xp, neurons.arrivals
        n_rows, n = times.shape
        a, b = (1.0 / neurons.by_row(neurons.parameter(k)) for k in ("tau_mem", "tau_syn"))
        asked = _next_asked(found, times)
        met = asked >= 0
        place, row = asked[met], found.row[met]
        step = kernel(times.ravel()[place] - found.time[met], a[row], b[row])
        drive = neurons.by_row(neurons.parameter("resistance"))[row] * found.weight[met]
        size = n_rows * n
        gains = neurons.sum_by(drive * step.g, place, size).reshape(n_rows, n)
        drives = neurons.sum_by(drive * step.y, place, size).reshape(n_rows, n)
        v, j = xp.zeros((n, n_rows)), xp.zeros((n, n_rows))
        for q in range(n):
            v[q], j[q] = gains[:, q], drives[:, q]
            if q:
                move = kernel(times[:, q] - times[:, q - 1], a, b)
                v[q] += move.x * v[q - 1] + move.g * j[q - 1]
                j[q] += move.y * j[q - 1]
        rest = neurons.by_row(neurons.parameter("v_leak"))
        return cls(neurons, times, rest[:, None] + v.T, asked, v, j)

    def slope(self) -> Array:
        """dV/dt just before the asked times of :meth:`at`, [rows, asked], per ms."""
        a = 1.0 / self.neurons.by_row(self.neurons.parameter("tau_mem"))
        return (a * (self._drive - self._v)).T

    def integral(self, time_constant: float) -> Array:
        """Integral of V from the start to the asked times of :meth:`at`, [rows, asked].

        V is weighted by ``exp(-t / time_constant)``, in ms; infinity weights evenly. Up to the end
        of the sample it is that of :func:`eventsim.readout_integral`.
        """
        rest = self.neurons.xp.zeros(self.neurons.n_rows)
        return self._integral(time_constant, rest, rest, rest, self._asked >= 0)

    def integral_since(self, time_constant: float) -> Array:
        """As :meth:`integral`, from the first of the asked times on, from where the weight counts.

        It follows from the state there; what came before counts by that alone.
        """
        n = self.times.shape[1]
        met = (self._asked >= 0) & (self._asked % n > 0)
        return self._integral(time_constant, self.times[:, 0], self._v[0], self._drive[0], met)

    def _integral(
        self, time_constant: float, begin: Array, v: Array, drive: Array, met: Array
    ) -> Array:
        """Integral from ``begin``, [rows], where the state is ``v`` and ``drive``, [rows]."""
        one, found, rate = self.neurons, self.neurons.arrivals, 1.0 / time_constant
        a, b = (1.0 / one.by_row(one.parameter(k)) for k in ("tau_mem", "tau_syn"))
        row = found.row[met]
        arrived = one.by_row(one.parameter("resistance"))[row] * found.weight[met]
        weighted = arrived * one.xp.exp(-rate * (found.time[met] - begin[row]))
        added = one.sum_by(weighted, self._asked[met], self.times.size)
        total = one.xp.cumsum(added.reshape(self.times.shape), axis=1)
        since = self.times - begin[:, None]
        decay = one.xp.exp(-rate * since)
        total = total + drive[:, None]
        of_drive = (total - decay * self._drive.T) / (b + rate)[:, None]
        fallen = v[:, None] - decay * self._v.T
        above_rest = (a[:, None] * of_drive + fallen) / (a + rate)[:, None]
        rest = one.by_row(one.parameter("v_leak"))[:, None]
        found_integral: Array = rest * weighted_time(since, time_constant) + above_rest
        return found_integral

    def backward(self, by_voltage: Array) -> DirectGradients:
        """Gradients from dL/dV at the asked times, [rows, asked]."""
        one, found = self.neurons, self.neurons.arrivals
        a, b = (1.0 / one.by_row(one.parameter(k)) for k in ("tau_mem", "tau_syn"))
        alpha, beta, by_a, by_b = self._carried_back(by_voltage, a, b)
        met = self._asked >= 0
        place, row = self._asked[met], found.row[met]
        h = self.times.ravel()[place] - found.time[met]
        (_, y, g), g_by_a, g_by_b = kernel_slopes(h, a[row], b[row])
        alpha, beta = alpha.ravel()[place], beta.ravel()[place]
        r = one.by_row(one.parameter("resistance"))
        weight, drive = found.weight[met], r[row] * found.weight[met]
        by_drive = alpha * g + beta * y
        by_time = -drive * (alpha * a[row] * (y - g) - beta * b[row] * y)
        by_a += one.sum_by(drive * alpha * g_by_a, row, one.n_rows)
        by_b += one.sum_by(drive * (alpha * g_by_b - beta * h * y), row, one.n_rows)
        n_synapses = int(one.job.stage.wiring.synapse_start[-1])
        n_spikes = sum(source.times.size for source in one.job.sources)
        synapse, spike = found.synapse[met], found.spike[met]
        apart, delays = one.job.stage.delays_per_synapse, None
        if apart:
            delays = one.sum_by(by_time, synapse, n_synapses)
        spikes = one.sum_by(by_time, spike, n_spikes)
        if self.maximum is not None:
            turns = self.maximum.arrival >= 0
            arrival = self.maximum.arrival[turns]
            moved = by_voltage[:, 0][turns] * self.maximum.slope[turns]
            if apart:
                delays = delays + one.sum_by(moved, found.synapse[arrival], n_synapses)
            spikes = spikes + one.sum_by(moved, found.spike[arrival], n_spikes)
        per_neuron = {
            "tau_mem": -(by_a * a * a),
            "tau_syn": -(by_b * b * b),
            "resistance": one.sum_by(weight * by_drive, row, one.n_rows),
            "v_leak": by_voltage.sum(axis=1),
        }
        return DirectGradients(
            synapses=one.sum_by(r[row] * by_drive, synapse, n_synapses),
            delays=delays,
            spikes=spikes,
            parameters={
                name: values.reshape(-1, one.chosen.size).sum(axis=0)
                for name, values in per_neuron.items()
            },
        )

    def _carried_back(
        self, by_voltage: Array, a: Array, b: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Alpha and beta, [rows, asked], and what the moves between asked times give the rates."""
        xp, (n_rows, n) = self.neurons.xp, self.times.shape
        alpha, beta = by_voltage.copy(), xp.zeros((n_rows, n))
        by_a, by_b = xp.zeros(n_rows), xp.zeros(n_rows)
        for q in range(n - 1, 0, -1):
            h = self.times[:, q] - self.times[:, q - 1]
            (x, y, g), g_by_a, g_by_b = kernel_slopes(h, a, b)
            v, j, up, side = self._v[q - 1], self._drive[q - 1], alpha[:, q], beta[:, q]
            by_a += up * (g_by_a * j - h * x * v)
            by_b += up * g_by_b * j - side * h * y * j
            alpha[:, q - 1] += x * up
            beta[:, q - 1] += g * up + y * side
        return alpha, beta, by_a, by_b


@dataclass(frozen=True, eq=False)
class EngineProbe:
    """Voltages of all neurons of a readout, found by the engine."""

    neurons: Neurons  # whose voltage
    value: Array  # V, [samples, neurons, asked], in any order in memory
    _found: Voltages

    __repr__ = short_repr

    @classmethod
    def of(cls, neurons: Neurons, found: Voltages) -> "EngineProbe":
        """Those of a whole population, of what was found for its stage."""
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
    found = neurons.peaks()
    if found is None:
        return [VoltageProbe.at_maximum(part) for part in silent_parts(net, tape, name)]
    return [EngineProbe.of(neurons, found)]


def readout_at(net: Network, tape: SpikeTape, name: str, times: Floats) -> Sequence[Probe]:
    """Voltage of every neuron of a readout at ``times``, in parts likewise.

    ``times`` in ms, NumPy, [samples, asked], ascending in every sample and not after its end.
    """
    neurons = bare_neurons(net, tape, name)
    found = neurons.voltages(times)
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
    """Flat number of the first asked time after every arrival, -1 if there is none."""
    xp, (n_rows, n) = namespace(times), times.shape
    # One search for all rows: a row's times are lifted above those of the rows before it.
    lift = 1.0 + max(largest(xp.abs(times)), largest(found.time))
    keys = (times + lift * xp.arange(n_rows)[:, None]).ravel()
    number = xp.searchsorted(keys, found.time + lift * found.row, side="right") - n * found.row
    number = xp.minimum(xp.maximum(number, 0), n)
    # The lift rounds: compare with the neighbours themselves.
    base = found.row * n
    before = times.ravel()[base + xp.maximum(number - 1, 0)]
    number = xp.where((number > 0) & (before > found.time), number - 1, number)
    here = times.ravel()[base + xp.minimum(number, n - 1)]
    number = xp.where((number < n) & (here <= found.time), number + 1, number)
    return xp.where(number < n, base + number, -1)
