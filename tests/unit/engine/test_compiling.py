"""Time of compiling: counted apart from that of what is computed, in all places that show it."""

import pytest

from eventsim.cli.train import _time_rows
from eventsim.engine.contract import compiling
from eventsim.report.page import _time_of, _times
from eventsim.report.record import RunRecord
from eventsim.train import Exact, TrainConfig, train
from tests.unit.train.task import small_net, two_patterns


class CompilesFor(Exact):
    """Exact time, with kernels that take 100 s to compile in each forward pass, in no time."""

    def forward(self, *args, **options):
        compiling.note_compiled(100.0)
        return super().forward(*args, **options)


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


@pytest.mark.parametrize(
    ("history", "seconds", "compiling", "shown"),
    [
        (
            [{"seconds": 2.0, "compile_seconds": 88.75}, {"seconds": 3.0, "compile_seconds": 0.0}],
            5.0,
            88.75,
            {"training time, without compiling": "5.0 s", "compiling of kernels": "88.8 s"},
        ),
        ([{"seconds": 5.0, "compile_seconds": 0.0}], 5.0, 0.0, {"training time": "5.0 s"}),
    ],
    ids=["on a GPU the first time", "without compiling"],
)
def test_page_and_terminal_say_what_compiling_took_where_it_took_any(
    history, seconds, compiling, shown
):
    found = record(history)
    assert (found.seconds, found.compile_seconds) == (seconds, compiling)
    assert _times(found) == shown
    rows = _time_rows({"training_seconds": seconds, "compile_seconds": compiling})
    assert rows == [list(row) for row in shown.items()]
    apart = {0.0: "", 88.75: " and 88.8 s compiling"}
    assert _time_of(found) == f"{seconds:.1f} s{apart[compiling]}"
