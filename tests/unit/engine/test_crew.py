"""Threads that share a call, with a kernel in Python in place of one."""

import ctypes
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, get_ident

import numpy as np
import pytest

from eventsim.compiled.library import Crew, Library, library_file

PART = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
KERNEL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class Call(ctypes.Structure):
    _fields_ = (
        ("todo", ctypes.POINTER(ctypes.c_int64)),
        ("n", ctypes.c_int64),
        ("n_blocks", ctypes.c_int64),
        ("watch", ctypes.c_int64),
        ("behind", ctypes.c_int64),
    )


@pytest.fixture
def own():
    """A library whose crews have lost no time yet: in Python they wait for its lock."""
    return Library(library_file())


def shared(own, crew, run, n_tasks, parts):
    """Let a crew run ``run(level, tasks)`` in parts of the tasks 100, 101, ..; what it returns."""

    def kernel(level, at):
        mine = Call.from_address(at)
        assert (mine.n_blocks, mine.behind) == (7, 8)
        return run(level, [mine.todo[k] for k in range(mine.n)])

    todo = np.arange(100, 100 + n_tasks)
    call = Call(todo.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), n_tasks, 7, 0, 8)
    made = KERNEL(kernel)
    address = ctypes.cast(made, ctypes.c_void_p)
    share = ctypes.CDLL(str(library_file())).eventsim_share
    share.argtypes = [
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int64,
        ctypes.c_int64,
    ]  # fmt: skip
    return share(crew, address, 3, ctypes.byref(call), ctypes.sizeof(call), parts)


def test_every_task_is_run_once_in_runs_that_are_even(own):
    seen = []
    for n in range(50):
        with own.crew(2 if n == 0 else 1) as crew:
            seen.clear()
            assert shared(own, crew, lambda level, mine: seen.append((level, mine)) or 0, 7, 3) == 0
            if n == 0:
                assert sorted(seen) == [(3, [100, 101]), (3, [102, 103]), (3, [104, 105, 106])]
            assert sorted(task for _, mine in seen for task in mine) == list(range(100, 107))


def test_parts_run_side_by_side(own):
    all_here = Barrier(3, timeout=60.0)
    who = set()
    with own.crew(2) as crew:
        shared(own, crew, lambda *_: who.add(get_ident()) or all_here.wait() * 0, 3, 3)
    assert len(who) == 3
    assert get_ident() in who


def test_who_calls_waits_for_the_others(own):
    done = []

    def run(_, mine):
        time.sleep(0.0 if get_ident() == caller else 0.05)
        done.append(mine)
        return 0

    caller = get_ident()
    for n in (1, 2, 3, 4):
        done.clear()
        with Library(library_file()).crew(3) as crew:
            shared(own, crew, run, n, n)
            assert len(done) == n


def test_who_calls_runs_all_where_nobody_comes(own):
    who = []
    crew = Crew(own._new_crew(), 0)
    assert shared(own, crew.address, lambda *_: who.append(get_ident()) or 0, 5, 5) == 0
    assert who == 5 * [get_ident()]


@pytest.mark.parametrize("bad", range(4))
def test_what_one_part_returns_is_returned(own, bad):
    with own.crew(3) as crew:
        assert shared(own, crew, lambda _, mine: 5 * (mine == [100 + bad]), 4, 4) == 5


def test_two_who_call_at_once_have_a_crew_each(own):
    both = Barrier(2, timeout=60.0)

    def run(k):
        with own.crew(1) as crew:
            both.wait()
            found = []
            for _ in range(20):
                shared(own, crew, lambda _, mine: found.extend(mine) or 0, k, 2)
            return crew, sorted(found)

    with ThreadPoolExecutor(2) as pool:
        (one, first), (other, second) = pool.map(run, (4, 9))
    assert one != other
    assert first == sorted(20 * list(range(100, 104)))
    assert second == sorted(20 * list(range(100, 109)))
    with own.crew(1) as crew:
        assert crew in (one, other)


def test_where_time_was_lost_who_calls_runs_all_alone_for_a_while(own):
    run, caller = ctypes.CDLL(str(library_file())).eventsim_crew_run, get_ident()
    run.argtypes = [ctypes.c_void_p, PART, ctypes.c_void_p, ctypes.c_int64]

    def together(crew, begin=lambda: None, wait=0.0):
        """Who has run the three parts of a work; the others lose so long, and much of it."""
        who, began = {}, time.monotonic()

        def part(_, p):
            who[p] = get_ident()
            begin()
            if get_ident() != caller:
                time.sleep(wait + (time.monotonic() - began))

        run(crew, PART(part), None, 3)
        assert sorted(who) == [0, 1, 2]
        return set(who.values())

    with own.crew(2) as crew:
        all_here = Barrier(3, timeout=60.0)
        for lost in (0.02, 0.01):
            assert len(together(crew, all_here.wait, lost)) == 3
            assert own._is_alone(crew)
            assert together(crew) == {caller}
            began = time.monotonic()
            assert shared(own, crew, lambda _, mine: len(mine), 5, 2) == 5  # in one part
            while own._is_alone(crew) and time.monotonic() - began < 60.0:
                time.sleep(0.01)
            assert 16 * lost < time.monotonic() - began < 60.0
