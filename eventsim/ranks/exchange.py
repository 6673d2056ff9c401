"""Spikes between processes: each goes to the processes that have a target of its neuron.

At the start each process tells the others from which sources it has synapses. So the processes with
targets of a neuron are known. After each window there are two collective calls of MPI: ``Alltoall``
of the numbers of spikes, and ``Alltoallv`` of the spikes, 12 bytes each (time and neuron). If the
window of a process failed, it sends a mark in place of its numbers, so that no process waits for
it.
"""

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract.stepping import ranges
from eventsim.errors import PeerError
from eventsim.ranks.decomposition import Decomposition

_SPIKE = np.dtype([("time", "<f8"), ("neuron", "<i4")])
_FAILED = -1


class World(Protocol):
    """The needed methods of a communicator of mpi4py, such as ``MPI.COMM_WORLD``."""

    def Get_rank(self) -> int:
        """Number of this process."""

    def Get_size(self) -> int:
        """Number of all processes."""

    def allgather(self, sendobj: Any) -> list[Any]:
        """A list with an object from each process."""

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Send the same number of numbers to each process."""

    def Alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Send numbers to each process, given as ``[array, counts]``."""


@dataclass(frozen=True)
class RankTraffic:
    """Traffic from this process to others.

    Attributes
    ----------
    windows
        Exchanges so far.
    messages
        Pairs of an exchange and a process to which it sent some spike.
    spikes, bytes
        Spikes, counted once for each process to which they were sent; bytes of these spikes and
        of the numbers of spikes.
    seconds, cpu_seconds
        Time in exchanges, waiting for slower processes included; MPI waits by spinning.
    """

    windows: int = 0
    messages: int = 0
    spikes: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class SpikeList(NamedTuple):
    """Times in ms and neurons, numbered through all populations."""

    times: Floats
    neurons: Ints


class Exchange:
    """Exchange between the processes of ``world``; None for one process alone."""

    def __init__(self, world: World | None):
        self.rank = 0 if world is None else world.Get_rank()
        self.size = 1 if world is None else world.Get_size()
        self._world = None if self.size == 1 else world
        self.traffic = RankTraffic()
        self._listeners = np.zeros(0, np.int32)
        self._first = np.zeros(1, np.int64)

    def agree(self, error: BaseException | None, facts: str = "") -> None:
        """Raise in all processes if one failed, or if their facts differ.

        ``facts`` must be equal in all processes. A process that failed raises its own error.
        """
        text = None if error is None else f"{type(error).__name__}: {error}"
        told = [(text, facts)] if self._world is None else self._world.allgather((text, facts))
        if error is not None:
            raise error
        for rank, (failure, other) in enumerate(told):
            if failure is not None:
                raise PeerError(f"Process {rank} of {self.size} failed with {failure}")
            if other != told[0][1]:
                raise PeerError(
                    "simulate_ranks",
                    f"process {rank} of {self.size} has another network, stream or option than "
                    "process 0",
                    remedy="All processes must make the same call; they need the same seeds and "
                    "the same version of NumPy.",
                )

    def listen(self, decomposition: Decomposition, wanted: Ints) -> None:
        """Tell the others from which neurons this process has synapses; ``wanted`` ascends."""
        if self._world is None:
            return
        owner = decomposition.owner(wanted)
        order = np.argsort(owner, kind="stable")
        counts = np.bincount(owner, minlength=self.size)
        asked, numbers = self._all_to_all(wanted[order], counts)
        mine = np.searchsorted(decomposition.neurons(self.rank), asked)
        listener = np.repeat(np.arange(self.size, dtype=np.int32), numbers)
        others = listener != self.rank
        mine, listener = mine[others], listener[others]
        order = np.argsort(mine, kind="stable")
        self._listeners = listener[order]
        n_own = decomposition.neurons(self.rank).size
        self._first = np.searchsorted(mine[order], np.arange(n_own + 1))

    def spikes(self, times: Floats, own: Ints, neurons: Ints) -> SpikeList:
        """Send own spikes of a window; get those of other processes that have targets here.

        Times are ms, ``own`` the own neurons counted from 0, ``neurons`` the number of every own
        neuron. Raises PeerError if another process failed.
        """
        before = self.traffic
        self.traffic = replace(before, windows=before.windows + 1)
        if self._world is None:
            return SpikeList(np.zeros(0), np.zeros(0, np.int64))
        began, cpu = time.perf_counter(), time.process_time()
        counts = self._first[own + 1] - self._first[own]
        each = np.repeat(np.arange(own.size), counts)
        to = self._listeners[ranges(self._first[own], counts)]
        order = np.argsort(to, kind="stable")
        sent = np.empty(each.size, _SPIKE)
        sent["time"], sent["neuron"] = times[each[order]], neurons[own[each[order]]]
        numbers = np.bincount(to, minlength=self.size)
        got, _ = self._all_to_all(sent, numbers)
        self.traffic = RankTraffic(
            before.windows + 1,
            before.messages + int(np.count_nonzero(numbers)),
            before.spikes + each.size,
            before.bytes + sent.nbytes + 8 * (self.size - 1),
            before.seconds + time.perf_counter() - began,
            before.cpu_seconds + time.process_time() - cpu,
        )
        return SpikeList(got["time"].copy(), got["neuron"].astype(np.int64))

    def fail(self) -> None:
        """In place of :meth:`spikes`: tell the others that the window failed here."""
        if self._world is not None:
            self._numbers(np.full(self.size, _FAILED))

    def _numbers(self, counts: Ints) -> Ints:
        assert self._world is not None
        theirs = np.empty(self.size, np.int64)
        self._world.Alltoall(np.ascontiguousarray(counts, np.int64), theirs)
        return theirs

    def _all_to_all(self, sent: NDArray[Any], counts: Ints) -> tuple[NDArray[Any], Ints]:
        """Records, process after process, and their number from each."""
        assert self._world is not None
        theirs = self._numbers(counts)
        failed = np.flatnonzero(theirs == _FAILED)
        if failed.size:
            raise PeerError(
                "simulate_ranks",
                f"process {failed[0]} of {self.size} failed; its own message says why",
            )
        got = np.empty(int(theirs.sum()), sent.dtype)
        width = sent.dtype.itemsize
        self._world.Alltoallv(
            [sent.view(np.uint8), counts * width], [got.view(np.uint8), theirs * width]
        )
        return got, theirs
