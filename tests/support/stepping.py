r"""An integrator of the hybrid system that shares no formula with the package.

The neuron's equation between events is linear, y' = A y with

.. math::
    y = (V - E,\; I), \qquad
    A = \begin{pmatrix} -1/\tau_m & R/\tau_m \\ 0 & -1/\tau_s \end{pmatrix},

so the state is carried forward by the matrix exponential of :math:`A h` (:func:`expm`), in steps
of at most ``STEP`` ms. A crossing is bracketed by two steps, or by a step and the root of
:math:`V'` inside it, and refined with Brent's method. The tests trust times to ``OWN_ERROR``.

The readout's weighted integral is one more linear equation, :math:`z' = e^{-t/T_w} V`, appended
to the same matrix.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from tests.support.wiring import Synapses, arrivals_by_target, run_order, synapses

STEP = 0.25  # ms; far below every time constant in the tests
OWN_ERROR = 1e-10  # ms; a few hundred roundings of 1e-14 relative over a few hundred ms


def expm(a):
    """Matrix exponential by Taylor's series, scaling and squaring.

    Not scipy's: for 2 x 2 matrices that one loses half its digits where eigenvalues nearly meet.
    """
    halvings = max(0, int(np.ceil(np.log2(max(np.abs(a).sum(axis=1).max(), 1e-300)))) + 1)
    small = a / 2.0**halvings
    eye = np.eye(len(a))
    result = eye
    for k in range(16, 0, -1):
        result = eye + small @ result / k
    for _ in range(halvings):
        result = result @ result
    return result


@dataclass(frozen=True)
class Neuron:
    """Parameters of one neuron, in the units of the package."""

    tau_mem: float
    tau_syn: float
    resistance: float = 1.0
    threshold: float = np.inf
    v_leak: float = 0.0
    v_reset: float = 0.0
    refractory: float = 0.0

    @property
    def matrix(self):
        """The matrix A of the linear equation."""
        return np.array(
            [[-1.0 / self.tau_mem, self.resistance / self.tau_mem], [0.0, -1.0 / self.tau_syn]]
        )


def neuron_of(population, index):
    """Parameters of one neuron of a population of the network."""
    names = ["tau_mem", "tau_syn", "resistance", "v_leak"]
    if population.kind == "spiking":
        names += ["threshold", "v_reset", "refractory"]
    return Neuron(**{name: float(getattr(population, name)[index]) for name in names})


def spikes_of_neuron(neuron, arrivals, duration, *, self_weight=None, self_delay=0.0, step=STEP):
    """Spike times of one neuron driven by ``(time, weight)`` arrivals in any order."""
    queue = [(float(t), float(w)) for t, w in arrivals if t < duration]
    heapq.heapify(queue)
    a = neuron.matrix
    march = expm(a * step)
    theta = neuron.threshold - neuron.v_leak
    reset = neuron.v_reset - neuron.v_leak
    y = np.array([reset if neuron.v_leak >= neuron.threshold else 0.0, 0.0])
    t, hold, spikes = 0.0, 0.0, []
    while t < duration:
        while queue and queue[0][0] <= t:
            y = y + [0.0, heapq.heappop(queue)[1]]
        end = min(queue[0][0] if queue else duration, duration)
        if t < hold:
            stop = min(hold, end)
            y = np.array([reset, y[1] * np.exp(-(stop - t) / neuron.tau_syn)])
            t = stop
            continue
        wait, y = _until_crossing(y, a, march, end - t, step, theta)
        if wait is None:
            t = end
            continue
        t = t + wait
        if t >= duration:
            break
        spikes.append(t)
        y = np.array([reset, y[1]])
        hold = t + neuron.refractory
        if self_weight is not None and t + self_delay < duration:
            heapq.heappush(queue, (t + self_delay, float(self_weight)))
    return spikes


def _until_crossing(y, a, march, span, step, theta):
    """``(ms to the first crossing or None, state there or at the end of the span)``."""
    done = 0.0
    if y[0] >= theta and (a @ y)[0] > 0.0:
        return 0.0, y
    while done < span:
        h = min(step, span - done)
        after = march @ y if h == step else expm(a * h) @ y
        top = _reaches(y, after, a, h, theta)
        if top is not None:
            wait = brentq(lambda x, y=y: (expm(a * x) @ y)[0] - theta, 0.0, top, xtol=1e-14)
            return done + wait, expm(a * wait) @ y
        y, done = after, done + h
    return None, y


def _reaches(before, after, a, h, theta):
    """A point of (0, h] at which V is above threshold, or None."""
    if before[0] >= theta:
        return None  # above and falling
    if after[0] > theta:
        return h
    slope, slope_after = (a @ before)[0], (a @ after)[0]
    if not slope > 0.0 > slope_after:
        return None
    if max(before[0], after[0]) + 2.0 * h * max(slope, -slope_after) < theta:
        return None

    def rate(x):
        return (a @ expm(a * x) @ before)[0]

    if rate(h) >= 0.0:  # the peak is the step's end, to rounding
        return None
    peak = brentq(rate, 0.0, h, xtol=1e-15)
    return peak if (expm(a * peak) @ before)[0] >= theta else None


def simulate(net, stream, *, step=STEP):
    """Spikes of every spiking population: dict name -> list per sample of (times, neurons)."""
    result = {}
    for name in run_order(net):
        population = net.populations[name]
        if population.kind != "spiking":
            continue
        loop = net.projections.get(f"{name}->{name}")
        wires = synapses(net, loop) if loop is not None else None
        result[name] = [
            _sample_spikes(net, stream, result, name, sample, wires, step)
            for sample in range(stream.n_samples)
        ]
    return result


def _sample_spikes(net, stream, spikes, name, sample, loop: Synapses | None, step):
    population = net.populations[name]
    duration = float(stream.duration[sample])
    arrivals = arrivals_by_target(net, stream, spikes, name, sample)
    times, neurons = [], []
    for j in range(population.size):
        own = {}
        if loop is not None:
            own = {"self_weight": loop.weights[j], "self_delay": loop.delays[j]}
        fired = spikes_of_neuron(neuron_of(population, j), arrivals[j], duration, step=step, **own)
        times += fired
        neurons += [j] * len(fired)
    times, neurons = np.array(times, dtype=float), np.array(neurons, dtype=int)
    order = np.lexsort((neurons, times))
    return times[order], neurons[order]


def readout_integral(net, stream, spikes, name, *, time_constant):
    """Integral of exp(-t / time_constant) V(t) over each sample, [samples, size]."""
    population = net.populations[name]
    result = np.zeros((stream.n_samples, population.size))
    rate = 0.0 if np.isinf(time_constant) else 1.0 / time_constant
    for sample in range(stream.n_samples):
        arrivals = arrivals_by_target(net, stream, spikes, name, sample)
        for j in range(population.size):
            neuron = neuron_of(population, j)
            result[sample, j] = _weighted_integral(
                neuron, arrivals[j], float(stream.duration[sample]), rate
            )
    return result


def _weighted_integral(neuron, arrivals, duration, rate):
    # State (V - E, I, weight, integral), the first three times exp(-rate t).
    m = np.zeros((4, 4))
    m[:2, :2] = neuron.matrix - rate * np.eye(2)
    m[2, 2] = -rate
    m[3, 0], m[3, 2] = 1.0, neuron.v_leak
    y, t = np.array([0.0, 0.0, 1.0, 0.0]), 0.0
    for time, weight in sorted(arrivals):
        y = expm(m * (time - t)) @ y
        y[1] += weight * y[2]
        t = time
    return (expm(m * (duration - t)) @ y)[3]


def state(net, tape, name, sample, index, times):
    """V and I of one neuron at given times, [2, times], given the spikes of the tape.

    All that happens to the neuron is one list: arrivals, returns, resets, ends of the hold. At a
    time asked for, everything of that time has happened.
    """
    population, spikes = net.populations[name], np.zeros(0)
    neuron = neuron_of(population, index)
    happens = [(t, "arrival", w) for t, w in arrivals_by_target(
        net, tape.stream, tape, name, sample, lateral=True
    )[index]]  # fmt: skip
    if population.is_spiking:
        fired, who = tape[name].sample(sample)
        spikes = fired[who == index]
    loop = net.projections.get(f"{name}->{name}")
    if loop is not None and loop.kind == "self":
        own, end = synapses(net, loop), tape.stream.duration[sample]
        back = [t + own.delays[index] for t in spikes]
        happens += [(t, "arrival", own.weights[index]) for t in back if t < end]
    happens += [(t, "reset", t + neuron.refractory) for t in spikes]
    happens = sorted(happens, key=lambda event: event[:2])
    asked = sorted((when, k) for k, when in enumerate(times))
    starts_at_reset = population.is_spiking and neuron.v_leak >= neuron.threshold
    reset = neuron.v_reset - neuron.v_leak
    y, t, hold = np.array([reset if starts_at_reset else 0.0, 0.0]), 0.0, 0.0
    found = np.zeros((2, len(times)))
    for when, k in asked:
        while happens and happens[0][0] <= when:
            time, what, value = happens.pop(0)
            y, t = _held_or_free(neuron, y, t, time, hold, reset), time
            if what == "arrival":
                y = y + [0.0, value]
            else:
                y, hold = np.array([reset, y[1]]), value
        y, t = _held_or_free(neuron, y, t, when, hold, reset), when
        found[:, k] = y[0] + neuron.v_leak, y[1]
    return found


def _held_or_free(neuron, y, begin, end, hold, reset):
    """The state at ``end``, V held at the reset up to ``hold``."""
    if begin < hold:
        stop = min(hold, end)
        y = np.array([reset, y[1] * np.exp(-(stop - begin) / neuron.tau_syn)])
        begin = stop
    return expm(neuron.matrix * (end - begin)) @ y
