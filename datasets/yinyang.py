r"""Yin-Yang: points of a figure in the plane, each as four or five spikes.

A point :math:`(x, y)` is drawn evenly from the disc of radius :math:`R` around :math:`(R, R)`. With
:math:`d_l, d_r` its distances from the centres :math:`(R/2, R)` and :math:`(3R/2, R)` of the two
dots of radius :math:`r`, its class is

.. math::
    \text{dot} \text{ if } \min(d_l, d_r) < r, \quad
    \text{else yang if } d_r \le r \text{ or } r < d_l \le R/2 \text{ or }
    (y > R \text{ and } d_r > R/2), \quad \text{else yin}.

For every sample a class is drawn first, and points until one has that class: the classes are
balanced up to chance. The draws are those of the published program, number for number, so that
equal seeds give the published samples.

Channels 0 to 3 fire once each, at :math:`t_{min} + (t_{max} - t_{min})\,v` for
:math:`v = x, y, 1 - x, 1 - y`; with a bias, channel 4 fires at :math:`t_{bias}`.

References
----------
Kriener, Göltz, Petrovici (2022), The Yin-Yang dataset, NICE 2022 (construction, seeds 42, 41, 40
and sizes of the splits). Wunderlich and Pehle (2021), Sci. Rep. 11:12829 (spike times).
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventsim.datasets.cache import Samples
from eventsim.datasets.dataset import Split
from eventsim.datasets.drawn import drawn, numbered
from eventsim.datasets.sources import Source, loading
from eventsim.errors import ParameterError
from eventsim.events import DatasetInfo, Recording

CLASS_NAMES = ("yin", "yang", "dot")
SEEDS = {"train": 42, "valid": 41, "test": 40}
SIZES = {"train": 5000, "valid": 1000, "test": 1000}

INFO = DatasetInfo(
    name="yinyang",
    description="Yin-Yang: points of a figure in the plane, one spike per coordinate",
    classes=CLASS_NAMES,
    channels=5,
    splits="drawn with other seeds",
    obtain="Made at every use, in less than a second.",
    licence="made here",
    parts=("train", "valid", "test"),
    samples="5,000 + 1,000 + 1,000, or any number",
    lasts=60.0,
)


@dataclass(frozen=True)
class Code:
    """Code of a point by spike times; all in ms."""

    # Times of the values 0 and 1
    t_min: float = 10.0
    t_max: float = 40.0
    t_bias: float | None = 20.0  # time of the bias spike, or None for four channels without one
    duration: float = 60.0  # length of a sample

    def __post_init__(self) -> None:
        """Check the order of the times once."""
        bias = self.t_min if self.t_bias is None else self.t_bias
        if not (0 <= self.t_min < self.t_max <= self.duration < math.inf) or not (
            0 <= bias <= self.duration
        ):
            raise ParameterError(
                "yinyang", self, "0 <= t_min < t_max <= duration and t_bias between 0 and duration"
            )

    @property
    def n_channels(self) -> int:
        """Four, or five with a bias."""
        return 4 if self.t_bias is None else 5


def source(
    split: Split = "train",
    *,
    size: int | None = None,
    seed: int | None = None,
    code: Code | None = None,
    root: str | Path | None = None,
    download: bool = False,
) -> Source:
    """Draw one split.

    Parameters
    ----------
    split
        "train", "valid" or "test": decides size and seed where these are None.
    size
        Number of samples.
    seed
        0 .. 2^32 - 1; 42, 41 and 40 are the published ones.
    code
        Spike times; None for ``Code()``.
    root, download
        Change nothing: the set is made here.

    Returns
    -------
    Source
        Keys are the numbers of the samples. New arrays.
    """
    del root, download
    code = code or Code()
    return drawn(
        INFO,
        split,
        partial(_samples, code),
        size=size,
        seed=seed,
        sizes=SIZES,
        seeds=SEEDS,
        parameters={"spikes": repr(code)},
        file=__file__,
    )


load = loading(source)


def draw(
    size: int, *, seed: int, r_small: float = 0.1, r_big: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points, float64 [samples, 2], and classes as the published program draws them. New arrays.

    ``r_small`` and ``r_big`` are the radius of the dots and of the figure.
    """
    # The old generator is the one that the published samples were drawn with.
    rng = np.random.RandomState(seed)
    points, classes = np.zeros((size, 2)), np.zeros(size, np.int64)
    for k in range(size):
        classes[k] = rng.randint(3)
        while True:
            x, y = rng.rand(2) * 2.0 * r_big
            inside = math.sqrt((x - r_big) ** 2 + (y - r_big) ** 2) <= r_big
            if inside and class_of(x, y, r_small=r_small, r_big=r_big) == classes[k]:
                break
        points[k] = x, y
    return points, classes


def class_of(x: float, y: float, *, r_small: float = 0.1, r_big: float = 0.5) -> int:
    """Class of a point: 0 yin, 1 yang, 2 dot."""
    right = math.sqrt((x - 1.5 * r_big) ** 2 + (y - r_big) ** 2)
    left = math.sqrt((x - 0.5 * r_big) ** 2 + (y - r_big) ** 2)
    if right < r_small or left < r_small:
        return 2
    lower = right <= r_small
    head = r_small < left <= 0.5 * r_big
    upper = y > r_big and right > 0.5 * r_big
    return int(lower or head or upper)


def _samples(code: Code, *, size: int, seed: int) -> Samples:
    points, classes = draw(size, seed=seed)
    values = np.column_stack([points, 1.0 - points])
    times = code.t_min + (code.t_max - code.t_min) * values
    if code.t_bias is not None:
        times = np.column_stack([times, np.full(size, code.t_bias)])
    order = np.argsort(times, axis=1, kind="stable")
    times = np.take_along_axis(times, order, axis=1)
    recordings = (Recording(t, c, code.duration) for t, c in zip(times, order, strict=True))
    return numbered(recordings, classes, code.n_channels)
