"""After a warm-up nothing is compiled, in no run and in no training."""

import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from multiprocessing import active_children

import numba
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.compiling import compiled_kernels
from eventsim.engine.cpu import compile as compiling
from eventsim.engine.cpu import queue_host
from eventsim.errors import BackendError, ParameterError
from eventsim.ranks import simulate_ranks
from eventsim.train import TrainConfig, train
from eventsim.train.loss_settings import IntegralLoss
from eventsim.warming import _side_by_side, warm_up
from tests.support.losses import SpikeTimes
from tests.support.nets import (
    lateral_net,
    random_net,
    random_stream,
    ring_net,
    with_adaptation,
)
from tests.unit.cli.conftest import call
from tests.unit.ranks.nets import balanced, noise
from tests.unit.train.task import first_spike_net, small_net, two_patterns


@pytest.fixture(scope="module")
def warmed():
    told = []
    found = warm_up("cpu", told=lambda done, total: told.append((done, total)))
    return found, told


NETS = [
    random_net(0),
    random_net(1, delays="none", self_delays="none"),
    random_net(2, sparse=True, delays="source"),
    lateral_net(3),
    lateral_net(4, delays="scalar", sparse=False),
    ring_net(5),
    *(with_adaptation(net) for net in (random_net(6), lateral_net(7), ring_net(8))),
]


@pytest.mark.thorough("warms up: runs every kernel there is")
@pytest.mark.parametrize("precision", ["double", "single"])
def test_nothing_is_compiled_by_a_run_after_a_warm_up(warmed, precision):
    before = compiled_kernels()
    for net in NETS:
        for n_samples in (1, 3):
            stream = random_stream(0, n_samples=n_samples)
            tape = es.simulate(net, stream, backend="cpu", precision=precision)
            es.backward(net, tape, SpikeTimes(*tape.names))
            es.readout_integral(net, tape, "output")
    for net in NETS[:6]:  # thresholds that adapt need a whole run
        chunks, loss = list(random_stream(0).chunks(30.0)), SpikeTimes(*net.spiking)
        es.backward_chunks(net, chunks, loss, backend="cpu", precision=precision)
    simulate_ranks(balanced(), noise(), precision=precision)
    assert compiled_kernels() == before


@pytest.mark.thorough("warms up: runs every kernel there is")
@pytest.mark.parametrize(
    "loss",
    [
        "cross_entropy",
        IntegralLoss(onset="first_event"),
        "cross_entropy_maximum",
        "cross_entropy_last",
        "first_spike",
    ],
    ids=["integral", "integral from the onset", "maximum", "last", "first spike"],
)
def test_nothing_is_compiled_by_training_after_a_warm_up(warmed, loss):
    before = compiled_kernels()
    net = first_spike_net() if loss == "first_spike" else small_net()
    config = TrainConfig(epochs=1, batch_size=8, loss=loss, train_delays=True, backend="cpu")
    train(net, two_patterns(20), config)
    assert compiled_kernels() == before


@pytest.mark.thorough("warms up: runs every kernel there is")
def test_loop_in_windows_of_several_parts_is_warm(warmed, monkeypatch):
    """A machine with more threads than the one that warmed up takes another kernel."""
    before, by_windows = compiled_kernels(), queue_host.by_windows
    in_parts = lambda job, prepared, windows: by_windows(job, prepared, windows, 3)  # noqa: E731
    monkeypatch.setattr(queue_host, "by_windows", in_parts)
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    es.simulate(lateral_net(3), random_stream(0), backend="cpu")
    assert compiled_kernels() == before


@pytest.mark.thorough("warms up: runs every kernel there is")
def test_second_warm_up_has_nothing_to_do(warmed):
    first, told = warmed
    assert told[-1][0] == told[-1][1]
    again = warm_up("cpu", told=lambda done, total: told.append((done, total)))
    assert again.compiled == ()
    assert told[-1] == (0, 0)
    assert again.folder == first.folder == compiling.kernel_folder()
    outcome = call("warm-up", "--json")
    (entry, *_) = json.loads(outcome.out)["backends"]
    assert entry["backend"] == "cpu"
    assert entry["compiled"] == []
    assert "cpu: nothing to do" in call("warm-up").out


def test_sources_of_another_age_are_as_warm_as_numba_takes_them(tmp_path, monkeypatch):
    """In a fresh container files have other times; from 0.68 on Numba goes by their content."""
    source = tmp_path / "kernel.py"
    source.write_text("one")
    monkeypatch.setattr(compiling, "sources", lambda: [source])
    monkeypatch.setattr(compiling, "_CACHE_FOLDER", str(tmp_path))
    first = compiling._warm_mark()
    os.utime(source, (1e9, 1e9))
    by_content = tuple(map(int, numba.__version__.split(".")[:2])) >= (0, 68)
    assert (compiling._warm_mark() == first) == by_content
    source.write_text("two")
    assert compiling._warm_mark() != first


@pytest.mark.thorough("warms up: runs every kernel there is")
def test_kernels_that_were_removed_are_noticed(warmed, tmp_path, monkeypatch):
    copy = tmp_path / "kernels"
    shutil.copytree(compiling.kernel_folder(), copy)
    monkeypatch.setattr(compiling, "_CACHE_FOLDER", str(copy))
    assert compiling.is_warm()
    # The folder may hold kernels of later runs besides.
    named = json.loads(compiling._warm_mark().read_text("utf-8"))
    (copy / next(name for name in named if name.endswith(".nbc"))).unlink()
    assert not compiling.is_warm()


@pytest.mark.thorough("warms up: runs every kernel there is")
def test_warm_up_of_one_precision(warmed, monkeypatch):
    monkeypatch.setattr(compiling, "is_warm", lambda: False)
    told = []
    found = warm_up("cpu", precision="single", told=lambda done, total: told.append((done, total)))
    assert found.compiled == ()
    assert told[-1] == (4, 4)
    assert "cpu: nothing to do" in call("warm-up", "--precision", "single").out
    with pytest.raises(BackendError, match="half"):
        warm_up("cpu", precision="half")


@pytest.mark.thorough("warms up: runs every kernel there is")
def test_no_kernel_is_left_out(warmed):
    """Other tests may have compiled it: a new process says what the steps did not reach."""
    script = """
from eventsim.engine.cpu import compile
from eventsim.warming import warm_up
compile.is_warm = lambda: False
warm_up("cpu")
print([k.py_func.__qualname__ for k in compile._LISTENER.kernels if not k.signatures])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_steps_are_taken_side_by_side_and_an_error_is_that_of_the_step():
    assert [*_side_by_side([partial(time.sleep, 0.0)] * 3, 2)] == [()] * 4
    assert [*_side_by_side([], None)] == []
    with pytest.raises(BackendError, match="Backend 'none' is unknown"):
        list(_side_by_side([partial(warm_up, "none")], 1))
    with pytest.raises(ParameterError, match="processes is 0, expected 1 or more"):
        warm_up("cpu", processes=0)


def test_interrupt_leaves_no_process_behind():
    steps = _side_by_side([partial(time.sleep, 60.0)] * 2, 2)
    began = time.monotonic()
    assert next(steps) == ()
    assert len(active_children()) == 2
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt())
    while active_children():
        assert time.monotonic() < began + 30.0
        time.sleep(0.01)


def test_reference_backend_has_nothing_to_compile():
    found = warm_up("reference")
    assert found.compiled == ()
    assert found.folder is None
