r"""Events in steps of time.

Step t of a sample covers :math:`[t \Delta, (t+1) \Delta)`; a sample of length T has
:math:`\lceil T / \Delta \rceil` steps (see ``eventsim.events.steps``). Events of one channel in one
step are counted, or clipped to one, as in the published data sets. The number of events that
clipping loses is kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.events import EventStream
from eventsim.events.order import sample_of_event
from eventsim.events.steps import step_count, step_within
from eventsim.summary import short_repr

MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class BinnedEvents:
    """Events of a batch on the grid.

    Attributes
    ----------
    counts
        Shape [steps, samples, channels], uint16; steps are those of the longest sample.
    steps
        Steps of every sample, [samples].
    dt
        Time step, ms.
    shared
        Events in a step in which their channel has another event.
    """

    counts: NDArray[np.uint16]
    steps: NDArray[np.int64]
    dt: float
    shared: int

    __repr__ = short_repr

    @property
    def alive(self) -> NDArray[np.bool_] | None:
        """[steps, samples, 1]: whether the step belongs to the sample; None if all always do."""
        n_steps = self.counts.shape[0]
        if (self.steps == n_steps).all():
            return None
        alive: NDArray[np.bool_] = np.arange(n_steps)[:, None, None] < self.steps[:, None]
        return alive

    @property
    def live(self) -> NDArray[np.int64]:
        """[steps]: how many leading samples include all that last until the step; falls with time.

        The loops over steps leave out the other samples. A batch costs least with its longest
        sample first.
        """
        last = np.zeros(self.counts.shape[0] + 1, np.int64)
        np.maximum.at(last, self.steps, np.arange(1, self.steps.size + 1))
        # Of the samples that end later than the step.
        live: NDArray[np.int64] = np.maximum.accumulate(last[::-1])[::-1][1:]
        return live


def bin_events(stream: EventStream, dt: float, *, clip: bool = False) -> BinnedEvents:
    """Count the events of every step.

    Parameters
    ----------
    stream
        The events. An event at the very end of its sample has no effect, as in exact time.
    dt
        Time step, ms, > 0.
    clip
        Whether several events of a channel in a step count as one.
    """
    steps = step_count(stream.duration, dt)
    n_steps = int(steps.max(initial=0))
    shape = (n_steps, stream.n_samples, stream.n_channels)
    sample = sample_of_event(stream.offsets)
    step = step_within(stream.times, stream.duration[sample], dt)
    inside = stream.times < stream.duration[sample]
    flat = (step[inside] * shape[1] + sample[inside]) * shape[2] + stream.channels[inside]
    counts = np.bincount(flat, minlength=n_steps * shape[1] * shape[2])
    shared = int(counts.sum() - (counts > 0).sum())
    most = 1 if clip else MOST
    return BinnedEvents(
        np.minimum(counts, most).astype(np.uint16).reshape(shape), steps, dt, shared
    )
