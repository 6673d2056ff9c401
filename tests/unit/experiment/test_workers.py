import fcntl
import os
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from eventsim import folders
from eventsim.errors import StorageError
from eventsim.experiment import run_all, workers
from eventsim.experiment.workers import THREAD_VARIABLES, Assignment, Capacity, employed
from eventsim.folders import LOCK, locked
from tests.unit.experiment.conftest import Watcher


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    for room in (folders, workers):
        monkeypatch.setattr(room, "POLL_SECONDS", 0.01)


class Cancellable(Executor):
    """As dask: a future never says that it runs, and can be cancelled while its work goes on."""

    def __init__(self):
        self.pool, self.inner = ThreadPoolExecutor(1), []

    def submit(self, fn, /, *args, **kwargs):
        future, inner = Future(), self.pool.submit(fn, *args, **kwargs)
        self.inner.append(inner)

        def hand_over(inner):
            if not inner.cancelled() and future.set_running_or_notify_cancel():
                future.set_result(inner.result())

        future.add_done_callback(lambda _: inner.cancel())
        inner.add_done_callback(hand_over)
        return future


def test_interrupt_waits_for_runs_whose_futures_could_be_cancelled(files, tmp_path):
    specs = files.resolve(seeds=(0,), epochs=100_000).specs()
    executor, watcher = Cancellable(), Watcher(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        run_all(specs, tmp_path / "out", watcher, executor=executor)
    assert [inner.done() for inner in executor.inner] == [True, True]
    assert watcher.begun == ["plain/seed-0"]
    assert {label: how.kind for label, how in watcher.ends.items()} == {"plain/seed-0": "stopped"}
    assert not (tmp_path / "out" / "skip").exists()


def test_future_that_its_executor_gave_up_is_a_failed_run(files, tmp_path, watcher):
    class Closed(Executor):
        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    specs = files.resolve(seeds=(0,), conditions=("plain",)).specs()
    ended = run_all(specs, tmp_path / "out", watcher, executor=Closed())
    assert ended["plain/seed-0"].kind == "failed"
    assert "the cluster was closed" in ended["plain/seed-0"].text
    assert "the cluster was closed" in (tmp_path / "out/plain/seed-0/error.txt").read_text()


def test_run_that_another_worker_has_is_waited_for_and_not_run_twice(files, tmp_path, watcher):
    specs = files.resolve(seeds=(0,), conditions=("plain",)).specs()
    out = tmp_path / "out"
    run = out / "plain" / "seed-0"
    run_all(specs, out, Watcher(), jobs=0)
    done, checkpoint = (run / "result.json").read_text(), (run / "checkpoint.npz").stat()
    (run / "result.json").unlink()
    with ThreadPoolExecutor(1) as pool:
        with locked(run):
            waiting = pool.submit(run_all, specs, out, watcher, jobs=0)
            time.sleep(0.2)
            assert not waiting.done()
            assert watcher.begun in ([], ["plain/seed-0"])
            (run / "result.json").write_text(done)  # the other worker comes to its end
        assert waiting.result()["plain/seed-0"].kind == "done"
    assert (run / "checkpoint.npz").stat() == checkpoint


def test_worker_that_waits_for_another_leaves_when_it_is_asked(files, tmp_path):
    specs, out = files.resolve(seeds=(0,)).specs(), tmp_path / "out"
    # The second run waits; the first one's epoch brings the interrupt.
    with locked(out / "skip" / "seed-0"), ThreadPoolExecutor(2) as pool:
        watcher = Watcher(stop_after=1)
        with pytest.raises(KeyboardInterrupt):
            run_all(specs, out, watcher, executor=pool)
    assert watcher.ends["skip/seed-0"].kind == "stopped"


def test_lock_says_who_has_the_folder_and_names_a_file_system_without_locks(tmp_path, monkeypatch):
    with locked(tmp_path, token="call"):
        token, who = (tmp_path / LOCK).read_text().splitlines()
        assert token == "call"
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(StorageError, match=f"another process works in this folder .{who}"),
        ):
            pool.submit(locked(tmp_path).__enter__).result()

    def refused(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(StorageError, match="file system cannot lock files .*Operation not"):
        locked(tmp_path).__enter__()


def test_worker_that_does_not_see_the_folder_says_so(tmp_path):
    root, elsewhere, ends = tmp_path / "out", tmp_path / "elsewhere", []

    class Moving(Executor):
        """As a worker on another machine."""

        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            root.rename(elsewhere)
            future.set_result(fn(*args, **kwargs))
            elsewhere.rename(root)
            return future

    with employed(root, Following(ends), Capacity(executor=Moving())) as working:
        working.submit([Assignment("key", root / "a", pytest.fail, [])])
        working.follow()
    (how,) = ends
    assert how.kind == "failed"
    assert f"there is no folder {root}. A worker on another machine must see it" in how.text
    assert not elsewhere.exists()


def test_value_of_the_work_comes_back_and_threads_are_one_with_an_executor(tmp_path):
    ends = []
    with (
        ThreadPoolExecutor(1) as pool,
        employed(tmp_path, Following(ends), Capacity(executor=pool)) as working,
    ):
        assert working.threads == 1
        working.submit([Assignment("key", tmp_path / "a", lambda folder, how: 0.5, [])])
        assert [(key, how.value) for key, how in working.follow()] == [("key", 0.5)]
    with employed(tmp_path, Following(ends), Capacity(jobs=0)) as working:
        assert working.threads is None


def test_workers_share_the_threads_that_this_process_would_have(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSIM_THREADS", "6")
    with employed(tmp_path, Following([]), Capacity(jobs=2)) as working:
        assert working.threads == 3
        assert {os.environ[name] for name in THREAD_VARIABLES} == {"3"}  # as they start with
    assert os.environ["EVENTSIM_THREADS"] == "6"


class Following:
    def __init__(self, ends):
        self.ends = ends

    def started(self, key):
        pass

    def advanced(self, key, metrics):
        pass

    def ended(self, key, how):
        self.ends.append(how)
