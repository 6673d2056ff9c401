"""Rank of this process and number of processes, from the variables that launchers set.

The first launcher of ``LAUNCHERS`` whose variables are all set is taken: srun may have started
torchrun or mpirun. A batch script of Slurm has SLURM_PROCID too, but no
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

_OPEN_MPI = "OMPI_COMM_WORLD_"
# Variables of rank, size, rank on the machine, number on the machine.
LAUNCHERS = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    "mpirun of Open MPI": tuple(
        f"{_OPEN_MPI}{name}" for name in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")
    ),
    "mpiexec of MPICH or Intel MPI": ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    "srun": (
        "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE"
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A process among those that were started together."""

    launcher: str  # What started it
    # rank, size: Its number, 0 .. size - 1, and that of all.
    rank: int
    size: int
    # local_rank, local_size: The same among the processes of its machine
    local_rank: int
    local_size: int
    # host, port: Where process 0 listens while NCCL connects; host None where nothing tells it
    host: str | None = None
    port: int = DEFAULT_PORT
    # Whether the launcher, or a person, chose the devices that the process sees
    devices_chosen: bool = False

    def __post_init__(self) -> None:
        places = (("rank", self.rank, self.size),
                  ("rank on this machine", self.local_rank, self.local_size))  # fmt: skip
        wrong = [
            f"the {what} is {rank}, expected 0 .. {size - 1}: there are {size} processes"
            for what, rank, size in places
            if not 0 <= rank < size
        ]
        if self.local_size > self.size:
            wrong += [f"{self.local_size} processes on this machine, of {self.size} in all"]
        if wrong:
            raise ParameterError(
                f"Launch by {self.launcher}",
                wrong[0],
                remedy="Start all processes with one command.",
            )

    def address(self) -> tuple[str, int]:
        """Host and port of process 0; raises ParameterError if nothing tells the host."""
        if self.host is None:
            raise ParameterError(
                f"Launch by {self.launcher}",
                f"{self.size} processes are on several machines, and MASTER_ADDR does not say "
                "where process 0 runs",
                remedy="Set it, with Slurm for example by\n"
                '  export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            )
        return self.host, self.port


def find_launch(environ: Mapping[str, str]) -> Launch | None:
    """The launch that the variables tell of, or None if no launcher set all of its own.

    Raises ParameterError (a variable is no whole number, or they contradict each other).
    """
    for launcher, names in LAUNCHERS.items():
        if all(name in environ for name in names):
            rank, size, local_rank = (_whole(environ, name) for name in names[:3])
            slurm = launcher == "srun"
            local_size = _on_this_machine(environ) if slurm else _whole(environ, names[3])
            host, port = _address(environ, one_machine=local_size == size)
            return Launch(
                launcher=launcher, rank=rank, size=size, local_rank=local_rank,
                local_size=local_size, host=host, port=port,
                devices_chosen="CUDA_VISIBLE_DEVICES" in environ,
            )  # fmt: skip
    return None


def why_no_launch(environ: Mapping[str, str]) -> str:
    """Text about the variables that :func:`find_launch` misses, a sentence or two."""
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
    found = [re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip()) for part in text.split(",")]
    tasks = [int(one[1]) for one in found if one for _ in range(int(one[2] or 1))]
    if None in found or not 0 <= node < len(tasks):
        raise ParameterError(
            "Launch by srun",
            f"SLURM_STEP_TASKS_PER_NODE is {text!r}",
            f"a form such as 2(x3),1 that tells the number of tasks of node {node} (SLURM_NODEID)",
        )
    return tasks[node]


def _whole(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise ParameterError(
            "Environment", f"variable {name} is {environ[name]!r}", "a whole number"
        ) from None
