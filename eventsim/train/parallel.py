r"""Data-parallel training: one batch over several processes, the same numbers on any number.

**Shards.** A batch of :math:`B` samples is cut into :math:`S` shards of :math:`B_s` consecutive
samples; the cut depends on :math:`B` and ``TrainConfig.shards`` alone, never on the processes. Each
process runs some of the shards. The loss is a mean over samples, so the loss of the batch is the
sum of those of the shards, weighted by their fractions of the samples,

.. math::
    L = \frac{1}{B} \sum_{b=1}^{B} \ell_b = \sum_{s=1}^{S} \frac{B_s}{B}\, L_s, \qquad
    \frac{\partial L}{\partial \theta}
      = \sum_{s=1}^{S} \frac{B_s}{B}\, \frac{\partial L_s}{\partial \theta} ,

and the backward pass, which is linear in its seeds, starts in shard :math:`s` from seeds times
:math:`B_s / B`. The rate band and the lift of silent neurons look at spike counts of the whole
batch: these are added up after the forward pass, before the backward pass starts. They are whole
numbers, so that their sum is exact.

**Order.** Rounding makes a sum of floats depend on its order. A tree, or a ring as in an
all-reduce, has an order that depends on the number of processes. So the gradients of all shards are
gathered on every process, which adds them as

.. math:: ((g_1 + g_2) + g_3) + \dots + g_S \qquad \text{in float64.}

Hence every process takes the same step to the last bit, and a single process that runs the same
shards one after the other takes it as well: a run may be stopped and continued with another number
of processes. The cost is :math:`S` gradients of memory and traffic on each process, in place of
one.

**Leaving together.** If a process fails while others wait for it in a gather, they would wait
for ever. So each gather begins with a round in which every process sends its status. A process
that leaves the group, with or without an error, takes part in one more such round:

- an error: the others raise :class:`~eventsim.errors.PeerError` with its text at their next gather;
- an interrupt (SIGINT, SIGTERM): the next round makes it known, all finish that batch and stop;
- a second interrupt: that process stops at once, the others at their next gather. If it comes
  during a gather, all processes are aborted.

A process that is killed (SIGKILL, out of memory) cannot send its status. The launcher has to end
the others then; torchrun, mpirun and ``srun --kill-on-bad-exit`` do so.
"""

import os
from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from eventsim.arrays import Array, Ints
from eventsim.engine import get_backend
from eventsim.errors import ParameterError, PeerError
from eventsim.matrix import Featured, require
from eventsim.train import mpi
from eventsim.train.launch import Launch, find_launch

MESSAGE_BYTES = 1024


class Communicator(Protocol):
    """Operations between processes that MPI and NCCL provide.

    Attributes
    ----------
    rank, size
        Number of this process, 0 .. size - 1, and of all.
    """

    rank: int
    size: int

    def all_gather(self, values: Array) -> Array:
        """The values of all processes by rank, shape ``[size, *values.shape]``.

        Every process gives an array of the same shape and type. New array, of the same library.
        """

    def abort(self) -> None:
        """Give up without the others, as far as the communicator can tell them."""

    def close(self) -> None:
        """Let go what it holds."""


class _Status(IntEnum):
    """Status of a process, sent in every round; from DONE on the process leaves the group."""

    RUNNING = 0
    STOPPING = 1  # was asked to stop
    DONE = 2
    STOPPED = 3
    FAILED = 4


