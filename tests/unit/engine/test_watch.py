"""Long calls of loops: they say how far they are, and end at once when something is raised."""

import ctypes
import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import scipy.sparse as sp
from rich.console import Console

import eventsim as es
from eventsim import processors, progress
from eventsim.compiled.library import Library, library, watch, watched
from eventsim.engine.run import watch as shown_runs
from tests.support.cpu_runs import LEAST_SHARED

SIZE = 300  # neurons: several parts of a window
AGES = 1e9  # ms of a run that nobody waits for

# By the call of its kernel: the neuron, whether all synapses are there, and the delay in ms; None
# for one of each synapse.
LOOPS = {
    "LoopSums": (None, False, 1.0),
    "LoopSums of flights": (None, False, None),
    "LoopStretches": (None, True, 1.0),
    "QueueForward": (None, True, 0.0),
    "LinearForward": (es.AdLIF(a=0.5, b=0.2), False, 0.0),
    "LinearLoopForward": (es.AdLIF(a=0.5, b=0.2), True, 1.0),
}
each_loop = pytest.mark.parametrize("kernel", LOOPS)


class Stopped(Exception):
    """Raised by who watches."""


def loop(kernel):
    """Neurons that fire by themselves, and tell each other."""
    neuron, dense, delay = LOOPS[kernel]
    rng = np.random.default_rng(3)
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("a", SIZE, neuron=neuron, v_leak=rng.uniform(1.5, 2.5, SIZE))
    net.connect("input", "a", rng.uniform(0.0, 0.5, (2, SIZE)))
    weights = rng.uniform(0.0, 1e-3, (SIZE, SIZE))
    weights = weights if dense else sp.csr_array(weights * (rng.random((SIZE, SIZE)) < 0.1))
    if delay is None:
        given = {"delays": rng.uniform(1.0, 5.0, weights.nnz), "delays_of": "synapse"}
    else:
        given = {"delays": delay}
    net.connect("a", "a", weights, **given)
    return net


def stream(*durations):
    times, channels = [0.5, 1.5], [0, 1]
    samples = [(times, channels)] * len(durations)
    return es.EventStream.from_samples(samples, n_channels=2, duration=np.array(durations))


class Recorder:
    """Notes how far a run is; raises the third time that it has got further."""

    def __init__(self):
        self.done, self.seen = ctypes.c_double(), [0.0]

    def look(self):
        if self.done.value != self.seen[-1]:
            self.seen.append(self.done.value)
        if len(self.seen) == 4:
            raise Stopped


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request, monkeypatch):
    before = processors.n_threads()
    for module, name in LEAST_SHARED:
        monkeypatch.setattr(module, name, 1)
    processors.set_threads(request.param)
    yield request.param
    processors.set_threads(before)


@contextmanager
def stopping():
    """What runs within is stopped while it runs, when it has got further three times."""
    recorder = Recorder()
    with pytest.raises(Stopped), watched(recorder):
        yield
    assert recorder.seen == sorted(recorder.seen)
    assert 0.0 < recorder.seen[-1] < AGES


def bits(tape):
    return [np.concatenate([getattr(tape["a"], name) for name in ("times", "neurons")])]


@each_loop
def test_loop_stops_and_the_next_run_has_the_same_bits(kernel, threads, monkeypatch):
    calls, run = set(), Library.run

    def noted(own, call, *given, **named):
        calls.add(type(call).__name__)
        run(own, call, *given, **named)

    monkeypatch.setattr(Library, "run", noted)
    net, seconds = loop(kernel), stream(40.0, 25.0, 60.0)
    expected = es.simulate(net, seconds, backend="cpu")
    seeds = {"a": np.cos(np.arange(len(expected["a"])))}
    gradients = es.backward(net, expected, seeds).flat()
    assert kernel.split()[0] in calls
    for durations in ((AGES,), (AGES, 30.0), (2.0, AGES, 30.0, AGES)):
        with stopping():
            es.simulate(net, stream(*durations), backend="cpu")
    again = es.simulate(net, seconds, backend="cpu")
    assert np.array_equal(bits(again), bits(expected))
    back = es.backward(net, again, seeds).flat()
    assert all(np.array_equal(back[key], gradients[key]) for key in gradients)


@each_loop
def test_chunk_that_was_stopped_can_be_run_again(kernel, threads):
    net, whole = loop(kernel), stream(60.0)
    first, second = whole.chunks(30.0)
    _, state = es.simulate_chunk(net, first, backend="cpu")
    expected, _ = es.simulate_chunk(net, second, state, backend="cpu")
    with stopping():
        es.simulate_chunk(net, es.EventStream([], [], [0, 0], n_channels=2, duration=AGES), state)
    again, _ = es.simulate_chunk(net, second, state, backend="cpu")
    assert np.array_equal(bits(again), bits(expected))


@each_loop
def test_run_says_all_of_it_also_where_spikes_found_no_room(kernel, threads, monkeypatch):
    from eventsim.engine.contract import table
    from eventsim.engine.cpu import layer

    monkeypatch.setattr(table, "GUESS_HZ", 0.0)
    monkeypatch.setattr(layer, "GUESS_LEAST", 1)
    net, seen = loop(kernel), Recorder()
    seen.look = lambda: None
    with watched(seen):
        es.simulate(net, stream(60.0, 25.0), backend="cpu")
    assert seen.done.value == pytest.approx(85.0)


# By the call of the way back: that of its loop, and seconds of which it takes some half a second.
WAYS_BACK = {
    "QueueBackward": ("LoopSums of flights", 30.0),
    "LinearBackward": ("LinearForward", 4.0),
    "LinearLayerBackward": ("LinearLoopForward", 20.0),
}


