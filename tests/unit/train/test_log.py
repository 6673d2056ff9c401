"""The log of a run: plain lines, few of them, whatever ends the run."""

import re

import pytest

import eventsim as es
from eventsim.errors import StorageError
from eventsim.train import TrainEvent, log

METRICS = {"loss": 0.5, "accuracy": 0.75}
VALIDATED = METRICS | {"validation_accuracy": 0.625, "validation_loss": 0.4}


@pytest.fixture
def clock(monkeypatch):
    """Seconds, in a list that tests change."""
    now = [100.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    return now


def events(clock, *, first=1, epochs=2, batches=10, seconds=4.0):
    """Batches of some seconds each, and the ends of their epochs."""
    for epoch in range(first, epochs + 1):
        for batch in range(1, batches + 1):
            clock[0] += seconds
            yield TrainEvent("batch", epoch, batch, epochs, batches, METRICS)
        yield TrainEvent("epoch", epoch, batches, epochs, batches, VALIDATED)


def written(path, events, **options):
    with es.loggers.LogFile(path, **options) as show:
        for event in events:
            show(event)
    return path.read_text().splitlines()


def test_lines_tell_time_place_loss_accuracy_and_what_is_left(tmp_path, clock):
    lines = written(tmp_path / "new" / "a.log", events(clock))
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "
    assert all(re.match(stamp, line) for line in lines)
    said = [re.sub(stamp, "", line) for line in lines]
    assert said[0] == "training begins: epoch 1/2, 10 batches an epoch"
    # Of 20 batches of 4 s nine are done 32 s after the first one.
    assert said[1] == "epoch 1/2  batch 9/10  loss 0.5000  accuracy 75.00%  left 0:00:44"
    numbers = "loss 0.5000  accuracy 75.00%  validation 62.50%"
    assert said[2] == f"epoch 1/2  done  {numbers}  left 0:00:40"
    assert said[-2:] == [f"epoch 2/2  done  {numbers}  left 0:00:00", "training ends"]


def test_lines_within_an_epoch_are_rare_and_every_epoch_has_one(tmp_path, clock):
    lines = written(tmp_path / "a.log", events(clock, batches=500, seconds=0.5), period=60.0)
    within = [line for line in lines if "batch " in line]
    assert len(within) == 2 * (500 * 0.5) // 60
    assert sum("done" in line for line in lines) == 2


def test_a_resumed_run_adds_to_the_file_and_counts_its_own_time(tmp_path, clock):
    path = tmp_path / "a.log"
    before = written(path, events(clock, epochs=1))
    lines = written(path, events(clock, first=2, epochs=3, seconds=1.0))
    assert lines[: len(before)] == before
    assert "training begins: epoch 2/3" in lines[len(before)]
    assert next(line for line in lines if "epoch 2/3  done" in line).endswith("left 0:00:10")


def test_a_run_that_is_stopped_says_so(tmp_path, clock):
    def stopped():
        yield next(events(clock))
        raise KeyboardInterrupt

    path = tmp_path / "a.log"
    with pytest.raises(KeyboardInterrupt):
        written(path, stopped())
    assert path.read_text().splitlines()[-1].endswith("stopped by KeyboardInterrupt")


def test_a_run_that_does_not_begin_writes_nothing(tmp_path):
    path = tmp_path / "a.log"
    with pytest.raises(ValueError, match="no"), es.loggers.LogFile(path):
        raise ValueError("no")
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StorageError, match="is a folder, expected the file of a log"):
        es.loggers.LogFile(tmp_path)
    (tmp_path / "file").write_text("")
    show = es.loggers.LogFile(tmp_path / "file" / "a.log")
    with pytest.raises(StorageError, match=r"a\.log: the log cannot be written .* by --log"):
        show(TrainEvent("batch", 1, 1, 1, 1, METRICS))
