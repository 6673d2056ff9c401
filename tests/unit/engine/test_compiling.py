"""Time of compiling: counted apart from that of what is computed, in all places that show it."""

import time
from dataclasses import replace

from eventsim.cli.train import _time_rows
from eventsim.engine import compiling
from eventsim.engine.cpu import compile as cpu
from eventsim.report.page import _times
from eventsim.report.record import RunRecord
from eventsim.train import Exact, TrainConfig, train
from tests.unit.train.task import small_net, two_patterns


class CompilesFor(Exact):
    """Exact time, with kernels that take 100 s to compile in each forward pass, in no time."""

    def forward(self, *args, **options):
        compiling.note_compiled(100.0)
        return super().forward(*args, **options)


def test_a_kernel_that_is_compiled_takes_its_time_once(monkeypatch):
    monkeypatch.setattr(cpu, "_CACHE_FOLDER", None)

    def twice(x):
        return 2.0 * x

    kernel = cpu.sequential_kernel(twice)
    before, began = compiling.compile_seconds(), time.perf_counter()
    assert kernel(2.0) == 4.0
    whole = time.perf_counter() - began
    found = compiling.compile_seconds() - before
    assert 0.0 < found <= whole
    assert kernel(3.0) == 6.0
    assert compiling.compile_seconds() - before == found


def test_a_watch_stands_still_while_kernels_are_compiled(monkeypatch):
    clock = [10.0]
    monkeypatch.setattr(compiling.time, "perf_counter", lambda: clock[0])
    watch = compiling.Watch()
    clock[0] += 7.0
    compiling.note_compiled(5.0)
    assert watch.seconds() == 2.0


def test_epochs_tell_compiling_apart(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(compiling.time, "perf_counter", lambda: clock[0])
    note = compiling.note_compiled

    def compiled(seconds):
        clock[0] += seconds
        note(seconds)

    monkeypatch.setattr(compiling, "note_compiled", compiled)
    config = TrainConfig(
        epochs=2, batch_size=16, validation_fraction=0.25, calibrate=0.0, initial_logits=0.0,
        bip=(), backend="reference", precision="double",
    )  # fmt: skip
    found = train(small_net(), two_patterns(32), config, method=CompilesFor())
    # Two batches of training and one of validation.
    assert [line["compile_seconds"] for line in found.history] == [300.0, 300.0]
    assert [line["seconds"] for line in found.history] == [0.0, 0.0]


def record(history):
    data, net = two_patterns(4), small_net()
    return RunRecord(
        title="", net_before=net, net_after=net, test=data, last=None, config=TrainConfig(),
        history=history,
    )  # fmt: skip


def test_page_and_terminal_say_of_old_runs_that_compiling_is_included():
    new = record(
        [{"seconds": 2.0, "compile_seconds": 88.75}, {"seconds": 3.0, "compile_seconds": 0.0}]
    )
    old = replace(new, history=[{"seconds": 90.75}, *new.history[1:]])
    assert (new.seconds, new.compile_seconds, old.compile_seconds) == (5.0, 88.75, None)
    assert _times(new) == {
        "training time, without compiling": "5.0 s", "compiling of kernels": "88.8 s",
    }  # fmt: skip
    assert _times(old) == {"training time, compiling included": "93.8 s"}
    shown = {"training_seconds": 5.0, "compile_seconds": 88.75}
    assert _time_rows(shown) == [list(row) for row in _times(new).items()]
    shown = {"training_seconds": 93.75, "compile_seconds": None}
    assert _time_rows(shown) == [list(row) for row in _times(old).items()]
