"""A communicator between processes of the host, through mpi4py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import BackendError
from eventsim.extras import load
from eventsim.train.launch import Launch


class MpiCommunicator:
    """The processes of ``MPI.COMM_WORLD``; a :class:`eventsim.train.parallel.Communicator`."""

    def __init__(self, world: Any):
        self._world = world
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()

    def all_gather(self, values: NDArray[Any]) -> NDArray[Any]:
        """As :meth:`eventsim.train.parallel.Communicator.all_gather`."""
        gathered = np.empty((self.size, *values.shape), values.dtype)
        self._world.Allgather(np.ascontiguousarray(values), gathered)
        return gathered

    def abort(self) -> None:
        """End all processes at once."""
        self._world.Abort(1)

    def close(self) -> None:
        """Nothing: mpi4py lets MPI go when the interpreter ends."""


def connect(launch: Launch) -> MpiCommunicator:
    """The communicator of all processes that were launched together.

    Raises
    ------
    BackendError
        mpi4py or an MPI library is missing, or the launcher started them without MPI.
    """
    otherwise = (
        "An MPI library is needed as well, the one whose mpirun you start (pip install mpich, or "
        "the system's)."
    )
    who = "Several processes on the processor"
    # The import starts MPI, so it waits until MPI is wanted.
    MPI = load("mpi4py.MPI", "mpi", who, BackendError, otherwise=otherwise)
    world = MPI.COMM_WORLD
    rank, size = world.Get_rank(), world.Get_size()
    if (rank, size) != (launch.rank, launch.size):
        library = MPI.Get_library_version().partition("\n")[0].strip("\0 ")
        raise BackendError(
            f"{launch.launcher} says that this is process {launch.rank} of {launch.size}, MPI says "
            f"{rank} of {size}. On the processor, start eventsim by mpirun (or srun --mpi=pmix) of "
            f"the MPI that mpi4py uses: {library}."
        )
    return MpiCommunicator(world)
