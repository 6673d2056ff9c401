"""The neurons of one process window by window, where all that arrives comes from outside.

They go as those of a loop, :mod:`eventsim.engine.cpu.windows`, but a window at a time, and always
in as many pieces: then neither what is summed nor in which order depends on the other neurons that
are here, and spikes are the same bits however a network is shared out.
"""

from dataclasses import replace

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.engine.bundles import OWN, Loop
from eventsim.engine.cpu.arrays import read_only
from eventsim.engine.cpu.compile import kernel
from eventsim.engine.cpu.heap import Waiting
from eventsim.engine.cpu.layer import GUESS_LEAST
from eventsim.engine.cpu.queue_host import bounds_of_parts, in_blocks, parts_for
from eventsim.engine.cpu.threads import n_threads
from eventsim.engine.cpu.walk import EARLIER, SpikeBuffers
from eventsim.engine.cpu.weights import addresses_of
from eventsim.engine.cpu.window_cells import begin_all, make_neurons, make_room
from eventsim.engine.cpu.window_due import Window
from eventsim.engine.cpu.windows import run_window
from eventsim.engine.job import Job, raise_first_runaway
from eventsim.engine.loop_state import start_loop
from eventsim.engine.stepping import BundledSynapses, Due, Frame, ranges, windows_in
from eventsim.engine.table import guess_spikes, neuron_table
from eventsim.events.order import event_order

# Pieces of a window for each that the functions need: of 1 to 16, two took the least CPU time in
# the network of bench/macro/ranks.py.
PIECES = 2


@kernel
def step_window(bounds, cells, par, refractory, due, window, cut, fastest, loop, begin, spikes,
                starts, limits, counts, reached):  # fmt: skip
    """One window, the neurons ``bounds[p] : bounds[p + 1]`` of all parts p side by side.

    Before the window at time zero the neurons stand as in ``begin``, a LoopStop.
    """
    if window.now == 0.0:
        begin_all(cells, par, begin, 0)
    due_time, due_first, due_last = due
    padded = par.shape[1]
    for p in prange(bounds.size - 1):
        here = bounds[p + 1] - bounds[p]
        room = make_room(here, padded, cut.width, par.dtype)
        mine = np.empty(due_time.size, np.int64), np.empty(due_time.size, np.int64)
        counts[p], reached[p], _ = run_window(
            cells, room, par, refractory, bounds[p], bounds[p + 1],
            Waiting(due_time, due_first, due_last), mine, window, cut, fastest, loop, spikes,
            starts[p], limits[p], 0,
        )  # fmt: skip


class SteppedNeurons:
    """As :class:`eventsim.engine.stepping.Stepped`."""

    def __init__(self, job: Job, synapses: BundledSynapses, frame: Frame):
        self._job, p = job, job.stage.population
        windows = windows_in(job, frame)
        windows = replace(windows, pieces=windows.pieces * PIECES)
        self._par, self._cut = in_blocks(neuron_table(job), windows)
        real = self._par.dtype
        self._fastest, none = real.type(frame.fastest), np.zeros(0, np.int64)
        self._weights = (synapses.weight * p.resistance[synapses.target]).astype(real)
        own = (job.self_weights() * p.resistance).astype(real)
        target, delay = read_only(synapses.target), job.self_delays()
        weight = addresses_of(self._weights)
        self._loop = Loop(none, none, none, np.zeros(0), target, weight, own, delay)
        self._cells = make_neurons(self._par.shape[1], real, windows.width)
        self._now, self._begin = 0.0, start_loop(job).stop
        self._returning = np.zeros(0), np.zeros(0, np.int32)

    def run(self, due: Due, end: float) -> tuple[Floats, NDArray[np.int32]]:
        """As :meth:`eventsim.engine.stepping.Stepped.run`."""
        due = self._with_own(due, end)
        times, neurons = self._window(due, end)
        later = self._loop.own_delay[neurons] > 0.0
        self._returning = (
            np.append(self._returning[0], times[later] + self._loop.own_delay[neurons[later]]),
            np.append(self._returning[1], neurons[later]),
        )
        return times, neurons

    def _with_own(self, due: Due, end: float) -> Due:
        """The bundles, and own spikes that return before ``end`` to their neurons."""
        times, neurons = self._returning
        now = times < end
        if not now.any():
            return due
        self._returning = times[~now], neurons[~now]
        first = neurons[now].astype(np.int64) + OWN
        time = np.append(due.time, times[now])
        first, last = np.append(due.first, first), np.append(due.last, first + 1)
        order = np.lexsort((first, time))
        return Due(time[order], first[order], last[order])

    def _window(self, due: Due, end: float) -> tuple[Floats, NDArray[np.int32]]:
        none = np.zeros(0)  # sums begin at zero, v and j are views
        met = int((due.last - due.first)[due.first < OWN].sum())
        parts, size = parts_for(met, n_threads()), self._job.stage.population.size
        bounds = bounds_of_parts(size, parts)
        guess = guess_spikes(self._job, size / parts, GUESS_LEAST, np.array([end - self._now]))
        limits = np.repeat(guess, parts)
        window = Window(self._now, self._now, end, self._cut.pieces, due.time.size, end)
        kept = self._cells._replace(moments=none, v=none, j=none)
        before = [values.copy() for values in kept]
        while True:
            ends = np.cumsum(limits)
            room = int(ends[-1])
            spikes = SpikeBuffers(
                np.empty(room), np.empty(room, np.int32), np.empty(room), np.empty(room)
            )
            counts, reached = np.zeros(parts, np.int64), np.zeros(parts)
            starts = ends - limits
            step_window(
                bounds, self._cells, self._par, self._job.stage.population.refractory, due, window,
                self._cut, self._fastest, self._loop, self._begin, spikes, starts, limits, counts,
                reached,
            )  # fmt: skip
            failed = np.flatnonzero(counts < 0)
            if failed.size or (counts <= limits).all():
                break
            limits = np.maximum(2 * limits, counts)
            self._cells.moments[:] = 0.0
            for values, known in zip(kept, before, strict=True):
                values[...] = known
        raise_first_runaway(
            self._job, np.zeros(failed.size, np.int64), -1 - counts[failed], reached[failed]
        )
        self._now = end
        self._cells.held[self._cells.held >= 0] = EARLIER
        mine = ranges(starts, counts)
        times, neurons = spikes.time[mine], spikes.neuron[mine]
        order = event_order(np.array([0, times.size]), times, neurons)
        return times[order], neurons[order]
