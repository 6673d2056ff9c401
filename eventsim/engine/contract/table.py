r"""Tables of a stage's parameters for the kernels of all fast backends, and gradients by them.

Kernels work with the drive :math:`J = R I` (weights times R), with :math:`v = V - E`, and with the
rates :math:`a = 1/\tau_m`, :math:`b = 1/\tau_s`, kept as slow rate :math:`\min(a, b)` and signed
gap :math:`b - a`. A bound of the voltage over an interval that stays below the alert level says,
in spite of rounding, that nothing crosses the level there: so a crossing is decided by its own
time alone, whatever ends the interval. All functions take and give arrays of the namespace of the
network's parameters.

=========  ==================================================================================
array      rows
=========  ==================================================================================
neuron     slow rate, gap, membrane rate, level, alert level, peak gain, synaptic rate, reset,
           self-weight, and 1 where the self-weight acts at the spike, 0 where it returns later
sums       weight times: beta, derivative by membrane rate, by synaptic rate
own        dL/d: level, reset, refractory, self-weight, self-delay
readout    membrane rate, synaptic rate, resistance
behind     of an adaptive threshold on the way back: dL/da right before the spike behind, its
           product with the adaptation there, and that spike's time in ms
=========  ==================================================================================
"""

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats, aligned, namespace, slices
from eventsim.engine.contract.job import Job, StageGradients

SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RATE_SYN, RESET, SELF, INSTANT = range(10)
N_PAR = 10
BY_DRIVE, BY_MEM, BY_SYN = range(3)
N_SUMS = 3
BY_LEVEL, BY_RESET, BY_REFRACTORY, BY_SELF, BY_SELF_DELAY = range(5)
N_OWN = 5
N_READOUT = 3
ALPHA, BETA, ALPHA_MEM, BETA_MEM, BETA_SYN = range(5)
N_ADJOINT = 5
KAPPA, PRODUCT, BEHIND = range(3)
N_BEHIND = 3

# The alert level lies below the level by this fraction of the largest voltages of the neuron, more
# than the rounding of single precision.
ALERT_MARGIN = 1e-5

# First guess of all spike buffers: this rate of every neuron in Hz, but no more spikes in all.
GUESS_HZ, GUESS_MOST = 64.0, 2**24


def real_type(job: Job) -> type[np.floating[Any]]:
    """NumPy type of the state."""
    return np.float32 if job.precision == "single" else np.float64


def neuron_table(job: Job) -> Array:
    """Parameters of a spiking population, [N_PAR, size], in the type of the state.

    Made once while values stay: not to be changed.
    """
    return job.stage.once((neuron_table, job.precision), lambda: _neuron_table(job))


def _neuron_table(job: Job) -> Array:
    p = job.stage.population
    xp = namespace(p.tau_mem)
    a, b = 1.0 / p.tau_mem, 1.0 / p.tau_syn
    instant = job.self_delays() == 0.0
    level, reset = levels(job)
    rows = _rate_rows(a, b)
    rows[LEVEL], rows[RESET] = level, reset
    rows[ALERT] = level - ALERT_MARGIN * (xp.abs(level) + xp.abs(reset))
    rows[SELF] = xp.where(instant, p.resistance * job.self_weights(), 0.0)
    rows[INSTANT] = instant.astype(np.float64)
    return xp.concatenate(rows).astype(real_type(job)).reshape(N_PAR, p.size)


def linear_table(job: Job) -> Array:
    """As :func:`neuron_table` of neurons that do not fire: level, reset and own weight are zero."""
    p = job.stage.population
    xp = namespace(p.tau_mem)
    rows = _rate_rows(1.0 / p.tau_mem, 1.0 / p.tau_syn)
    return xp.concatenate(rows).astype(real_type(job)).reshape(N_PAR, p.size)


def _rate_rows(a: Array, b: Array) -> list[Array]:
    """Rows of the table that follow from the rates; the others are zero."""
    xp = namespace(a)
    rows: list[Array] = [xp.zeros(a.shape)] * N_PAR
    rows[SLOW], rows[GAP], rows[RATE_MEM], rows[RATE_SYN] = xp.minimum(a, b), b - a, a, b
    rows[PEAK] = _largest_gain(a, b)
    return rows


def levels(job: Job) -> tuple[Array, Array]:
    """Threshold and reset of a spiking population, measured from v_leak."""
    p = job.stage.population
    v_leak = p.v_leak
    return p.threshold - v_leak, p.v_reset - v_leak


def _largest_gain(a: Array, b: Array) -> Array:
    r"""Peak of the gain: :math:`(a/b)^{b/(b-a)}`, which tends to 1/e as b tends to a."""
    xp = namespace(a)
    u = (b - a) / a
    equal = u == 0.0
    log_ratio = xp.where(equal, 1.0, xp.log1p(u) / xp.where(equal, 1.0, u))
    return xp.exp(-(1.0 + u) * log_ratio)


