r"""Delayed match to sample: a pattern, a silence, and the same pattern or another.

There are ``patterns`` of them, each with ``channels`` of its own. When a pattern is shown, each of
its channels fires ``spikes`` times, at uniform random times in ``shown`` ms: no two showings of a
pattern have the same events. The silence between both is drawn evenly from ``silence``, and
``after`` ms without events follow. Half of the samples are "match", half "other", in random order;
in "other" the second pattern is drawn uniformly from the others.

Neither showing alone says anything about the class, nor does a sum over both (it is an exclusive
or). So a network must remember the first pattern until the second comes: without a memory as long
as the silence, its accuracy is one half.

References
----------
Fuster and Alexander (1971), Science 173:652 (the task, and neurons that fire through its silence).
Bellec et al. (2018), NeurIPS (store and recall in spiking networks, with adaptive thresholds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eventsim.datasets.cache import Samples
from eventsim.datasets.dataset import Split
from eventsim.datasets.drawn import drawn, numbered
from eventsim.datasets.sources import Source, loading
from eventsim.errors import ParameterError
from eventsim.events import DatasetInfo, Recording

CLASS_NAMES = ("other", "match")
SEEDS = {"train": 0, "valid": 1, "test": 2}
SIZES = {"train": 1000, "valid": 500, "test": 1000}

INFO = DatasetInfo(
    name="delayed_match",
    description="Delayed match to sample: two patterns with a silence between them, equal or not",
    classes=CLASS_NAMES,
    channels=40,
    splits="drawn with other seeds",
    obtain="Made at every use, in less than a second.",
    licence="made here",
    parts=("train", "valid", "test"),
    samples="1,000 + 500 + 1,000, or any number",
)


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

    def __post_init__(self) -> None:
        """Check the ranges once."""
        low, high = self.silence
        good = self.patterns >= 2 and self.channels >= 1 and self.spikes >= 1
        times = (self.shown, low, high, self.after)
        if not (good and self.shown > 0 and 0 <= low <= high and self.after >= 0) or not all(
            map(math.isfinite, times)
        ):
            raise ParameterError(
                "delayed_match",
                self,
                "patterns >= 2, channels and spikes >= 1, shown > 0, 0 <= silence[0] <= "
                "silence[1] and after >= 0",
            )

    @property
    def n_channels(self) -> int:
        """Of all patterns."""
        return self.patterns * self.channels

    @property
    def duration(self) -> float:
        """Ms: of a sample with the longest silence; every sample is as long."""
        return 2 * self.shown + self.silence[1] + self.after


def source(
    split: Split = "train",
    *,
    size: int | None = None,
    seed: int | None = None,
    trial: MatchTrial | None = None,
    root: str | Path | None = None,
    download: bool = False,
) -> Source:
    """Draw one split.

    Parameters
    ----------
    split
        "train", "valid" or "test": decides size and seed where these are None.
    size
        Number of samples, at least 1.
    seed
        0 .. 2^32 - 1.
    trial
        What is shown; None for ``MatchTrial()``.
    root, download
        Change nothing: the set is made here.

    Returns
    -------
    Source
        Keys are the numbers of the samples. New arrays.
    """
    del root, download
    trial = trial or MatchTrial()
    return drawn(
        INFO,
        split,
        partial(_samples, trial),
        size=size,
        seed=seed,
        sizes=SIZES,
        seeds=SEEDS,
        parameters={"trial": repr(trial)},
        file=__file__,
    )


load = loading(source)


def _samples(trial: MatchTrial, *, size: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(size) % len(CLASS_NAMES))
    first = rng.integers(trial.patterns, size=size)
    other = (first + rng.integers(1, trial.patterns, size=size)) % trial.patterns
    second = np.where(labels == CLASS_NAMES.index("match"), first, other)
    begin = trial.shown + rng.uniform(*trial.silence, size=size)
    recordings = (
        _showing(rng, trial, (p, q), (0.0, start))
        for p, q, start in zip(first, second, begin, strict=True)
    )
    return numbered(recordings, labels, trial.n_channels)


def _showing(
    rng: np.random.Generator, trial: MatchTrial, shown: tuple[int, int], begins: tuple[float, float]
) -> Recording:
    """Two patterns, from their times on."""
    channels = np.repeat(np.arange(trial.channels), trial.spikes)
    c = np.concatenate([pattern * trial.channels + channels for pattern in shown])
    t = np.concatenate([begin + rng.uniform(0.0, trial.shown, channels.size) for begin in begins])
    order = np.argsort(t, kind="stable")
    return Recording(t[order], c[order], trial.duration)
