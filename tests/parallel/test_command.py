"""eventsim train --distributed under mpiexec: one report, with the numbers of one process."""

import json
import sys

import pytest

from eventsim.train import load_network
from tests.support.processes import mpiexec
from tests.unit.cli.conftest import TINY, call, places, undrawn, write_digits  # noqa: F401

TRAIN = (*TINY, "--shards", 2, "--json")


pytestmark = pytest.mark.thorough(
    "starts processes by mpiexec; threads take their place in tests/unit"
)


@pytest.mark.usefixtures("mpi")
def test_command_of_two_processes_ends_with_the_numbers_of_one(tmp_path):
    digits = write_digits(tmp_path / "digits.hdf5")
    alone = call("train", digits, *TRAIN, "--out", "alone")
    assert alone.code == 0, alone.err

    command = (sys.executable, "-m", "eventsim", "train", digits, *TRAIN)
    found = mpiexec(2, (*command, "--distributed", "--out", "both"), cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    outcome = json.loads(found.stdout)
    assert outcome["processes"] == 2
    assert found.stderr.count("backend: ") == 1
    assert "processes: 2, for 2 shards of a batch" in found.stderr
    for key in ("test", "selected_by_validation", "train_accuracy", "validation_accuracy"):
        assert outcome[key] == alone.json[key]
    assert (tmp_path / "both" / "index.html").exists()
    for name in ("last", "selected"):
        one, other = (load_network(tmp_path / d / f"{name}.npz") for d in ("alone", "both"))
        for key, values in one.parameters().items():
            assert (other.parameters()[key] == values).all(), key
