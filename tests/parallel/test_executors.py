"""eventsim experiment on dask and submitit: the table of one process, whatever is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from eventsim.experiment.workers import LOCK
from tests.support.fresh import until
from tests.support.processes import ROOT, environment_of_mpi
from tests.unit.cli.conftest import call, places  # noqa: F401
from tests.unit.experiment.conftest import Files

PATIENCE = 120.0  # s
# What depends on the clock, or on what else a process has done.
LOOSE = ("training_seconds", "peak_mb")


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    return Files(folder)


@contextmanager
def background(*command, **options):
    """A process and all that it starts, until the context ends."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
    command = [str(word) for word in command]
    with subprocess.Popen(command, start_new_session=True, text=True, **options) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """A cluster of two workers, started as a person does it, in a folder of its own."""
    Client = pytest.importorskip("distributed", reason="needs the extra dask").Client
    home, at = tmp_path_factory.mktemp("dask"), socket.socket()
    with at:
        at.bind(("127.0.0.1", 0))
        port = at.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = ("--no-dashboard", "--host", "127.0.0.1")
    with (
        background(
            sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", port, *words,
            cwd=home, env=environment,
        ),
        background(
            sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{port}",
            "--nworkers", 2, "--nthreads", 1, "--local-directory", home, *words,
            cwd=home, env=environment,
        ),
    ):  # fmt: skip
        # Runs that wait for workers all go to the first that comes.
        with Client(f"tcp://127.0.0.1:{port}", timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        yield f"dask://127.0.0.1:{port}"


AGAIN = pytest.mark.nightly("13 s; tests/unit/experiment/test_executors.py has jobs of submitit")


@pytest.fixture(params=["dask", pytest.param("slurm", marks=AGAIN)])
def executor(request):
    if request.param == "dask":
        return request.getfixturevalue("dask")
    pytest.importorskip("submitit", reason="needs the extra slurm")
    return "slurm?cluster=local"


def experiment(executor, *words, **options):
    """The command in a process of its own; one thread each, as they share few cores."""
    # A shell that starts the tests in the background has interrupts ignored.
    default = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    return background(
        sys.executable, "-m", "eventsim", "experiment", *words, "--executor", executor,
        env=environment_of_mpi(), stdout=subprocess.PIPE, **default, **options,
    )  # fmt: skip


def finished(executor, *words, out):
    """Its output as JSON, after it has ended well."""
    told = Path(out).with_suffix(".err")
    with (
        open(told, "w") as stderr,
        experiment(executor, *words, "--out", out, "--json", stderr=stderr) as process,
    ):
        text, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told.read_text()
    return json.loads(text)


def rows(outcome):
    """What does not depend on the clock."""
    assert outcome["failed"] == {}
    for row in outcome["rows"]:
        for key in LOOSE:
            del row["measured"][key]
    return outcome["rows"]


@pytest.fixture(scope="module")
def known():
    """Rows that were computed in this process, by the options; the recipe is always the same."""
    return {}


@pytest.fixture
def alone(known):
    def computed(recipe, *options):
        if options not in known:
            words = ("run", recipe, *options, "--jobs", 0, "--out", "alone", "--json")
            outcome = call("experiment", *words)
            assert outcome.code == 0, outcome.err
            known[options] = rows(outcome.json)
        return known[options]

    return computed


def worker_of(run):
    """The process that works in that folder."""
    return int((run / LOCK).read_text().split()[-1])


@pytest.mark.thorough("starts clusters and commands, each a Python of its own")
def test_runs_give_the_same_table_wherever_they_are_executed(files, executor, alone, tmp_path):
    # Two conditions: two workers have one run each. A job of submitit is two fresh processes.
    words = (files.recipe, "--seeds", 1, "--epochs", 1)
    found = finished(executor, *words, out=tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*/seed-*/result.json"))) == 2
    assert rows(found) == alone(*words)


@pytest.mark.nightly("20 s each; the command is killed below, processes in tests/unit/experiment")
def test_killed_worker_loses_nothing(files, dask, alone, tmp_path):
    words, out = (files.recipe, "--seeds", 1, "--epochs", 16), tmp_path / "out"
    history = out / "skip" / "seed-0" / "metrics.jsonl"
    with experiment(dask, *words, "--out", out, "--json") as process:
        until(history.exists, PATIENCE)
        before = history.read_text()
        os.kill(worker_of(history.parent), signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0  # dask gave the run to another worker
    found = finished(dask, *words, out=out)
    assert history.read_text().startswith(before)  # its seconds, too: no epoch was learned again
    assert rows(found) == alone(*words)


@pytest.mark.thorough("starts clusters and commands, each a Python of its own")
def test_interrupt_reaches_the_workers_of_a_cluster(files, dask, tmp_path):
    words, out = (files.recipe, "--seeds", 2, "--epochs", 100_000), tmp_path / "out"
    runs = [out / name / "seed-0" for name in ("plain", "skip")]
    with experiment(dask, *words, "--out", out) as process:
        until(lambda: all((run / "metrics.jsonl").exists() for run in runs), PATIENCE)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    before = [(run / "metrics.jsonl").read_text() for run in runs]
    time.sleep(1.0)
    assert [(run / "metrics.jsonl").read_text() for run in runs] == before
    assert not (out / ".stop").exists()
    assert all((run / "checkpoint.npz").exists() for run in runs)
    # The workers took no other run up.
    assert not (out / "plain" / "seed-1").exists()


@pytest.mark.nightly("11 s; tests/unit/experiment/test_workers.py waits for a run another has")
def test_killed_command_goes_on_beside_the_workers_that_it_left(files, dask, alone, tmp_path):
    words, out = (files.recipe, "--seeds", 1, "--epochs", 16), tmp_path / "out"
    runs = [out / name / "seed-0" for name in ("plain", "skip")]
    with experiment(dask, *words, "--out", out) as process:
        until(lambda: all((run / "metrics.jsonl").exists() for run in runs), PATIENCE)
        process.kill()
        process.communicate(timeout=PATIENCE)
    before = [(run / "metrics.jsonl").read_text() for run in runs]
    assert rows(finished(dask, *words, out=out)) == alone(*words)
    for run, text in zip(runs, before, strict=True):
        assert (run / "metrics.jsonl").read_text().startswith(text)


@pytest.mark.nightly("half a minute each; tests/unit/experiment/test_search.py kills one process")
@pytest.mark.parametrize(("where", "at_once", "n"), [("local", 4, 4), ("dask", 2, 6)])
def test_killed_search_of_four_trials_at_a_time_goes_on_with_a_whole_journal(
    files, where, at_once, n, tmp_path, request
):
    pytest.importorskip("optuna", reason="needs the extra search")
    executor = where if where == "local" else request.getfixturevalue("dask")
    out = tmp_path / "out"
    words = (files.recipe, "--trials", n, "--jobs", 4, "--threads", 1, "--epochs", 12)
    with experiment(executor, "search", *words, "--out", out) as process:
        until(lambda: len(list(out.glob("trials/*/seed-0/metrics.jsonl"))) >= at_once, PATIENCE)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
    assert not (out / "search.json").exists()
    before = {path: path.read_text() for path in out.glob("trials/*/seed-0/metrics.jsonl")}
    found = finished(executor, "search", *words, out=out)
    states = [one["state"] for one in found["trials"]]
    assert states.count("complete") + states.count("pruned") == n
    # Those that were running count as failed, others took their values up and went on.
    again = [one for one in found["trials"] if one["state"] == "fail"]
    assert len(again) == len(found["trials"]) - n <= 4
    kept = {json.dumps(one["values"]) for one in found["trials"] if one["state"] != "fail"}
    assert len(kept) == n
    assert {json.dumps(one["values"]) for one in again} <= kept
    for path, text in before.items():
        assert path.read_text().startswith(text)
    for line in (out / "study.journal").read_bytes().splitlines(keepends=True):
        assert line.endswith(b"\n")
        json.loads(line)
    more = call("experiment", "search", *words, "--out", out, "--json")
    assert more.json == found
