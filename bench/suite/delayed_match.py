r"""Delayed match to sample: a pattern, a silence, and the same pattern or another.

There are ``patterns`` of them, each with ``channels`` of its own. When a pattern is shown, each of
its channels fires ``spikes`` times, at uniform random times in ``shown`` ms: no two showings of a
pattern have the same events. The silence between both is drawn evenly from ``silence``, and
``after`` ms without events follow. Half of the samples are "match", half "other", in random order;
in "other" the second pattern is drawn uniformly from the others.

Neither showing alone says anything about the class, nor does a sum over both (it is an exclusive
or). So a network must remember the first pattern until the second comes: without a memory as long
as the silence, its accuracy is one half.

``python -m bench.suite.delayed_match`` writes runs/delayed_match.h5 for the task
delayed_match.toml, whose recipe is memory.toml.

References
----------
Fuster and Alexander (1971), Science 173:652 (the task, and neurons that fire through its silence).
Bellec et al. (2018), NeurIPS (store and recall in spiking networks, with adaptive thresholds).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eventsim.events import Dataset, EventStream
from eventsim.events.labelled import joined

CLASS_NAMES = ("other", "match")
SEEDS = {"train": 0, "valid": 1, "test": 2}
SIZES = {"train": 1000, "valid": 500, "test": 1000}


@dataclass(frozen=True)
class MatchTrial:
    """What is shown, and when."""

    patterns: int = 4  # how many there are, at least 2
    channels: int = 10  # of each pattern, at least 1
    spikes: int = 2  # of each channel in a showing, at least 1
    shown: float = 20.0  # ms, > 0: length of a showing
    # Ms, shortest and longest silence between both, >= 0
    silence: tuple[float, float] = (150.0, 250.0)
    after: float = 50.0  # ms, >= 0: what follows the second showing

    @property
    def duration(self) -> float:
        """Ms: of a sample with the longest silence; every sample is as long."""
        return 2 * self.shown + self.silence[1] + self.after


def load(*, size: int, seed: int, trial: MatchTrial | None = None) -> Dataset:
    """So many samples, drawn by a seed."""
    trial, rng = trial or MatchTrial(), np.random.default_rng(seed)
    labels = rng.permutation(np.arange(size) % len(CLASS_NAMES))
    first = rng.integers(trial.patterns, size=size)
    other = (first + rng.integers(1, trial.patterns, size=size)) % trial.patterns
    second = np.where(labels == CLASS_NAMES.index("match"), first, other)
    begin = trial.shown + rng.uniform(*trial.silence, size=size)
    shown = [
        _showing(rng, trial, (p, q), (0.0, start))
        for p, q, start in zip(first, second, begin, strict=True)
    ]
    stream = EventStream(
        np.concatenate([times for times, _ in shown]),
        np.concatenate([channels for _, channels in shown]),
        np.cumsum([0, *(times.size for times, _ in shown)]),
        n_channels=trial.patterns * trial.channels,
        duration=trial.duration,
    )
    return Dataset(stream, labels, CLASS_NAMES)


def _showing(
    rng: np.random.Generator, trial: MatchTrial, shown: tuple[int, int], begins: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Two patterns, from their times on."""
    channels = np.repeat(np.arange(trial.channels), trial.spikes)
    c = np.concatenate([pattern * trial.channels + channels for pattern in shown])
    t = np.concatenate([begin + rng.uniform(0.0, trial.shown, channels.size) for begin in begins])
    order = np.argsort(t, kind="stable")
    return t[order], c[order]


def main() -> None:
    """Write the file of the task."""
    parts = [load(size=SIZES[part], seed=SEEDS[part]) for part in SIZES]
    path = Path("runs/delayed_match.h5")
    path.parent.mkdir(exist_ok=True)
    joined(*parts).save(path, splits=np.repeat(list(SIZES), list(SIZES.values())))


if __name__ == "__main__":
    main()
