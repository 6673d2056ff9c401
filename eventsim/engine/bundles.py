"""Synapses in bundles: those of one source neuron that share a delay arrive together.

A projection whose delay is one number, or one per source neuron, has one bundle per source neuron;
one with a delay per synapse has one bundle per synapse. The queue of a stage with loops moves
bundles, and a sample's arrivals are ordered by (time, first synapse).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.job import Floats, Job, Source
from eventsim.events.stream import sample_of_event

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bundles:
    """Bundles by source row of the stage's wiring: bounds of their synapses, and delay in ms.

    Row r has the bundles ``start[r] : start[r + 1]``.
    """

    start: Index
    first: Index
    last: Index
    delay: Floats

    def of_rows(self, rows: Index) -> "tuple[Index, Index]":
        """Bundles of many rows one after the other, and which of ``rows`` each belongs to."""
        counts = np.diff(self.start)[rows]
        place = np.repeat(np.arange(rows.size), counts)
        before = np.cumsum(counts) - counts
        return np.arange(place.size) + (self.start[rows] - before)[place], place


class Arriving(NamedTuple):
    """Bundles on their way to their targets, in order of (sample, time, first synapse).

    ``spike`` is the number of its spike among those of all sources of the job.
    """

    offsets: Index
    time: Floats
    first: Index
    last: Index
    spike: Index


def make_bundles(job: Job) -> Bundles:
    """The bundles of a stage, with the delays of now."""
    wiring, delays = job.stage.wiring, job.delays()
    apart = np.repeat(
        [projection.delay_per_synapse for projection in job.stage.projections],
        np.diff(wiring.row_start),
    )
    fan_out = np.diff(wiring.out_start)
    counts = np.where(apart, fan_out, fan_out > 0)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    row = np.repeat(np.arange(fan_out.size), counts)
    number = np.arange(row.size) - start[row]
    first = wiring.out_start[row] + number
    last = np.where(apart[row], first + 1, wiring.out_start[row + 1])
    return Bundles(start, first, last, delays[first])


def arriving(
    job: Job, bundles: Bundles, sources: "tuple[Source, ...]", *, first_row: int = 0
) -> Arriving:
    """All bundles that arrive before the end of their sample.

    Parameters
    ----------
    sources
        Spikes of consecutive projections of the stage.
    first_row
        Row of the first source neuron of the first of them.
    """
    rows, times, samples = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0, np.int64)]
    for source in sources:
        rows.append(source.channel + np.int64(first_row))
        times.append(source.times)
        samples.append(sample_of_event(source.offsets))
        first_row += source.size
    bundle, spike = bundles.of_rows(np.concatenate(rows))
    sample = np.concatenate(samples)[spike]
    time = np.concatenate(times)[spike] + bundles.delay[bundle]
    met = np.flatnonzero(time < job.duration[sample])
    order = met[np.lexsort((bundles.first[bundle[met]], time[met], sample[met]))]
    counts = np.bincount(sample[order], minlength=job.n_samples)
    return Arriving(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        time[order],
        bundles.first[bundle[order]],
        bundles.last[bundle[order]],
        spike[order],
    )