class ProcessGroup:
    """The processes that train one network together; a context manager.

    All of them must make the same calls in the same order, all inside the ``with`` block: an error
    that one of them catches there leaves the others waiting.

    Parameters
    ----------
    communicator
        Between the processes; None for a process alone.

    Attributes
    ----------
    rank, size
        Number of this process, 0 .. size - 1, and of all.
    """

    def __init__(self, communicator: Communicator | None = None):
        self._communicator = communicator
        self.rank = 0 if communicator is None else communicator.rank
        self.size = 1 if communicator is None else communicator.size
        self._asked = False
        self._agreed = False
        self._inside = False  # a gather: rounds of this process and others may not match
        self._over = False  # all know that it has ended

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.rank == 0

    @property
    def asked_to_stop(self) -> bool:
        """Whether :meth:`ask_to_stop` was called in this process."""
        return self._asked

    @property
    def stopping(self) -> bool:
        """Whether all are to stop at the end of this batch; the same in every process."""
        return self._asked if self.size == 1 else self._agreed

    def ask_to_stop(self) -> None:
        """Let all processes stop at the end of the batch in which they next meet."""
        self._asked = True

    def withdraw(self) -> None:
        """Forget a wish to stop; called by all processes at the same place."""
        self._asked = self._agreed = False

    def share(self, n: int) -> range:
        """Numbers of the shards or batches, of ``n`` in all, that this process runs."""
        return range(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def gather(self, pieces: Sequence[Array], n: int, *, xp: Any = np) -> list[Array]:
        """The results of all ``n`` pieces of work, in their order.

        Parameters
        ----------
        pieces
            Results of :meth:`share`: float64 vectors, as long in every process.
        n
            Number of pieces of all processes, at least 1.
        xp
            Library of the arrays; that of the pieces, if there are any.

        Returns
        -------
        list
            Vectors of that library.

        Raises
        ------
        PeerError
            Another process failed, or has come to another place, or the group has ended.
        KeyboardInterrupt
            Another process has stopped.
        """
        communicator = self._communicator
        if communicator is None or self.size == 1:
            return list(pieces)
        if self._over:
            raise PeerError("Processes", "the group has ended", "one to gather from")
        self._inside = True
        status = _Status.STOPPING if self._asked else _Status.RUNNING
        table = self._meet(status, n, pieces[0].size if pieces else 0)
        width = int(table[:, 2].max())
        if (table[:, 1] != n).any() or not np.isin(table[:, 2], (0, width)).all():
            self._inside = False
            raise PeerError(
                f"The {self.size} processes",
                f"gather {table[:, 1].tolist()} results of {table[:, 2].tolist()} numbers at one "
                "time",
                "the same of all",
                "Every process must make the same calls with the same data.",
            )
        mine = xp.zeros((-(-n // self.size), width))
        for slot, piece in enumerate(pieces):
            mine[slot] = piece
        everything = communicator.all_gather(mine)
        self._inside = False
        return [
            everything[rank, index - n * rank // self.size]
            for rank in range(self.size)
            for index in range(n * rank // self.size, n * (rank + 1) // self.size)
        ]

    def wait(self) -> None:
        """Return when all processes have come here."""
        self.gather([np.zeros(1)], self.size)

    def check_same(self, what: str, digest: str) -> None:
        """Raise PeerError if a process holds another ``what``, by its digest in hexadecimal."""
        if self.size == 1:
            return
        digits = np.frombuffer(bytes.fromhex(digest), np.uint8).astype(np.float64)
        found = self.gather([digits], self.size)
        others = [rank for rank, other in enumerate(found) if not np.array_equal(other, found[0])]
        if others:
            raise PeerError(
                f"Process {others[0]} of {self.size}",
                f"has another {what} than process 0",
                remedy="All processes need the same arguments, files and versions of libraries, on "
                "the same kind of machine.",
            )

    def __enter__(self) -> "ProcessGroup":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        communicator = self._communicator
        if communicator is None:
            return
        try:
            if self.size == 1 or self._over:
                return
            if self._inside:
                communicator.abort()
            else:
                self._leave(error)
        finally:
            self._over = True
            communicator.close()

    def _leave(self, error: BaseException | None) -> None:
        """Take part in the last round."""
        if error is None:
            self._meet(_Status.DONE)
        elif isinstance(error, KeyboardInterrupt):
            table = self._round(_Status.STOPPED)
            if (table[:, 0] == _Status.FAILED).any():
                self._messages("")
        else:
            self._round(_Status.FAILED)
            self._messages(f"{type(error).__name__}: {error}")

    def _meet(self, status: _Status, *facts: int) -> Ints:
        """A round; raises if a process leaves in it, and this one does not."""
        table = self._round(status, *facts)
        states = table[:, 0]
        self._agreed |= bool((states == _Status.STOPPING).any())
        if states.max() < _Status.DONE or (states == _Status.DONE).all():
            return table
        self._over = True
        failed = np.flatnonzero(states == _Status.FAILED)
        if failed.size:
            text = self._messages("")[failed[0]]
            raise PeerError(f"Process {failed[0]} of {self.size} failed with {text}")
        if (states == _Status.STOPPED).any():
            raise KeyboardInterrupt
        gone = np.flatnonzero(states == _Status.DONE).tolist()
        raise PeerError(
            f"The processes {gone} of {self.size}",
            "have ended, the others go on",
            remedy="Every process must make the same calls with the same data.",
        )

    def _round(self, status: _Status, n: int = 0, width: int = 0) -> Ints:
        """Status and facts of all processes, shape [size, 3]."""
        assert self._communicator is not None
        table: Ints = self._communicator.all_gather(np.array([status, n, width], np.int64))
        return table

    def _messages(self, text: str) -> list[str]:
        """Exchange a text, cut to MESSAGE_BYTES."""
        assert self._communicator is not None
        letters = np.zeros(MESSAGE_BYTES, np.uint8)
        encoded = np.frombuffer(text.encode()[:MESSAGE_BYTES], np.uint8)
        letters[: encoded.size] = encoded
        found = self._communicator.all_gather(letters)
        return [bytes(row).rstrip(b"\0").decode(errors="ignore") for row in found]


def connect(backend: str = "auto", *, environ: Mapping[str, str] | None = None) -> ProcessGroup:
    """The group of the processes that a launcher started; of one process if none did.

    Between devices it goes by NCCL, one device per process, chosen by the rank on the machine;
    for a backend on the processor it goes by MPI. Call it before anything that uses the device.

    Parameters
    ----------
    backend
        That of the training, as :class:`~eventsim.train.TrainConfig` names it.
    environ
        Where :mod:`eventsim.train.launch` looks; ``os.environ`` if None.

    Raises
    ------
    ParameterError, BackendError
        The launcher's variables contradict each other, there are fewer devices than processes on
        this machine, or NCCL, mpi4py or MPI is missing.
    """
    launch = find_launch(os.environ if environ is None else environ)
    if launch is None or launch.size == 1:
        return ProcessGroup()
    if backend in ("auto", "cuda"):
        from eventsim.engine.cuda import collective

        collective.take_device(launch.local_rank, chosen=launch.devices_chosen)
    return ProcessGroup(_communicator(get_backend(backend).name, launch))


def _communicator(backend: str, launch: Launch) -> Communicator:
    if backend != "cuda":
        return mpi.connect(launch)
    from eventsim.engine.cuda import collective

    host, port = launch.address()
    return collective.connect(rank=launch.rank, size=launch.size, host=host, port=port)


def cut(n: int, shards: int) -> list[slice]:
    """Cut ``n`` samples into shards of sizes that differ by one at most; none is empty."""
    shards = min(n, shards)
    return [slice(n * s // shards, n * (s + 1) // shards) for s in range(shards)]


def add_in_order(rows: Sequence[Array]) -> Array:
    """Sum of vectors, from the first to the last. New array."""
    total = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def check_shards(group: ProcessGroup, config: Featured, shards: int) -> None:
    """Raise ParameterError if some of the processes would never have a shard."""
    if group.size > 1:
        require("processes", config, where="train")
    if group.size > shards:
        raise ParameterError(
            "TrainConfig",
            f"shards is {shards} for {group.size} processes",
            "at least one per process",
            f"Pass shards={group.size} or a multiple of it. The shards decide the rounding of the "
            "sum, so they belong to the settings of a run: choose as many as the processes that "
            "you may ever want.",
        )
