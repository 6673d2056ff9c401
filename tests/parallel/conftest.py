"""Fixtures of tests that start processes by mpiexec."""

import json
import sys

import pytest

from tests.support.processes import mpiexec, why_no_mpi


@pytest.fixture(scope="session")
def mpi():
    """Live through scenarios of a module; gives the outcomes of every process."""
    if (reason := why_no_mpi()) is not None:
        pytest.skip(reason)

    def start(module, size, folder, *scenarios):
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", f"tests.parallel.{module}", folder, *scenarios]
        found = mpiexec(size, command)
        assert found.returncode == 0, found.stdout + found.stderr
        return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(size)]

    return start
