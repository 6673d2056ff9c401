"""Which of how many processes this one is, read from the variables that launchers set.

==========================  ======================  =========================  =====================
launcher                    rank                    size                       rank on the machine
==========================  ======================  =========================  =====================
torchrun                    RANK                    WORLD_SIZE                 LOCAL_RANK
mpirun (Open MPI)           OMPI_COMM_WORLD_RANK    OMPI_COMM_WORLD_SIZE       OMPI_..._LOCAL_RANK
mpiexec (MPICH, Intel MPI)  PMI_RANK                PMI_SIZE                   MPI_LOCALRANKID
srun                        SLURM_PROCID            SLURM_STEP_NUM_TASKS       SLURM_LOCALID
==========================  ======================  =========================  =====================

The first launcher of the table whose variables are all there is believed: torchrun and mpirun may
themselves have been started by srun. A batch script of Slurm has SLURM_PROCID too, but no
SLURM_STEP_NUM_TASKS, so that it counts as one process.

Where process 0 can be reached is needed by NCCL only: MASTER_ADDR and MASTER_PORT, which torchrun
sets and which may be set by hand for the others. CUPYX_DISTRIBUTED_HOST and CUPYX_DISTRIBUTED_PORT
go before them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eventsim.errors import ParameterError

DEFAULT_PORT = 13333  # that of cupyx.distributed

# Variables of rank, size, rank on the machine, number on the machine.
LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    "mpirun of Open MPI": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    "mpiexec of MPICH or Intel MPI": (
        "PMI_RANK",
        "PMI_SIZE",
        "MPI_LOCALRANKID",
        "MPI_LOCALNRANKS",
    ),
    "srun": (
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_LOCALID",
        "SLURM_STEP_TASKS_PER_NODE",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One process among those that were started together.

    Attributes
    ----------
    launcher
        What started it.
    rank, size
        Its number, 0 .. size - 1, and that of all.
    local_rank, local_size
        The same among the processes of its machine.
    host, port
        Where process 0 listens while NCCL connects; host None where nothing tells it.
    devices_chosen
        Whether the launcher, or a person, chose the devices that the process sees.
    """

    launcher: str
    rank: int
    size: int
    local_rank: int
    local_size: int
    host: str | None = None
    port: int = DEFAULT_PORT
    devices_chosen: bool = False

    def __post_init__(self) -> None:
        for what, rank, size in (
            ("rank", self.rank, self.size),
            ("rank on this machine", self.local_rank, self.local_size),
        ):
            if not 0 <= rank < size:
                raise ParameterError(
                    f"Launch by {self.launcher}: the {what} is {rank}, expected 0 .. {size - 1}: "
                    f"there are {size} processes. Start all processes with one command."
                )
        if self.local_size > self.size:
            raise ParameterError(
                f"Launch by {self.launcher}: {self.local_size} processes on this machine, of "
                f"{self.size} in all. Start all processes with one command."
            )

    def address(self) -> tuple[str, int]:
        """Host and port of process 0; raises ParameterError if nothing tells the host."""
        if self.host is None:
            raise ParameterError(
                f"{self.launcher} started {self.size} processes on several machines, and "
                "MASTER_ADDR does not say where process 0 runs. Set it, with Slurm for example by\n"
                '  export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
            )
        return self.host, self.port


def find_launch(environ: Mapping[str, str]) -> Launch | None:
    """The launch that the variables tell of, or None if no launcher set all of its own.

    Raises
    ------
    ParameterError
        A variable is no whole number, or they contradict each other.
    """
    for launcher, names in LAUNCHERS.items():
        if not all(name in environ for name in names):
            continue
        rank, size, local_rank = (_whole(environ, name) for name in names[:3])
        local_size = _on_this_machine(environ) if launcher == "srun" else _whole(environ, names[3])
        host, port = _address(environ, one_machine=local_size == size)
        return Launch(
            launcher=launcher,
            rank=rank,
            size=size,
            local_rank=local_rank,
            local_size=local_size,
            host=host,
            port=port,
            devices_chosen="CUDA_VISIBLE_DEVICES" in environ,
        )
    return None


def why_no_launch(environ: Mapping[str, str]) -> str:
    """What is missing for :func:`find_launch`, as a sentence or two."""
    text = "No launcher started this process: none has set all of its variables."
    for launcher, names in LAUNCHERS.items():
        missing = [name for name in names if name not in environ]
        if names[0] in environ and missing:
            text += f" Of those of {launcher} these are missing: {', '.join(missing)}."
    return (
        text + " Start eventsim by torchrun, mpirun or srun, for example: mpirun -n 2 eventsim .."
    )


def _address(environ: Mapping[str, str], *, one_machine: bool) -> tuple[str | None, int]:
    own, others = environ.get("CUPYX_DISTRIBUTED_HOST"), environ.get("MASTER_ADDR")
    host = own or others or ("127.0.0.1" if one_machine else None)
    if "CUPYX_DISTRIBUTED_PORT" in environ:
        return host, _whole(environ, "CUPYX_DISTRIBUTED_PORT")
    if "MASTER_PORT" not in environ:
        return host, DEFAULT_PORT
    # torchrun itself listens at MASTER_PORT for as long as its workers live.
    taken = environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return host, _whole(environ, "MASTER_PORT") + taken


def _on_this_machine(environ: Mapping[str, str]) -> int:
    """Tasks of Slurm on this node: "2(x3),1" means two on each of three nodes, one on the last."""
    text, node = environ["SLURM_STEP_TASKS_PER_NODE"], int(environ.get("SLURM_NODEID", "0"))
    tasks: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip())
        if found is None:
            break
        tasks += [int(found[1])] * int(found[2] or 1)
    if not 0 <= node < len(tasks):
        raise ParameterError(
            f"Launch by srun: SLURM_STEP_TASKS_PER_NODE is {text!r}, expected a form such as "
            f"2(x3),1 that tells the number of tasks of node {node} (SLURM_NODEID)."
        )
    return tasks[node]


def _whole(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise ParameterError(
            f"Environment variable {name} is {environ[name]!r}, expected a whole number."
        ) from None