def scaled_weights(job: Job) -> Array:
    """Weights times the target's resistance, in the order of the wiring, float64."""
    return by_targets(job, job.weights(), job.stage.population.resistance)


def gradient_type(job: Job) -> type[np.floating[Any]]:
    """Type of the gradients by weights: float32 where state and weights are, else float64."""
    alike = all(p.values.dtype == np.float32 for p in job.stage.projections)
    return np.float32 if alike and real_type(job) is np.float32 else np.float64


def by_targets(
    job: Job,
    by_synapse: Array,
    by_neuron: Array,
    dtype: type[np.floating[Any]] = np.float64,
    *,
    in_place: bool = False,
) -> Array:
    """Values of synapses, in the order of the wiring, times that of every synapse's target.

    New array, where it is NumPy's of ``dtype``; or, where ``in_place`` allows it and that is its
    type, ``by_synapse`` changed.
    """
    stage, xp = job.stage, namespace(by_neuron)
    together = len(stage.members) == 1 and all(p.all_to_all for p in stage.projections)
    if xp is not np:
        if together:  # every row has all targets: no index to carry to the device
            return (by_synapse.reshape(-1, by_neuron.size) * by_neuron).ravel()
        return by_synapse * by_neuron[xp.asarray(stage.wiring.target)]
    same = in_place and by_synapse.dtype == dtype
    found = by_synapse if same else np.empty(by_synapse.shape, dtype)
    if together:
        rows = found.reshape(-1, by_neuron.size)
        np.multiply(by_synapse.reshape(rows.shape), by_neuron, out=rows)
        return found
    for k, (low, high) in enumerate(pairwise(stage.wiring.synapse_start.tolist())):
        target, first = stage.wiring.targets_of(k)
        of_target, given, mine = by_neuron[first:], by_synapse[low:high], found[low:high]
        for part in slices(high - low):
            np.multiply(given[part], of_target[target[part]], out=mine[part])
    return found


def row_weights(job: Job) -> Array:
    """Scaled weights of a stage that shares events, [rows + 1, size], in the type of the state.

    The last row is zero: it is that of the end of a sample. Not to be changed: forward and backward
    pass may share it.
    """
    key, kept = (row_weights, job.precision), job.stage.memo.again
    return job.stage.once(key, lambda: _row_weights(job), kept=kept)


def _row_weights(job: Job) -> Array:
    stage, resistance = job.stage, job.stage.population.resistance
    starts = [int(start) for start in stage.wiring.row_start]
    xp = namespace(resistance)
    zeros = aligned if xp is np else xp.zeros
    rows = zeros((starts[-1] + 1, resistance.size), real_type(job))
    if stage.places is None:
        for k, projection in enumerate(stage.projections):
            xp.multiply(projection.values, resistance, out=rows[starts[k] : starts[k + 1]])
    else:
        places = xp.asarray(stage.places)
        rows[:-1].reshape(-1)[places] = scaled_weights(job)
    return rows


def row_matrix(job: Job, by_synapse: Array) -> Array:
    """Values of synapses in the matrix of the wiring, [rows, size], zero where there is none."""
    size, places = job.stage.population.size, job.stage.places
    if places is None:
        return by_synapse.reshape(-1, size)
    xp = namespace(by_synapse)
    flat = xp.zeros(int(job.stage.wiring.row_start[-1]) * size, by_synapse.dtype)
    flat[xp.asarray(places)] = by_synapse
    return flat.reshape(-1, size)


def of_synapses(job: Job, by_place: Array) -> Array:
    """Undo :func:`row_matrix`."""
    places, flat = job.stage.places, by_place.ravel()
    return flat if places is None else flat[namespace(flat).asarray(places)]


def readout_table(job: Job) -> Array:
    """Parameters of a readout, float64 [N_READOUT, size]."""
    p = job.stage.population

    def make() -> Array:
        return namespace(p.tau_mem).stack([1.0 / p.tau_mem, 1.0 / p.tau_syn, p.resistance])

    return job.stage.once(readout_table, make)


def fastest_rate(job: Job) -> float:
    """Largest product of rate and ms that an interval can multiply, rounded up."""

    def make() -> float:
        p, least = job.stage.population, job.stage.memo.least
        return max(1.0 / least(p.tau_mem), 1.0 / least(p.tau_syn)) * (1.0 + 1e-6)

    return job.stage.once(fastest_rate, make)


def guess_spikes(
    job: Job, neurons: float, least: int, span: Floats | None = None
) -> NDArray[np.int64]:
    """Room for the spikes of that many neurons at first, at ``least`` so much, [samples].

    ``span`` is what is run of every sample, ms; None for all of it.
    """
    span = job.duration if span is None else span
    buffers = max(1.0, job.n_samples * job.stage.population.size / neurons)
    most = max(least, int(GUESS_MOST / buffers))
    expected = span * neurons * GUESS_HZ * 1e-3
    return np.minimum(np.maximum(expected, least), most).astype(np.int64)


