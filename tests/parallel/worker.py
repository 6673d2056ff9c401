"""One of the processes that tests/parallel/test_processes.py starts: what each is to live through.

Usage: python -m tests.parallel.worker FOLDER SCENARIO ..; writes FOLDER/RANK.json.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from eventsim.train import connect, evaluate, loop, train
from tests.unit.train import test_parallel as threads
from tests.unit.train.task import two_patterns
from tests.unit.train.test_parallel import quiet_net

CONFIG = replace(threads.CONFIG, batch_size=11, backend="cpu", precision="single")
N_SAMPLES = 64


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
