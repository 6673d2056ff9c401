"""Real processes, started by mpiexec: the same bits on any number of them, however they end."""

import json
import shutil

import numpy as np
import pytest

from eventsim.train import evaluate, load_network
from tests.parallel import worker
from tests.support.processes import mpiexec

pytestmark = pytest.mark.thorough(
    "starts processes by mpiexec; threads take their place in tests/unit"
)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The run of one process."""
    folder = tmp_path_factory.mktemp("one") / "run"
    worker.run(folder)
    return folder


@pytest.fixture(scope="module")
def two(mpi, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return folder, mpi("worker", 2, folder, "straight", "evaluated", "stopped", "failed")


@pytest.fixture(scope="module")
def three(mpi, two, tmp_path_factory):
    """Three processes, which also go on with the run that two processes stopped."""
    folder = tmp_path_factory.mktemp("three")
    shutil.copytree(two[0] / "stopped", folder / "stopped")
    return folder, mpi("worker", 3, folder, "straight", "evaluated", "terminated", "resumed")


def assert_same_run(folder, expected):
    one, other = (
        [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        for place in (folder, expected)
    )
    for line in (*one, *other):
        del line["seconds"], line["compile_seconds"]
    assert one == other
    for name in ("last", "selected"):
        values, wanted = (load_network(p / f"{name}.npz").parameters() for p in (folder, expected))
        assert values.keys() == wanted.keys()
        for key, array in values.items():
            np.testing.assert_array_equal(array, wanted[key], err_msg=key)


def test_runs_of_two_and_three_processes_have_the_bits_of_one(two, three, straight):
    for folder, outcomes in (two, three):
        assert [outcome["straight"] for outcome in outcomes] == ["done"] * len(outcomes)
        assert_same_run(folder / "straight", straight)


def test_evaluations_of_two_and_three_processes_have_the_bits_of_one(two, three):
    data = worker.two_patterns(worker.N_SAMPLES)
    found = evaluate(worker.quiet_net(), data, worker.CONFIG)
    expected = [found.loss, found.accuracy, found.confusion.tolist()]
    for _, outcomes in (two, three):
        assert [outcome["evaluated"] for outcome in outcomes] == [expected] * len(outcomes)


def test_interrupt_of_one_process_stops_all_after_that_batch(two):
    folder, outcomes = two
    assert all(outcome["stopped"].startswith("KeyboardInterrupt") for outcome in outcomes)
    assert not (folder / "stopped" / "last.npz").exists()


def test_stopped_run_goes_on_with_three_processes_and_with_one(two, three, straight):
    assert [outcome["resumed"] for outcome in three[1]] == ["done"] * 3
    assert_same_run(three[0] / "stopped", straight)

    seen = []
    worker.run(two[0] / "stopped", resume=True, callback=seen.append)
    # Four batches are an epoch; the sixth was under way.
    assert (seen[0].epoch, seen[0].batch) == (2, 3)
    assert_same_run(two[0] / "stopped", straight)


def test_termination_of_process_0_stops_all_and_is_saved(three, straight):
    folder, outcomes = three
    assert all(outcome["terminated"].startswith("KeyboardInterrupt") for outcome in outcomes)
    seen = []
    worker.run(folder / "terminated", resume=True, callback=seen.append)
    assert (seen[0].epoch, seen[0].batch) == (2, 3)
    assert_same_run(folder / "terminated", straight)


def test_error_of_one_process_ends_the_other_with_its_text(two):
    first, second = (outcome["failed"] for outcome in two[1])
    text = "RuntimeError: the card fell off the bus"
    assert first == f"PeerError: Process 1 of 2 failed with {text}"
    assert second == text


def test_killed_process_takes_the_others_along_and_the_run_goes_on(mpi, straight, tmp_path):
    command = [worker.sys.executable, "-m", "tests.parallel.worker", tmp_path, "killed"]
    assert mpiexec(2, command).returncode != 0
    worker.run(tmp_path / "killed", resume=True)
    assert_same_run(tmp_path / "killed", straight)