def leak_weight(job: Job, rate: float) -> Array:
    """Integral of exp(-rate t) over every sample, [samples, 1]; NumPy."""
    end = job.duration[:, None]
    return end if rate == 0.0 else -np.expm1(-rate * end) / rate


def spike_bases(job: Job) -> NDArray[np.int64]:
    """Number of the first spike of every source among those of all, and their total."""
    sizes = (source.times.size for source in job.sources)
    return np.array([*accumulate(sizes, initial=0)], np.int64)


def stage_gradients(
    job: Job,
    parameters: Mapping[str, Array],
    *,
    weights: Array,
    delays: Array | None,
    effects: Array | tuple[Array, ...],
    own: tuple[Array, Array] | None = None,
    grazes: Array = 0,
) -> StageGradients:
    """Gradients of a stage; those by delays only where some projection has its own.

    ``effects``: dL/dt of the spikes of all sources, one source after the other, or in a tuple by
    source. ``own``: by weights and delays of self-connections; None where there are none.
    """
    if own is None:
        none = namespace(weights).zeros((2, job.stage.population.size))
        own = none[0], none[1]
    if not isinstance(effects, tuple):
        bases = spike_bases(job).tolist()
        effects = tuple(effects[lo:hi] for lo, hi in pairwise(bases))
    within = len(job.stage.afferents)
    effects = tuple(
        by_time[:0] if k >= within and projection.delay_per_synapse else by_time
        for k, (projection, by_time) in enumerate(zip(job.stage.projections, effects, strict=True))
    )
    delays = delays if job.stage.delays_per_synapse else None
    return StageGradients(parameters, weights, delays, *own, effects, grazes)


class FoundBack(NamedTuple):
    """Gradients of a stage of LIF neurons from the way back.

    ``by_drive``: dL/d(weight times resistance) of every synapse, in any type; may be changed.
    ``by_spike``: dL/dt of the spikes of all sources. ``sums``: rows of the tables sums and own, and
    behind them, where thresholds adapt, by their rise and rate, [rows, size].
    """

    by_drive: Array
    by_delay: Array | None
    by_spike: Array
    sums: Array
    grazes: Array

    def adaptation(self, job: Job) -> dict[str, Array]:
        """Gradients of adaptation and tau_adaptation, where the threshold is adaptive."""
        p, sums = job.stage.population, self.sums[N_SUMS + N_OWN :]
        if not p.is_adaptive:
            return {}
        return {"adaptation": sums[0], "tau_adaptation": -sums[1] / p.tau_adaptation**2}


def layer_gradients(
    job: Job, found: FoundBack, made: Mapping[str, Array] | None = None
) -> StageGradients:
    """From derivatives by drive and rates to those by weights and time constants.

    ``made``: what :func:`by_neuron` gives, if it is known.
    """
    p, own = job.stage.population, found.sums[N_SUMS:]
    made = dict(by_neuron(job, found) if made is None else made)
    own_weights = made.pop("self_weights")
    rows = {"threshold": BY_LEVEL, "v_reset": BY_RESET, "refractory": BY_REFRACTORY}
    return stage_gradients(
        job,
        made | {name: own[row] for name, row in rows.items()} | found.adaptation(job),
        weights=by_targets(job, found.by_drive, p.resistance, gradient_type(job), in_place=True),
        delays=found.by_delay,
        effects=found.by_spike,
        own=(own_weights, own[BY_SELF_DELAY]),
        grazes=found.grazes,
    )


def by_neuron(job: Job, found: FoundBack) -> dict[str, Array]:
    """Gradients that are no row of the sums: of what the membrane is made of, and self_weights."""
    p, (sums, own) = job.stage.population, (found.sums, found.sums[N_SUMS:])
    return {
        **by_rates(job, sums[BY_MEM], sums[BY_SYN]),
        "resistance": sums[BY_DRIVE] / p.resistance,
        "v_leak": -own[BY_LEVEL] - own[BY_RESET],
        "self_weights": own[BY_SELF] * p.resistance,
    }


def by_rates(job: Job, by_mem: Array, by_syn: Array) -> dict[str, Array]:
    """Gradients of the time constants, from derivatives by their rates."""
    p = job.stage.population
    return {"tau_mem": -by_mem / p.tau_mem**2, "tau_syn": -by_syn / p.tau_syn**2}


def readout_parameters(job: Job, sums: Array, by_leak: Array) -> dict[str, Array]:
    """Gradients of a readout's parameters; ``sums`` are by both rates and the resistance."""
    by_mem, by_syn, by_resistance = sums
    taus = by_rates(job, by_mem, by_syn)
    return {**taus, "resistance": by_resistance, "v_leak": by_leak}
