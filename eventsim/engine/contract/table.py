r"""What the kernels of all fast backends take: a stage's parameters, and the way back.

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
from itertools import accumulate
from typing import Any

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
READOUT_MEM, READOUT_SYN, READOUT_RESISTANCE = range(3)
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


def by_targets(job: Job, by_synapse: Array, by_neuron: Array, *, in_place: bool = False) -> Array:
    """Values of synapses, in the order of the wiring, times that of every synapse's target.

    New array, or, where ``in_place`` allows it, ``by_synapse`` changed.
    """
    stage = job.stage
    if len(stage.members) == 1 and all(p.all_to_all for p in stage.projections):
        # Every row has all targets: nothing to look up, on a device no index to carry there.
        return (by_synapse.reshape(-1, by_neuron.size) * by_neuron).ravel()
    xp, target = namespace(by_neuron), stage.wiring.target
    if xp is not np:
        return by_synapse * by_neuron[xp.asarray(target)]
    found = by_synapse if in_place else np.empty(by_synapse.shape)
    for mine in slices(by_synapse.size):
        np.multiply(by_synapse[mine], by_neuron[target[mine]], out=found[mine])
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


def split_effects(job: Job, effects: Array) -> tuple[Array, ...]:
    """dL/dt of all spikes, cut into one array per source. Views."""
    bases = [int(base) for base in spike_bases(job)]
    return tuple(effects[lo:hi] for lo, hi in zip(bases[:-1], bases[1:], strict=True))


def layer_gradients(
    job: Job,
    *,
    by_drive: Array,
    by_delay: Array | None,
    source_times: tuple[Array, ...],
    sums: Array,
    own: Array,
    grazes: Array,
    adapted: Array | None = None,
) -> StageGradients:
    """From derivatives by drive and rates to those by weights and time constants.

    ``by_drive``: dL/d(weight times resistance) of every synapse; may be changed. ``by_delay,
    source_times, grazes``: as in StageGradients. ``sums, own``: [N_SUMS, size] and [N_OWN, size].
    ``adapted``: by rise and rate of an adaptive threshold, [2, size]; None where it is not
    adaptive.
    """
    p = job.stage.population
    return StageGradients(
        parameters=gradients_of_adaptation(job, adapted)
        | {
            "tau_mem": -sums[BY_MEM] / p.tau_mem**2,
            "tau_syn": -sums[BY_SYN] / p.tau_syn**2,
            "resistance": sums[BY_DRIVE] / p.resistance,
            "threshold": own[BY_LEVEL],
            "v_leak": -own[BY_LEVEL] - own[BY_RESET],
            "v_reset": own[BY_RESET],
            "refractory": own[BY_REFRACTORY],
        },
        weights=by_targets(job, by_drive, p.resistance, in_place=True),
        delays=by_delay if job.stage.delays_per_synapse else None,
        self_weights=own[BY_SELF] * p.resistance,
        self_delays=own[BY_SELF_DELAY],
        source_times=source_times,
        grazes=grazes,
    )


def gradients_of_adaptation(job: Job, adapted: Array | None) -> dict[str, Array]:
    """Gradients of adaptation and tau_adaptation, from derivatives by rise and rate [2, size].

    Empty where ``adapted`` is None: no threshold adapts.
    """
    if adapted is None:
        return {}
    tau = job.stage.population.tau_adaptation
    return {"adaptation": adapted[0], "tau_adaptation": -adapted[1] / tau**2}


def readout_gradients(
    job: Job,
    *,
    by_weight: Array,
    by_delay: Array | None,
    source_times: tuple[Array, ...],
    sums: Array,
    by_leak: Array,
) -> StageGradients:
    """As :func:`layer_gradients` for a readout; ``sums`` are by both rates and the resistance."""
    p = job.stage.population
    parameters = {
        "tau_mem": -sums[READOUT_MEM] / p.tau_mem**2,
        "tau_syn": -sums[READOUT_SYN] / p.tau_syn**2,
        "resistance": sums[READOUT_RESISTANCE],
    }
    return of_readout(
        job,
        parameters,
        by_weight=by_weight,
        by_delay=by_delay,
        source_times=source_times,
        by_leak=by_leak,
    )


def of_readout(
    job: Job,
    parameters: Mapping[str, Array],
    *,
    by_weight: Array,
    by_delay: Array | None,
    source_times: tuple[Array, ...],
    by_leak: Array,
) -> StageGradients:
    """Gradients of a readout from those by its taus and resistance."""
    size, xp = job.stage.population.size, namespace(by_weight)
    return StageGradients(
        parameters={**parameters, "v_leak": by_leak},
        weights=by_weight,
        delays=by_delay if job.stage.delays_per_synapse else None,
        self_weights=xp.zeros(size),
        self_delays=xp.zeros(size),
        source_times=source_times,
        grazes=0,
    )
