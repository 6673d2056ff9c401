import os
import signal
import stat
import sys
from concurrent.futures import wait
from unittest.mock import MagicMock

import pytest

from eventsim.errors import BackendError, ParameterError
from eventsim.experiment import executors, missing, open_executor, run_all
from eventsim.experiment.workers import LOCK
from tests.unit.experiment.conftest import Watcher

# As Slurm's: what stands after #SBATCH decides the jobs, and each runs the whole script.
SBATCH = """#!/bin/bash
[ -n "$REFUSE" ] && { echo "sbatch: error: invalid partition specified" >&2; exit 1; }
script=$(mktemp -p "$(dirname "$0")")
cp "$1" "$script"
export SLURM_JOB_ID=7 SLURM_ARRAY_JOB_ID=7 SLURM_NTASKS=1 SLURM_PROCID=0
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$script")
(
    sleep 0.5
    for SLURM_ARRAY_TASK_ID in $(seq 0 "$last"); do
        export SLURM_ARRAY_TASK_ID
        bash "$script"
    done
) > /dev/null 2>&1 &
echo "Submitted batch job 7"
"""
SRUN = """#!/bin/bash
while [ "${1#--}" != "$1" ]; do
    case $1 in --output | --error) shift 2 ;; *) shift ;; esac
done
exec "$@"
"""
SACCT = """#!/bin/bash
echo "JobID|State|NodeList"
"""
SCANCEL = """#!/bin/bash
echo "$@" >> "$(dirname "$0")/cancelled"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A stand-in of Slurm's commands, which executes the jobs of an array one after the other."""
    pytest.importorskip("submitit", reason="needs the extra slurm")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": SCANCEL}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(executors, "SLURM_POLL_SECONDS", 0.05)
    return folder


def refused(name, folder, words, error=ParameterError):
    with pytest.raises(error, match=words), open_executor(name, folder):
        pass


def test_local_has_no_executor(tmp_path):
    with open_executor("local", tmp_path) as executor:
        assert executor is None


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("dask://localhost:1", "distributed", "dask"),
        ("slurm", "submitit", "slurm"),
    ],
)
def test_missing_package_is_named_with_its_extra(name, package, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    told = rf"needs a package: pip install 'eventsim-snn\[{extra}\]' \(import failed: "
    refused(name, tmp_path, told, BackendError)


def test_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra dask")
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 0.2)
    told = "dask://127.0.0.1:9: no scheduler of dask answers there .*Start one: dask scheduler"
    refused("dask://127.0.0.1:9", tmp_path, told, BackendError)


@pytest.fixture
def workers(monkeypatch):
    """Threads of the workers of a cluster that is not there."""
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    found = {}

    class Client:
        def __init__(self, *_, **__):
            pass

        __enter__ = get_executor = MagicMock()
        __exit__ = MagicMock(return_value=None)

        def nthreads(self):
            return found

    monkeypatch.setattr(distributed, "Client", Client)
    return found


def test_worker_of_several_threads_is_refused_with_what_to_do(workers, tmp_path):
    workers |= {"tcp://a:1": 1, "tcp://b:2": 4}
    told = "worker tcp://b:2 has 4 threads, expected 1, .* dask worker --nthreads 1"
    refused("dask://host:1", tmp_path, told)


def test_cluster_without_workers_is_taken_and_told(workers, tmp_path, caplog):
    with open_executor("dask://host:1", tmp_path):
        assert "dask://host:1 has no worker yet" in caplog.text
    caplog.clear()
    workers["tcp://a:1"] = 1
    with open_executor("dask://host:1", tmp_path):
        assert caplog.text == ""


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("slurm_partitions=gpu", "Unknown argument 'partitions'"),
        ("timeout_min=long", '"timeout_min" expected type'),
        ("cluster=moon", "doesn't know any executor named moon"),
    ],
)
def test_parameter_that_submitit_does_not_know_is_refused(query, message, slurm, tmp_path):
    refused(f"slurm?{query}", tmp_path, message)


def test_slurm_where_there_is_none_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="needs the extra slurm")
    monkeypatch.setenv("PATH", str(tmp_path))
    refused("slurm", tmp_path, 'Could not detect "srun"', BackendError)


