"""Gathering arrays from the devices of several processes, by NCCL through ``cupyx.distributed``.

One process per device. The processes find each other through a small TCP server that process 0
runs while they connect; it is not protected, so let its port be reached from trusted machines only.

NCCL copies bits here and adds nothing: the order of every sum stays that of
:mod:`eventsim.train.parallel`.
"""

import socket
import sys
from importlib.util import find_spec
from typing import Any

from eventsim.arrays import Array
from eventsim.errors import BackendError
from eventsim.extras import install_hint


class NcclCommunicator:
    """Communicator over ``cupyx.distributed``; an ``eventsim.train.parallel.Communicator``.

    ``backend``: what ``cupyx.distributed.init_process_group`` returned. ``xp``: CuPy. ``rank,
    size``: as given to it.
    """

    def __init__(self, backend: Any, xp: Any, *, rank: int, size: int):
        self._backend, self._xp = backend, xp
        self.rank, self.size = rank, size

    def all_gather(self, values: Array) -> Array:
        """The values of all processes, [size, *values.shape]; on the host if they are there."""
        xp = self._xp
        mine = xp.ascontiguousarray(xp.asarray(values))
        gathered = xp.empty((self.size, *mine.shape), mine.dtype)
        # On CuPy's current stream, like all that eventsim does on a device: no need to wait.
        self._backend.all_gather(mine, gathered, mine.size)
        return gathered if isinstance(values, xp.ndarray) else xp.asnumpy(gathered)

    def abort(self) -> None:
        """Let go of NCCL, whose operations would be waited for at the end of the process.

        Nothing reaches the others: the launcher ends them when it sees this process fail.
        """
        self._backend._comm.abort()

    def close(self) -> None:
        """Nothing: CuPy lets NCCL go with the last reference."""


def take_device(local_rank: int, *, chosen: bool) -> None:
    """Make the device of that number the current one; nothing where there is no CUDA.

    ``local_rank``: number of this process on its machine. ``chosen``: whether CUDA_VISIBLE_DEVICES
    is set. One visible device is then that of this process, whatever its number: launchers bind
    processes in that way. NCCL refuses if two share it.

    Raises BackendError (there are fewer devices than that).
    """
    try:
        import cupy

        n_devices = cupy.cuda.runtime.getDeviceCount()
    except (ImportError, RuntimeError):
        return  # get_backend says what is missing
    index = 0 if chosen and n_devices == 1 else local_rank
    if index >= n_devices:
        raise BackendError(
            f"This is process {local_rank} of its machine, counted from 0, which shows it "
            f"{n_devices} CUDA device{'s' if n_devices != 1 else ''}. Start at most one process "
            "per device on each machine, or use backend='cpu'."
        )
    cupy.cuda.Device(index).use()


def connect(*, rank: int, size: int, host: str, port: int) -> NcclCommunicator:
    """Connect this process, with its current device, to the others; returns when all have.

    Parameters
    ----------
    rank, size
        Number of this process, 0 .. size - 1, and of all.
    host, port
        Where process 0 listens in the meantime.

    Raises
    ------
    BackendError
        NCCL is missing, or the processes do not find each other.
    """
    cupy, distributed = _libraries()
    if rank == 0:
        _check_address(host, port)
    try:
        backend = distributed.init_process_group(
            size, rank, backend="nccl", host=host, port=port, use_mpi=False
        )
    except (RuntimeError, OSError) as error:
        raise BackendError(
            f"Process {rank} of {size} could not connect to the others by NCCL through {host}, "
            f"port {port} ({type(error).__name__}: {error}). Each needs a device of its own, "
            "MASTER_ADDR must be the machine of process 0, and its port must be reached from all. "
            "NCCL_DEBUG=INFO makes NCCL tell more."
        ) from error
    # All are in NCCL now. Only CuPy's barrier, which nobody calls, needs the server any longer.
    backend.stop()
    return NcclCommunicator(backend, cupy, rank=rank, size=size)


def _libraries() -> tuple[Any, Any]:
    """CuPy and cupyx.distributed."""
    if "mpi4py.MPI" not in sys.modules and find_spec("mpi4py") is not None:
        import mpi4py

        # cupyx.distributed imports MPI where it can; it shall not start it, NCCL does without.
        mpi4py.rc.initialize = False
    try:
        import cupy
        import cupyx.distributed
        from cupy.cuda import nccl
    except (ImportError, RuntimeError) as error:
        raise BackendError(
            f"cupyx.distributed cannot be imported (import failed: {error}). If it is MPI that is "
            "missing, remove mpi4py or install an MPI library."
        ) from error
    if not nccl.available:
        major = cupy.cuda.runtime.runtimeGetVersion() // 1000
        raise BackendError(
            "Several processes on CUDA devices need NCCL, and CuPy finds none: "
            f"{install_hint('nccl12' if major < 13 else 'nccl13')}. Or use backend='cpu'."
        )
    return cupy, cupyx.distributed


def _check_address(host: str, port: int) -> None:
    """Raise if process 0 cannot listen there: others would wait for it, or talk to a stranger."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise BackendError(
            f"Process 0 cannot listen at {host}, port {port} ({error}). MASTER_ADDR must name the "
            "machine on which process 0 runs, and MASTER_PORT a port that is free on it."
        ) from error
