"""Number of threads of the cpu backend, and how tasks are shared out to them."""

import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from eventsim import processors
from eventsim.engine.cpu import threads, window_host
from eventsim.errors import ParameterError
from eventsim.processors import n_processors


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """Neither a variable nor a call has said a number."""
    for name in ("EVENTSIM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processors, "_chosen", None)


def test_threads_are_those_of_the_call_then_of_the_variable_then_of_the_processors(monkeypatch):
    monkeypatch.setattr("eventsim.processors.n_processors", lambda: 3)
    assert processors.n_threads() == 3
    monkeypatch.setenv("EVENTSIM_THREADS", "5")  # may be more than processors
    assert processors.n_threads() == 5
    processors.set_threads(7)
    assert processors.n_threads() == 7
    with ThreadPoolExecutor(1) as other:
        assert other.submit(processors.n_threads).result() == 7


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors are not chosen here")
def test_processors_are_those_that_the_process_may_use():
    may = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(may)})
    try:
        assert n_processors() == processors.n_threads() == 1
    finally:
        os.sched_setaffinity(0, may)
    assert n_processors() == len(may)


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", "1025"])
def test_what_is_no_number_of_threads_is_refused_by_the_name_of_the_variable(monkeypatch, wrong):
    monkeypatch.setenv("EVENTSIM_THREADS", wrong)
    expected = f"^EVENTSIM_THREADS is {wrong}, expected a whole number from 1 to 1024.$"
    with pytest.raises(ParameterError, match=expected):
        processors.n_threads()
    with pytest.raises(ParameterError, match="^threads is 0, expected a whole number from 1 to"):
        processors.set_threads(0)


def test_variable_of_numba_is_heeded_with_a_warning_unless_that_of_eventsim_is_set(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "4")
    with pytest.warns(FutureWarning, match=r"NUMBA_NUM_THREADS is '4'.*Set EVENTSIM_THREADS"):
        assert processors.n_threads() == 4
    monkeypatch.setenv("EVENTSIM_THREADS", "2")
    assert processors.n_threads() == 2
    monkeypatch.delenv("EVENTSIM_THREADS")
    processors.set_threads(3)
    assert processors.n_threads() == 3


def job_of(n_events):
    """As much of a job as its work is counted by: two neurons, one source."""
    stage = SimpleNamespace(population=SimpleNamespace(size=2))
    return SimpleNamespace(stage=stage, sources=[SimpleNamespace(times=np.zeros(n_events))])


def test_small_job_runs_on_one_thread_and_leaves_other_runs_as_they_are():
    processors.set_threads(4)
    small, large = job_of(threads.SMALL_WORK // 2 - 1), job_of(threads.SMALL_WORK // 2)
    with threads.threads_for(small), ThreadPoolExecutor(1) as other:
        assert processors.n_threads() == 1
        assert other.submit(processors.n_threads).result() == 4
        with threads.threads_for(large):
            assert processors.n_threads() == 1
        assert processors.n_threads() == 1
    with threads.threads_for(large):
        assert processors.n_threads() == 4
    assert processors.n_threads() == 4


def test_call_that_goes_through_few_events_takes_one_thread():
    processors.set_threads(4)
    assert processors.threads_through(processors.SMALL_EVENTS - 1) == 1
    assert processors.threads_through(processors.SMALL_EVENTS) == 4


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("n_tasks", [0, 1, 7, 8, 32, 33])
def test_every_task_is_dealt_once_and_runs_of_them_are_even(n, n_tasks):
    processors.set_threads(n)
    work = np.random.default_rng(0).permutation(np.arange(100, 100 + n_tasks))
    order = threads.dealt(work)
    assert sorted(order) == list(range(n_tasks))
    if n > 1 and n_tasks > n and n_tasks % n == 0:
        shares = work[order].reshape(n, -1).sum(axis=1)
        assert shares.max() <= 1.02 * shares.mean()


def test_loop_shares_a_window_by_what_arrives_from_outside_and_by_its_neurons():
    assert window_host.parts_for(met=0.0, size=1_000, most=4) == 1
    assert window_host.parts_for(met=3.0 * window_host.PART_EVENTS, size=1_000, most=4) == 3
    # The cortical microcircuit, driven by a current alone.
    assert window_host.parts_for(met=0.0, size=77_169, most=2) == 2
