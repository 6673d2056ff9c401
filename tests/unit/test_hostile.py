"""A small part of what ``python -m tests.support.hostile`` does in minutes."""

import time

import pytest
from hypothesis import settings

from tests.support.hostile.__main__ import cases_of, run_files, run_networks
from tests.support.hostile.kinds import KINDS
from tests.support.hostile.networks import SHAPES
from tests.support.hostile.worker import BAD, Case, Worker, judged

SLOW = ("run.json", "result.json", "metrics", "results", "plan")  # to make


def failures(run, cases):
    found = []
    run(cases, found.append, jobs=1)
    assert len(found) == len(cases)
    return [f"{one.what} {one.case}: {one.detail}" for one in found if one.what in BAD]


def test_damaged_files_of_all_kinds_are_read_or_refused_in_time_and_in_memory():
    of_each = 2 + settings().max_examples // 12  # 2, 6 and 18: of a tier
    names = [name for name in KINDS if name not in SLOW]
    assert failures(run_files, cases_of(names, of_each * len(names), seed=5)) == []


@pytest.mark.nightly("5,000 files; six of each kind that is quickly made are read every time")
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files_are_read_or_refused(kind):
    assert failures(run_files, cases_of([kind], 5000 // len(KINDS), seed=6)) == []


def test_random_networks_give_the_same_on_every_backend():
    assert failures(run_networks, cases_of(SHAPES, len(SHAPES), seed=5)) == []


@pytest.mark.nightly("2,000 networks; one of each shape is drawn every time")
@pytest.mark.parametrize("part", range(20))
def test_many_random_networks_give_the_same_on_every_backend(part):
    assert failures(run_networks, cases_of(SHAPES, 100, seed=6, first=100 * part)) == []


def test_a_case_is_the_same_whenever_it_is_drawn():
    draws = [Case("stream", 3, 1).rng().random(3).tolist() for _ in range(2)]
    assert draws[0] == draws[1] != Case("stream", 4, 1).rng().random(3).tolist()


def test_what_is_no_error_of_eventsim_is_a_failure():
    def broken(case):
        raise KeyError("x")

    what, detail = judged(broken, Case("stream", 0, 0))
    assert what == "traceback"
    assert detail.startswith("KeyError: 'x'")


def serve_slowly(pipe, seconds):
    """A worker whose case takes some time: number 0 waits, number 1 computes."""
    pipe.send("ready")
    clock = (time.monotonic, time.process_time)[pipe.recv().number]
    end = clock() + seconds
    while clock() < end:
        time.sleep(0.01 * (clock is time.monotonic))
    pipe.send(("accepted", ""))


@pytest.mark.thorough("starts three processes")
def test_a_case_hangs_by_what_it_computes_and_not_by_what_it_waits_for():
    for number, what in enumerate(("accepted", "hang")):
        worker = Worker(serve_slowly, (1.5,), 0.5)
        worker.begin(Case("stream", number, 0))
        while (outcome := worker.outcome()) is None:
            time.sleep(0.01)
        worker.end()
        assert outcome.what == what
