"""What a training run prints."""

import io

from rich.console import Console

from eventsim.cli.terminal import end_rows
from eventsim.train import TrainEvent
from eventsim.train.loggers import Progress
from eventsim.train.loop import skipped_text


def test_progress_prints_one_line_per_epoch_with_its_numbers():
    text = io.StringIO()
    metrics = {
        "loss": 0.5,
        "accuracy": 0.75,
        "validation_loss": 0.625,
        "validation_accuracy": 0.5,
        "rates": {"hidden1": 12.34},
        "seconds": 1.5,
    }
    with Progress(Console(file=text, width=160)) as show:
        show(TrainEvent("batch", 1, 1, 2, 1, metrics))
        show(TrainEvent("epoch", 1, 1, 2, 1, metrics))
        without = {k: v for k, v in metrics.items() if not k.startswith("validation")}
        more = {"silent": ["hidden1"], "skipped_steps": 3, "compile_seconds": 88.75}
        show(TrainEvent("epoch", 2, 1, 2, 12, {**without, **more}))
    lines = [
        line
        for line in text.getvalue().splitlines()
        if line.startswith("epoch") and "spikes" in line
    ]
    assert len(lines) == 2
    for part in ("0.5000", "75.00%", "50.00%", "0.6250", "hidden1 12.3", "1.5 s"):
        assert part in lines[0]
    assert "validation" not in lines[1]
    assert "silent: hidden1" in lines[1]
    assert "skipped steps: 3 of 12  1.5 s and 88.8 s of compiling" in lines[1]
    for part in ("silent", "skipped", "compiling"):
        assert part not in lines[0]


def test_steps_that_were_skipped_are_named_with_what_to_do():
    text = skipped_text({"epoch": 2, "skipped_steps": 3}, 12)
    assert text.startswith("epoch 2: 3 of 12 steps were skipped, since their gradients are not fin")
    assert "Lower the learning rate" in text
    assert end_rows({"skipped_steps": 0, "stopped_early": None}) == []
    assert end_rows({"skipped_steps": 3, "stopped_early": None}) == [
        ["steps skipped, gradient not finite", "3"]
    ]
