"""Processes that train together: threads of this process, or real ones through mpiexec."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from eventsim.train import ProcessGroup

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # s, until processes that wait for each other count as hung


class Hall:
    """Where threads meet; it breaks if one of them is waited for too long."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=PATIENCE)
        self.values = [None] * size

    def communicators(self):
        return [ThreadCommunicator(self, rank) for rank in range(self.size)]


class ThreadCommunicator:
    """A communicator between threads of one process."""

    def __init__(self, hall, rank):
        self.hall, self.rank, self.size = hall, rank, hall.size
        self.aborted = self.closed = False

    def all_gather(self, values):
        self.hall.values[self.rank] = np.array(values)
        self.hall.barrier.wait()
        values = self.hall.values
        assert len({(v.shape, v.dtype) for v in values}) == 1, [(v.shape, v.dtype) for v in values]
        gathered = np.stack(values)
        self.hall.barrier.wait()
        return gathered

    def abort(self):
        self.aborted = True
        self.hall.barrier.abort()

    def close(self):
        self.closed = True


class ThreadWorld:
    """What simulate_ranks asks of a communicator of mpi4py, between threads of one process."""

    def __init__(self, hall, rank):
        self.hall, self.rank = hall, rank

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return self.hall.size

    def allgather(self, sendobj):
        self.hall.values[self.rank] = sendobj
        self.hall.barrier.wait()
        values = list(self.hall.values)
        self.hall.barrier.wait()
        return values

    def Alltoall(self, sendbuf, recvbuf):
        recvbuf[:] = [values[self.rank] for values in self.allgather(sendbuf)]

    def Alltoallv(self, sendbuf, recvbuf):
        parts = []
        for values, counts in self.allgather(sendbuf):
            parts.append(np.split(values, np.cumsum(counts)[:-1])[self.rank])
        values, counts = recvbuf
        assert [part.size for part in parts] == list(counts)
        values[:] = np.concatenate(parts)


def worlds_of_threads(size, work):
    """Call ``work(world)`` in ``size`` threads; what each returned or raised, by rank."""
    hall, outcomes = Hall(size), [None] * size

    def run(world):
        try:
            outcomes[world.rank] = work(world)
        except BaseException as error:
            outcomes[world.rank] = error

    _in_threads(run, [ThreadWorld(hall, rank) for rank in range(size)])
    return outcomes


def _in_threads(run, each):
    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
        assert not thread.is_alive(), "a process hangs"


def together(size, work):
    """Call ``work(group)`` in ``size`` threads; what each returned or raised, by rank."""
    outcomes = [None] * size

    def run(communicator):
        try:
            with ProcessGroup(communicator) as group:
                outcomes[communicator.rank] = work(group)
        except BaseException as error:
            outcomes[communicator.rank] = error

    communicators = Hall(size).communicators()
    _in_threads(run, communicators)
    assert all(each.closed for each in communicators)
    assert not any(each.aborted for each in communicators)
    return outcomes


@functools.cache
def why_no_mpi():
    """Reason why processes cannot be started through MPI here, or None."""
    if find_mpiexec() is None:
        return "MPI: no mpiexec; pip install mpich"
    probe = [sys.executable, "-c", "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"]
    try:
        found = mpiexec(2, probe, timeout=60)
    except subprocess.TimeoutExpired:
        return "MPI: mpiexec does not come back"
    if found.returncode or found.stdout.split() not in (["2", "2"], ["22"]):
        text = (found.stderr or found.stdout).strip().splitlines()
        return f"MPI: {text[-1] if text else f'mpiexec ended with {found.returncode}'}"
    return None


def find_mpiexec():
    """The mpiexec beside this Python, else that of the system, or None."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def environment_of_mpi():
    """Variables for processes that share few cores: one thread each."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "EVENTSIM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Open MPI in a container: as root, more processes than cores, no network.
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "true",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_btl": "self,sm",
    }


def mpiexec(size, command, *, cwd=ROOT, timeout=240):
    """Run a command in so many processes."""
    return subprocess.run(
        [find_mpiexec(), "-n", str(size), *(str(word) for word in command)],
        cwd=cwd,
        env=environment_of_mpi(),
        capture_output=True,
        text=True,
        timeout=timeout,
    )
