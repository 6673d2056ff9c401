"""States of linear neurons at asked times: a walk over what is known to have happened.

Nothing is searched for: arrivals, spikes and the ends of refractory times are known. Of one time
they come in this order: arrivals, own spikes that return, the end of a refractory time, a spike.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import LinearCells, linear_cells
from eventsim.engine.run.arrivals import find_arrivals
from eventsim.engine.run.standing import Standing
from eventsim.events.source import SourceSpikes
from eventsim.neuron.linear_flow import NeuronFlow, Vector, times

ARRIVES, LET_GO, FIRES, IS_ASKED = range(4)


class Happening(NamedTuple):
    """At ``time``, ms, something of that ``kind``; of an arrival the state and the weight."""

    time: float
    kind: int
    state: int = 0
    weight: float = 0.0


class LinearOrigin(NamedTuple):
    """State of a neuron at ``time``, ms, and whether V is held there."""

    x: Vector
    time: float
    held: bool


def linear_states(
    job: Job, neurons: Ints, own: SourceSpikes, asked: Floats, at: Standing
) -> Floats:
    """States of some neurons at times ``asked`` (ms, ascending), [samples, asked, neurons, n].

    ``own`` are their spikes, numbered as ``neurons`` are, numbers in the stage. ``at``: where they
    stand, as what is before its begin left them.
    """
    cells = linear_cells(job)
    found = np.empty((job.n_samples, asked.size, neurons.size, cells.n))
    own_weight, own_delay = job.self_weights(), job.self_delays()
    arrivals = find_arrivals(job, neurons)
    for sample in range(job.n_samples):
        begin = float(at.begin[sample])
        ends = [Happening(max(float(time), begin), IS_ASKED) for time in asked]
        first, last = own.offsets[sample : sample + 2]
        for k, n in enumerate(neurons.tolist()):
            fired = own.times[first:last][own.neurons[first:last] == k].tolist()
            row = sample * neurons.size + k
            mine = slice(int(arrivals.first[row]), int(arrivals.first[row + 1]))
            state = cells.synapse_state[arrivals.synapse[mine]]
            met = zip(arrivals.time[mine], state, arrivals.weight[mine], strict=True)
            events = [Happening(float(t), ARRIVES, int(s), float(w)) for t, s, w in met]
            hold, back = float(cells.matrices.hold[n]), float(own_delay[n])
            returns = int(cells.own_state[n]), float(own_weight[n])
            for time in fired:
                events += [Happening(time + back, ARRIVES, *returns)] if back > 0.0 else []
                if time >= begin:
                    events.append(Happening(time, FIRES, *returns if back == 0.0 else (0, 0.0)))
                    events += [Happening(time + hold, LET_GO)] if hold > 0.0 else []
            events = [event for event in events if event.time >= begin]
            x, since, until = (values[sample, k].tolist() for values in at.stop[:3])
            if until >= 0.0:
                events.append(Happening(until, LET_GO))
            events = sorted([*events, *ends], key=lambda event: event[:2])
            start = LinearOrigin(x, since, until >= 0.0)
            found[sample, :, k] = list(_walk(cells, n, start, events))
    return found


def _walk(
    cells: LinearCells, n: int, start: LinearOrigin, events: list[Happening]
) -> Iterator[Vector]:
    """The state of neuron n at every event that asks for it, from the start."""
    free, held = (NeuronFlow(cells.tables, k) for k in (n, cells.size + n))
    keep, jump = cells.matrices.keep[n].tolist(), cells.matrices.jump[n].tolist()
    x, t, flow = start.x, start.time, held if start.held else free
    for event in events:
        x, t = flow.ahead(event.time - t, x), event.time
        if event.kind == IS_ASKED:
            yield x
        elif event.kind == LET_GO:
            flow = free
        elif event.kind == FIRES:
            x = [kept + more for kept, more in zip(times(keep, x), jump, strict=True)]
            flow = held if cells.matrices.hold[n] > 0.0 else free
        x = [*x[: event.state], x[event.state] + event.weight, *x[event.state + 1 :]]
