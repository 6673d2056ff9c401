"""Random numbers of a training run: drawn anew from its seed and a purpose, whenever they are."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from eventsim.train.config import TrainConfig


class Draw(IntEnum):
    """Purpose of a random number; part of its seed."""

    SPLIT = 0
    ORDER = 1
    AUGMENT = 2


def rng(config: TrainConfig, *purpose: int) -> np.random.Generator:
    """Random numbers of a purpose: one of :class:`Draw`, and perhaps epoch and batch."""
    return np.random.default_rng([config.seed, *purpose])


def draw_seed(config: TrainConfig, purpose: Draw) -> int:
    """A seed for others that draw by one."""
    return int(rng(config, purpose).integers(2**32))
