"""One of the processes that tests/parallel/test_processes.py starts: what each is to live through.

Usage: python -m tests.parallel.worker FOLDER SCENARIO ..; writes FOLDER/RANK.json.
"""

import json
import os
import signal
import sys
from pathlib import Path

from eventsim.train import (
    Augmentation,
    LearningRates,
    TrainConfig,
    connect,
    evaluate,
    loop,
    train,
)
from tests.unit.train.task import small_net, two_patterns

CONFIG = TrainConfig(
    epochs=2,
    batch_size=11,
    shards=6,
    seed=3,
    validation_fraction=0.3,
    rates=LearningRates(weights=2e-2, taus=2e-2, intrinsic=1e-2, delays=2e-2),
    train_delays=True,
    rate_low=20.0,
    rate_high=40.0,
    rate_strength=1e-3,
    silent_lift=1e-2,
    augmentation=Augmentation(time_scale=0.1, time_shift=3.0, drop=0.05, jitter=0.5),
    backend="cpu",
    checkpoint_every=2,
)
N_SAMPLES = 64


def quiet_net():
    """One of its neurons is silent at first, so that its weights are lifted."""
    net = small_net()
    net.projections["input->hidden1"].weights[:, 0] = 0.1
    return net


def run(folder, group=None, **options):
    """The run that all tests compare."""
    return train(quiet_net(), two_patterns(N_SAMPLES), CONFIG, folder, group=group, **options)


def at_batch(number, act):
    """Call ``act`` before the batch of that number of the run; returns what undoes it."""
    original, seen = loop.train_batch, []

    def train_batch(*args, **options):
        seen.append(None)
        if len(seen) == number:
            act()
        return original(*args, **options)

    loop.train_batch = train_batch
    return lambda: setattr(loop, "train_batch", original)


def fail():
    raise RuntimeError("the card fell off the bus")


def straight(folder, group):
    run(folder / "straight", group)
    return "done"


def evaluated(folder, group):
    found = evaluate(quiet_net(), two_patterns(N_SAMPLES), CONFIG, group=group)
    return [found.loss, found.accuracy, found.confusion.tolist()]


def stopped(folder, group):
    undo = at_batch(6, lambda: group.rank == 1 and signal.raise_signal(signal.SIGINT))
    try:
        return run(folder / "stopped", group)
    finally:
        undo()


def terminated(folder, group):
    undo = at_batch(6, lambda: group.rank == 0 and signal.raise_signal(signal.SIGTERM))
    try:
        return run(folder / "terminated", group)
    finally:
        undo()


def resumed(folder, group):
    run(folder / "stopped", group, resume=True)
    return "done"


def failed(folder, group):
    undo = at_batch(3, lambda: group.rank == 1 and fail())
    try:
        return run(folder / "failed", group)
    finally:
        undo()


def killed(folder, group):
    at_batch(3, lambda: group.rank == 1 and os.kill(os.getpid(), signal.SIGKILL))
    return run(folder / "killed", group)


SCENARIOS = (straight, evaluated, stopped, terminated, resumed, failed, killed)


def main(folder, names):
    outcomes = {}
    for scenario in (each for each in SCENARIOS if each.__name__ in names):
        try:
            with connect("cpu") as group:
                outcomes[scenario.__name__] = scenario(folder, group)
        except (Exception, KeyboardInterrupt) as error:
            outcomes[scenario.__name__] = f"{type(error).__name__}: {error}"
    (folder / f"{group.rank}.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
