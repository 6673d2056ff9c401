"""--distributed, where launcher and option do not fit; real processes are in tests/parallel."""

import json

import pytest

from eventsim.runs.run import load_run
from eventsim.train.launch import LAUNCHERS
from tests.unit.cli.conftest import TINY, done, refused, told
from tests.unit.train.test_launch import HYDRA


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    for names in LAUNCHERS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def launched(monkeypatch):
    for name, value in HYDRA.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("launched")
def test_processes_of_a_launcher_must_be_told_whether_they_belong_together(digits, tmp_path):
    refused("train", digits, *TINY, "--out", "r").says(
        "mpiexec of MPICH or Intel MPI: started 2 processes, this is number 1"
    )
    assert not (tmp_path / "r").exists()


@pytest.mark.thorough("trains for seconds")
@pytest.mark.usefixtures("launched")
def test_no_distributed_trains_alone(digits, tmp_path):
    outcome = told("train", digits, *TINY, "--no-distributed", "--out", "r")
    assert outcome["processes"] == 1
    assert json.loads((tmp_path / "r" / "result.json").read_text())["processes"] == 1


@pytest.mark.thorough("trains for seconds")
def test_shards_are_part_of_the_settings(digits, tmp_path):
    done("train", digits, *TINY, "--shards", 3, "--out", "r")
    assert load_run(tmp_path / "r").config.shards == 3
    refused("train", "--resume", "--shards", 2, "--out", "r").says("shards is 3 there, 2 now")
