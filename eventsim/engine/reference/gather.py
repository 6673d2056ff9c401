"""The arrivals that one neuron meets in one sample, in the total order of events."""

from typing import NamedTuple

import numpy as np

from eventsim.engine.contract.job import Job


class Arrival(NamedTuple):
    """A spike of a source reaching a synapse of the neuron."""

    time: float
    row: int
    synapse: int
    weight: float
    afferent: int
    spike: int


def gather(job: Job, sample: int, neuron: int) -> list[Arrival]:
    """Arrivals from other stages before the sample's end, by (time, source row, synapse)."""
    wiring, weights, delays = job.stage.wiring, job.weights(), job.delays()
    found = []
    for entry in range(wiring.in_start[neuron], wiring.in_start[neuron + 1]):
        row, synapse = int(wiring.row[entry]), int(wiring.synapse[entry])
        afferent = int(np.searchsorted(wiring.row_start, row, side="right")) - 1
        if afferent >= len(job.stage.afferents):
            continue  # of the loop itself: its queue brings them
        source = job.sources[afferent]
        lo, hi = source.offsets[sample], source.offsets[sample + 1]
        mine = np.flatnonzero(source.neurons[lo:hi] == row - wiring.row_start[afferent]) + lo
        for spike in mine:
            time = float(source.times[spike] + delays[synapse])
            if time < job.duration[sample]:
                weight = float(weights[synapse])
                found.append(Arrival(time, row, synapse, weight, afferent, int(spike)))
    return sorted(found)
