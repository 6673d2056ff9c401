"""What a training run prints."""

import io

from rich.console import Console

from eventsim.train import TrainEvent
from eventsim.train.loggers import Progress


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
        show(TrainEvent("epoch", 2, 1, 2, 1, {**without, "silent": ["hidden1"]}))
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
    assert "silent" not in lines[0]