@pytest.mark.parametrize("kernel", WAYS_BACK)
def test_way_back_stops_and_the_next_one_has_the_same_bits(kernel, monkeypatch):
    name, seconds = WAYS_BACK[kernel]
    net, own, calls = loop(name), library(), []
    run, start = own._run, own.run

    def noted(call, *given, **named):
        calls.append(type(call).__name__)
        start(call, *given, **named)
        calls.append("")

    tape = es.simulate(net, stream(1e3 * seconds), backend="cpu")
    few = es.simulate(net, stream(60.0), backend="cpu")
    seeds = {"a": np.cos(np.arange(len(few["a"])))}
    expected = es.backward(net, few, seeds).flat()
    inside = []
    monkeypatch.setattr(own, "run", noted)
    monkeypatch.setattr(own, "_run", lambda *a: (inside.append(1), run(*a), inside.clear())[1])
    stopper = Recorder()

    def look():
        if inside and calls[-1] == kernel:
            raise Stopped

    stopper.look = look
    with pytest.raises(Stopped), watched(stopper):
        es.backward(net, tape, {"a": np.ones(len(tape["a"]))})
    inside.clear()
    found = es.backward(net, few, seeds).flat()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


# --- Signals -------------------------------------------------------------------------------------

CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import eventsim as es
from eventsim import processors
from tests.unit.engine import test_watch
for module, name in test_watch.LEAST_SHARED:
    setattr(module, name, 1)
processors.set_threads(int(sys.argv[1]))
for kernel in test_watch.LOOPS:
    net = test_watch.loop(kernel)
    es.simulate(net, test_watch.stream(20.0), backend="cpu")
    print("runs", flush=True)
    try:
        es.simulate(net, test_watch.stream(test_watch.AGES, 10.0), backend="cpu")
    except KeyboardInterrupt:
        print(kernel, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize("n_threads", [1, 3])
def test_interrupt_is_answered_at_once(n_threads):
    words, waited = [sys.executable, "-c", CHILD, str(n_threads)], []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            for kernel in LOOPS:
                assert child.stdout.readline() == "runs\n"
                time.sleep(0.3)
                os.kill(child.pid, signal.SIGINT)
                began = time.monotonic()
                assert child.stdout.readline() == f"{kernel}\n"
                waited.append(time.monotonic() - began)
            assert child.wait(60.0) == 0
        finally:
            child.kill()
    assert max(waited) < 2.0  # some 0.1 s where nothing else runs


def test_handler_that_does_not_raise_lets_the_run_go_on():
    noted, net = [], loop("LoopSums")
    before = signal.signal(signal.SIGINT, lambda *_: noted.append("one"))
    try:
        recorder = Recorder()
        look = recorder.look
        recorder.look = lambda: (noted or signal.raise_signal(signal.SIGINT), look())
        with pytest.raises(Stopped), watched(recorder):
            es.simulate(net, stream(AGES), backend="cpu")
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == ["one"]


# --- What is shown -------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch):
    """What is written to a terminal that shows bars at once."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, force_jupyter=False, width=80)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    monkeypatch.setattr(shown_runs, "PATIENCE", 0.0)
    return written


def test_long_run_shows_how_far_it_is(terminal, monkeypatch):
    shares, update = [], progress._Bars.update

    def note(bars, task, *, completed):
        update(bars, task, completed=completed)
        shares.append(bars.tasks[task].percentage)
        assert progress.are_shown()
        if len(shares) == 4:
            raise Stopped

    monkeypatch.setattr(progress._Bars, "update", note)
    with pytest.raises(Stopped):
        es.simulate(loop("LoopSums"), stream(AGES), backend="cpu")
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < shares[-1] < 100.0
    assert "simulating" in terminal.getvalue()
    assert not progress.are_shown()


def test_nothing_is_shown_before_long(terminal, monkeypatch):
    monkeypatch.setattr(shown_runs, "PATIENCE", 3.0)
    recorder, began = Recorder(), time.monotonic()
    monkeypatch.setattr(shown_runs, "watch", lambda: None)

    def look(bar):
        if time.monotonic() - began > 0.5:
            raise Stopped
        recorder.seen.append(bar.done.value)
        return real(bar)

    real = shown_runs._Bar.look
    monkeypatch.setattr(shown_runs._Bar, "look", look)
    with pytest.raises(Stopped):
        es.simulate(loop("LoopSums"), stream(AGES), backend="cpu")
    assert len(recorder.seen) > 1
    assert terminal.getvalue() == ""


def test_nothing_is_shown_in_another_thread_or_beside_other_bars_or_in_a_pipe(
    terminal, monkeypatch
):
    def short():
        es.simulate(loop("LoopSums"), stream(40.0), backend="cpu")
        return watch()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(short).result() is None
    assert terminal.getvalue() == ""
    other = Console(file=io.StringIO(), force_terminal=True, force_jupyter=False)
    with progress.bars("other", console=other):
        short()
    assert terminal.getvalue() == ""
    short()
    assert "simulating" in terminal.getvalue()
    pipe = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_: Console(file=pipe))
    short()
    assert pipe.getvalue() == ""
    assert not progress.are_shown()


def test_run_by_pieces_is_shown_as_a_whole(monkeypatch):
    from eventsim.engine.run import simulation

    totals, bar = [], shown_runs._Bar
    monkeypatch.setattr(simulation, "MOST", 100)
    monkeypatch.setattr(shown_runs, "_Bar", lambda total: totals.append(bar(total)) or totals[-1])
    net = loop("LoopSums")
    es.simulate(net, es.poisson([50.0, 20.0], duration=10_000.0, seed=1), backend="cpu")
    (one,) = totals
    assert one.done.value == pytest.approx(10_000.0)
