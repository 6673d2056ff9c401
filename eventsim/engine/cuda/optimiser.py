"""Adam's step on a device: three launches, whatever the number of arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from eventsim.arrays import Array
from eventsim.engine.contract.adam import AdamStep, Bounded, Trained
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import launch
from eventsim.engine.cuda.roles import AdamFactorsStruct, SegmentsStruct

BLOCK, PARTS = 256, 64  # threads of a block, and blocks, of the sum of squares

PARAMETERS = (
    "tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory",
)  # fmt: skip
BITS = {"threshold": 1, "v_reset": 2, "v_leak": 4, "weights": 8}


class FusedAdam:
    """An :class:`eventsim.engine.contract.adam.Adam` on one device.

    ``dev``: where the arrays are. ``trained``: the arrays, in the order of the vectors.
    ``bounded``: populations whose parameters bound each other. ``margin, stable``: of thresholds
    above resets and rests, and of self-weights below those of a run-away.
    """

    def __init__(
        self,
        dev: Device,
        trained: Sequence[Trained],
        bounded: Sequence[Bounded],
        *,
        margin: float,
        stable: float,
    ) -> None:
        self._dev, self._margin, self._stable = dev, margin, stable
        # The arrays are kept, so that their addresses stay theirs.
        self._kept = trained, bounded
        sizes = [one.values.size for one in trained]
        start = np.concatenate([[0], np.cumsum(sizes)])
        columns = zip(*((t.rate, t.decay, t.least, t.most) for t in trained), strict=True)
        rate, decayed, least, most = (self._array(column, np.float64) for column in columns)
        self._segments = SegmentsStruct(
            start=self._array(start, np.int64),
            address=self._array([one.values.data.ptr for one in trained], np.int64),
            logarithmic=self._array([one.logarithmic for one in trained], np.int32),
            rate=rate,
            decayed=decayed,
            least=least,
            most=most,
            n=len(trained),
            entries=int(start[-1]),
        )
        self._bounds = [
            self._array([_addresses(one) for one in bounded], np.int64),
            self._array([one.population.size for one in bounded], np.int32),
            self._array([sum(BITS[name] for name in one.trained) for one in bounded], np.int32),
        ]

    def _array(self, values: Any, dtype: DTypeLike) -> Array:
        return self._dev.asarray(np.array(values, dtype))

    def step(self, step: AdamStep, gradient: Array, first: Array, second: Array) -> Array:
        """Take a step in place; returns the square of the gradient's norm, [1]."""
        dev, n = self._dev, self._segments.entries
        squares, square = dev.empty(PARTS, np.float64), dev.empty(1, np.float64)
        dev.launch(
            "double", "adam_gradient", PARTS, BLOCK,
            [self._segments, gradient, squares],
            shared=BLOCK * 8,
        )  # fmt: skip
        launch(
            dev, "double", "adam_move", n,
            [
                PARTS, self._segments, AdamFactorsStruct.of(step), gradient, squares, first, second,
                square,
            ],
        )  # fmt: skip
        dev.launch(
            "double", "adam_restore", self._bounds[1].size, BLOCK,
            [self._margin, self._stable, *self._bounds],
        )  # fmt: skip
        return square

    def average(self, mean: Array, count: int) -> None:
        """Count the values as the ``count``-th of their mean, in place."""
        launch(
            self._dev, "double", "adam_average", self._segments.entries,
            [self._segments, float(count), mean],
        )  # fmt: skip


def _addresses(one: Bounded) -> list[int]:
    arrays: list[Array] = [one.population.parameters[name] for name in PARAMETERS]
    own = [0 if one.self_weights is None else one.self_weights.data.ptr]
    return [array.data.ptr for array in arrays] + own