def test_runs_are_one_array_job_with_the_parameters_of_the_name(slurm, files, tmp_path):
    specs, out = files.resolve(seeds=(0,)).specs(), tmp_path / "out"
    name, watcher = "slurm?timeout_min=30&slurm_partition=gpu&mem_gb=1.5", Watcher()
    with open_executor(name, out, threads=2) as executor:
        ended = run_all(specs, out, watcher, threads=2, executor=executor)
    assert {label: how.kind for label, how in ended.items()} == {
        "plain/seed-0": "done", "skip/seed-0": "done"
    }  # fmt: skip
    assert missing(specs, out) == []
    assert watcher.epochs == 4
    (script,) = (out / ".slurm").glob("*_submission.sh")
    lines = script.read_text().splitlines()
    for option in ("array=0-1%2", "partition=gpu", "time=30", "cpus-per-task=2", "mem=1536MB"):
        assert f"#SBATCH --{option}" in lines
    # A job is a fresh process: its peak of memory is the run's.
    assert '"peak_mb": null' not in (out / "plain" / "seed-0" / "result.json").read_text()


def test_array_that_slurm_refuses_is_told(slurm, files, tmp_path, monkeypatch):
    monkeypatch.setenv("REFUSE", "1")
    specs, out = files.resolve(seeds=(0,)).specs(), tmp_path / "out"
    expected = pytest.raises(
        BackendError, match="slurm: does not take the jobs: .*invalid partition"
    )
    with expected, open_executor("slurm", out) as executor:
        run_all(specs, out, Watcher(), executor=executor)


def test_cancelled_future_cancels_its_job(slurm, tmp_path):
    with open_executor("slurm", tmp_path) as executor:
        with executor.batch():
            futures = [executor.submit(abs, -1), executor.submit(abs, -2)]
        assert futures[1].cancel()
        assert wait(futures, 20).not_done == set()
        assert futures[0].result() == 1
    assert (slurm / "cancelled").read_text().split() == ["7_1"]


class Killer(Watcher):
    """Kills the process of a run after its first epoch."""

    def __init__(self, root):
        super().__init__()
        self.root = root

    def advanced(self, spec, metrics):
        if not self.epochs:
            lock = (self.root / spec.label / LOCK).read_text()
            os.kill(int(lock.split()[-1]), signal.SIGKILL)
        super().advanced(spec, metrics)


@pytest.mark.thorough("starts two jobs of submitit, each two processes")
def test_killed_job_is_a_failed_run_which_then_goes_on(files, tmp_path, monkeypatch):
    core = pytest.importorskip("submitit.core.core", reason="needs the extra slurm")
    monkeypatch.setattr(core.Job, "_results_timeout_s", 1)  # a slow file system has 15 s
    monkeypatch.setattr(executors, "SLURM_POLL_SECONDS", 0.05)
    endless = files.resolve(seeds=(0,), conditions=("plain",), epochs=100_000).specs()
    out = tmp_path / "out"
    history = out / "plain" / "seed-0" / "metrics.jsonl"
    with open_executor("slurm?cluster=local", out) as executor:
        ended = run_all(endless, out, Killer(out), executor=executor)
        assert ended["plain/seed-0"].kind == "failed"
        assert "its process died" in ended["plain/seed-0"].text
        assert "has not produced any output" in (out / "plain/seed-0/error.txt").read_text()
        before = history.read_text()
        going_on = Watcher(stop_after=len(before.splitlines()) + 1)
        with pytest.raises(KeyboardInterrupt):
            run_all(endless, out, going_on, executor=executor)
    assert going_on.ends["plain/seed-0"].kind == "stopped"
    assert history.read_text().startswith(before)


def test_error_of_a_job_is_that_of_its_future(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="needs the extra slurm")
    monkeypatch.setattr(executors, "SLURM_POLL_SECONDS", 0.05)
    with open_executor("slurm?cluster=local", tmp_path) as executor:
        error = executor.submit(abs, "text").exception(20)
    assert "TypeError" in str(error)


def test_function_that_is_queued_again_keeps_its_arguments():
    pytest.importorskip("submitit", reason="needs the extra slurm")
    again = executors._Requeued(max).checkpoint(1, 3, key=abs)
    assert again.result() == 3
    assert again.function == executors._Requeued(max)
