"""Launch: every launcher's variables are read, and what they lack is said."""

import pytest

from eventsim.errors import ParameterError
from eventsim.train.launch import DEFAULT_PORT, find_launch, why_no_launch

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_SIZE": "3",
    "OMPI_COMM_WORLD_LOCAL_RANK": "2",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "3",
}
HYDRA = {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}
SRUN = {
    "SLURM_PROCID": "6",
    "SLURM_STEP_NUM_TASKS": "7",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3),1",
    "SLURM_NODEID": "3",
}


def numbers(launch):
    return launch.rank, launch.size, launch.local_rank, launch.local_size


@pytest.mark.parametrize(
    ("environ", "launcher", "expected"),
    [
        (TORCHRUN, "torchrun", (5, 8, 1, 4)),
        (OPEN_MPI, "mpirun of Open MPI", (2, 3, 2, 3)),
        (HYDRA, "mpiexec of MPICH or Intel MPI", (1, 2, 1, 2)),
        (SRUN, "srun", (6, 7, 0, 1)),
    ],
)
def test_launch_is_read_from_the_variables_of_every_launcher(environ, launcher, expected):
    launch = find_launch(environ)
    assert launch.launcher == launcher
    assert numbers(launch) == expected


def test_process_that_nothing_launched_has_no_launch():
    assert find_launch({"PATH": "/bin", "RANK": "3"}) is None


def test_batch_script_of_slurm_is_no_launch():
    script = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "8", "SLURM_NODEID": "0"}
    assert find_launch(script) is None


def test_launchers_started_by_srun_go_before_it():
    assert find_launch(SRUN | HYDRA).launcher.startswith("mpiexec")
    assert find_launch(SRUN | OPEN_MPI).launcher.startswith("mpirun")
    assert find_launch(SRUN | TORCHRUN).launcher == "torchrun"
    # srun --mpi=pmi2 sets the first two variables of Hydra as well.
    assert find_launch(SRUN | {"PMI_RANK": "6", "PMI_SIZE": "7"}).launcher == "srun"


@pytest.mark.parametrize(
    ("text", "node", "expected"), [("4", "0", 4), ("2(x3),1", "2", 2), ("1,3", "1", 3)]
)
def test_tasks_of_a_node_are_read_from_slurms_list(text, node, expected):
    environ = SRUN | {"SLURM_STEP_TASKS_PER_NODE": text, "SLURM_NODEID": node}
    assert find_launch(environ).local_size == expected


def test_processes_of_one_machine_meet_on_it():
    assert find_launch(HYDRA).address() == ("127.0.0.1", DEFAULT_PORT)
    torchrun = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    assert find_launch(torchrun).address() == ("127.0.0.1", DEFAULT_PORT)


def test_port_on_which_torchrun_listens_is_avoided():
    assert find_launch(TORCHRUN).address() == ("node1", 29501)
    by_hand = {k: v for k, v in TORCHRUN.items() if not k.startswith("TORCHELASTIC")}
    assert find_launch(by_hand).address() == ("node1", 29500)


def test_cupys_own_variables_go_first():
    own = {"CUPYX_DISTRIBUTED_HOST": "node9", "CUPYX_DISTRIBUTED_PORT": "1234"}
    assert find_launch(TORCHRUN | own).address() == ("node9", 1234)


def test_several_machines_without_master_addr_are_told_to_set_it():
    with pytest.raises(ParameterError, match="export MASTER_ADDR="):
        find_launch(SRUN).address()
    assert find_launch(SRUN | {"MASTER_ADDR": "node0"}).address() == ("node0", DEFAULT_PORT)


def test_devices_chosen_by_the_launcher_are_noticed():
    assert not find_launch(SRUN).devices_chosen
    assert find_launch(SRUN | {"CUDA_VISIBLE_DEVICES": "3"}).devices_chosen


def test_missing_variables_are_named():
    text = why_no_launch({"RANK": "0", "WORLD_SIZE": "2"})
    assert "Of those of torchrun these are missing: LOCAL_RANK, LOCAL_WORLD_SIZE." in text
    assert "mpirun -n 2" in text
    assert "Of those of" not in why_no_launch({})
