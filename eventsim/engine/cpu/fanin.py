"""Layers in which every neuron has events of its own: what their kernels are given.

Such a layer is sparse, or its synapses have delays of their own, or own spikes return later. The
events of a sample are taken in order, and written to all their targets in a block of neurons; what
arrives at each of these is in order then, or is sorted where synapses have delays. Work grows with
synaptic events. In a dense layer only own spikes are apart, and nothing is spread: forward, its
neurons go side by side from event to event; backward, each finds the weights of the events in its
column.

Forward, tasks are (sample, block of neurons). Backward, a part of the neurons takes all samples,
block by block, so that each weight is summed by one thread and in one order.
"""

import math

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.compiled.library import library
from eventsim.compiled.roles import TasksRole
from eventsim.compiled.roles_fanin import BoundsRole, FindBounds, ReturnsRole, SentRole, WiresRole
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.state import LayerState
from eventsim.engine.contract.table import real_type
from eventsim.engine.cpu.arrays import events_of_samples, merged_events
from eventsim.engine.cpu.weights import Addresses

# Parts of the neurons: those of one sample that walk in parallel, and those of which each takes all
# samples on the way back, whose effects on spikes are added up.
PARTS = 8

# Synapses from which a layer goes back in so many groups of neurons, one after the other.
GROUPED_FROM, GROUPS = 1 << 20, 8

# Arrivals of one sample that a block of neurons has room for, about; a block has at least so many
# neurons, unless they are fewer; and for so many blocks, by synapse of its source, it pays to look
# at every event.
MOST_ARRIVALS, LEAST_NEURONS, BLOCKS_PER_SYNAPSE = 1 << 18, 32, 2.5

# Blocks for arrivals to have room, by the root of the arrivals of a row: more would take more bytes
# for where they begin in each row, 4 a block, than for the arrivals of a block, 12 to 32 each. Of a
# million neurons these bounds took half of all memory and most of the time.
MOST_BLOCKS = 2.0


def is_dense(job: Job) -> bool:
    """Whether all neurons meet all events, at the same times: only their own spikes are apart."""
    stage = job.stage
    return not stage.delays_per_synapse and all(p.all_to_all for p in stage.projections)


def n_blocks(job: Job) -> int:
    """Blocks of neurons that are run apart in a sample. The choice changes no bit."""
    size, fan_out = job.stage.population.size, _fan_out(job)
    useful = min(PARTS, size // LEAST_NEURONS, int(BLOCKS_PER_SYNAPSE * fan_out))
    return max(1, min(size, max(useful, _blocks_with_room(job, size))))


def _fan_out(job: Job) -> float:
    """Mean synapses of a row."""
    wiring = job.stage.wiring
    return float(wiring.n_synapses / max(wiring.out_start.size - 1, 1))


def _blocks_with_room(job: Job, size: int) -> int:
    """Blocks into which so many neurons are divided, so that their arrivals have room."""
    arrivals = float(
        events_of_samples(job).max(initial=0) * _fan_out(job) * size / job.stage.population.size
    )
    rows = max(job.stage.wiring.out_start.size - 1, 1)
    # With delays an arrival has room twice, before it is in order and behind.
    most = MOST_ARRIVALS / (2 if job.stage.delays_per_synapse else 1)
    return math.ceil(min(arrivals / most, MOST_BLOCKS * math.sqrt(arrivals / rows)))


def groups(job: Job) -> list[tuple[int, int]]:
    """First and last + 1 of the neurons that go back together."""
    size, n = job.stage.population.size, job.stage.wiring.n_synapses
    n_groups = GROUPS if n > GROUPED_FROM else 1
    return [(size * g // n_groups, size * (g + 1) // n_groups) for g in range(n_groups)]


def blocks_back(job: Job, size: int) -> int:
    """Blocks into which so many neurons are divided on the way back; each part has as many."""
    each = math.ceil(_blocks_with_room(job, size) / PARTS)
    return PARTS * max(1, min(each, -(-size // PARTS)))


def sent_of(job: Job, begin: Floats) -> SentRole:
    """Events in order; what arrives before ``begin`` (ms, by sample) is left out."""
    merged = merged_events(job)
    return SentRole(merged.offsets, merged.times, merged.rows, begin, job.duration)


def wires_of(
    job: Job, weights: tuple[Addresses, Floats | None], blocks: int, low: int, high: int
) -> WiresRole:
    """Synapses onto the neurons ``low : high``.

    With the addresses of the weights, and the resistances by which they are to be multiplied.
    """
    wiring, stage = job.stage.wiring, job.stage

    def make() -> np.ndarray:
        return _bounds(job, blocks, low, high)

    whole = high - low == stage.population.size
    bound = stage.once((wires_of, blocks), make) if whole else make()
    parts, resistance = weights
    delays = job.delays() if stage.delays_per_synapse else None
    longest = (
        0.0 if delays is None else stage.once(wires_of, lambda: float(delays.max(initial=0.0)))
    )
    return WiresRole(
        wiring.out_start, wiring.target, bound, parts, resistance, delays, longest,
        parts.shape[1] - 1, wiring.out_start.size - 1, low, high - low,
    )  # fmt: skip


def _bounds(job: Job, blocks: int, low: int, high: int) -> NDArray[np.int32]:
    """Counts of every row's synapses before each block, and of all, [rows, blocks + 1]."""
    wiring = job.stage.wiring
    rows = wiring.out_start.size - 1
    bound = np.empty((rows, blocks + 1), np.int32)
    bounds = BoundsRole(wiring.out_start, wiring.target, bound, rows, blocks, low, high - low)
    tasks = TasksRole(np.arange(PARTS), PARTS, PARTS)
    library().run(FindBounds(tasks, bounds))
    return bound


def returns_of(job: Job, state: LayerState | None) -> ReturnsRole:
    """Self-connections; with ``state``, the own spikes that are still to return."""
    weight = (job.self_weights() * job.stage.population.resistance).astype(real_type(job))
    early = (None, None) if state is None else (state.first, state.spikes)
    return ReturnsRole(weight, job.self_delays(), *early)
