"""The neurons of one process window by window, where all that arrives comes from outside.

They go as those of a loop, ``kernels/cpu/loop/summed.hpp``, but a window at a time, and always
in as many pieces: then neither what is summed nor in which order depends on the other neurons that
are here, and spikes are the same bits however a network is shared out.
"""

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.compiled.roles import SpikesRole
from eventsim.compiled.roles_loop import ArrivingRole, LoopRole, LoopStopRole, WindowsRole
from eventsim.engine.contract.bundles import OWN
from eventsim.engine.contract.job import Job, raise_first_runaway
from eventsim.engine.contract.loop_state import LoopStop, copied, start_loop
from eventsim.engine.contract.stepping import BundledSynapses, Due, Frame, ranges, windows_in
from eventsim.engine.contract.table import guess_spikes, neuron_table
from eventsim.engine.cpu.flights import no_tiles, under_way
from eventsim.engine.cpu.layer import GUESS_LEAST, buffers, neurons_of
from eventsim.engine.cpu.weights import addresses_of
from eventsim.engine.cpu.window_host import SumsRun, basis_of, bounds_of_parts, parts_for, series_of
from eventsim.events.order import event_order
from eventsim.processors import n_threads

# Synaptic events of a window for which a thread is woken, here for each: a ms of work.
STEP_EVENTS = 100_000

# Pieces of a window for each that the functions need: of 1 to 16, two took the least CPU time in
# the network of bench/macro/ranks.py.
PIECES = 2


class SteppedNeurons:
    """As :class:`eventsim.engine.contract.stepping.Stepped`."""

    def __init__(self, job: Job, synapses: BundledSynapses, frame: Frame):
        self._job, p = job, job.stage.population
        windows = windows_in(job, frame)
        self._pieces, self._basis = windows.pieces * PIECES, basis_of(windows)
        par = neuron_table(job)
        self._neurons = neurons_of(job, par)._replace(fastest=frame.fastest)
        weight = (synapses.weight * p.resistance[synapses.target]).astype(par.dtype)
        own = (job.self_weights() * p.resistance).astype(par.dtype)
        self._weight, self._own_delay = weight, job.self_delays()  # the loop has an address of it
        none = np.zeros(0, np.int64)
        self._loop = LoopRole(
            np.zeros(p.size + 1, np.int64), none, none, np.zeros(0), synapses.target,
            addresses_of(weight), own, np.zeros(p.size), 1,
        )  # fmt: skip
        start = start_loop(job)
        stop: LoopStop = start.stop
        self._series = series_of(windows, par.dtype.type)
        self._under_way = under_way(start.sent, start.begin)
        self._now, self._begin, self._end = 0.0, stop, copied(stop)
        self._returning = np.zeros(0), np.zeros(0, np.int32)

    def run(self, due: Due, end: float) -> tuple[Floats, NDArray[np.int32]]:
        """As :meth:`eventsim.engine.contract.stepping.Stepped.run`."""
        due = self._with_own(due, end)
        times, neurons = self._window(due, end)
        later = self._own_delay[neurons] > 0.0
        self._returning = (
            np.append(self._returning[0], times[later] + self._own_delay[neurons[later]]),
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
        met = int((due.last - due.first)[due.first < OWN].sum())
        size = self._job.stage.population.size
        parts = parts_for(met, size, n_threads(), STEP_EVENTS)
        guess = guess_spikes(self._job, size / parts, GUESS_LEAST, np.array([end - self._now]))
        limits, counts, reached = (
            np.repeat(guess, parts),
            np.zeros(parts, np.int64),
            np.zeros(parts),
        )
        sums = self._sums(due, end, parts)
        while True:
            ends = np.cumsum(limits)
            spikes, starts = buffers(int(ends[-1])), ends - limits
            places = SpikesRole(*spikes, starts, limits, counts, reached)
            sums.run(np.arange(parts), places)
            failed = np.flatnonzero(counts < 0)
            if failed.size or (counts <= limits).all():
                break
            limits = np.maximum(2 * limits, counts)
        raise_first_runaway(
            self._job, np.zeros(failed.size, np.int64), -1 - counts[failed], reached[failed]
        )
        self._now, self._begin, self._end = end, self._end, self._begin
        self._begin.idle[:] = self._begin.halvings[:] = 0  # always in as many pieces
        mine = ranges(starts, counts)
        times, neurons = spikes.time[mine], spikes.neuron[mine]
        order = event_order(np.array([0, times.size]), times, neurons)
        return times[order], neurons[order]

    def _sums(self, due: Due, end: float, parts: int) -> SumsRun:
        """Arguments of one window from now to ``end``."""
        none, size = np.zeros(0, np.int64), self._neurons.size
        arriving = ArrivingRole(np.array([0, due.time.size]), *due, none, none, np.array([end]))
        return SumsRun(
            arriving, self._loop, no_tiles(size, parts), self._series, self._under_way,
            self._neurons, WindowsRole(end - self._now, end, self._pieces), self._basis,
            LoopStopRole(*self._begin, None, None), LoopStopRole(*self._end, None, None),
            bounds_of_parts(size, parts),
        )  # fmt: skip
