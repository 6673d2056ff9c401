"""What every backend on the processor shares: its arrays are NumPy's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.engine.backend import Backend


class AbstractHostBackend(Backend):
    """A backend whose arrays are NumPy's."""

    xp: Any = np

    def asarray(self, values: Any) -> NDArray[Any]:
        return np.asarray(values)

    def sum_by(self, values: Floats, index: NDArray[Any], size: int) -> Floats:
        return sum_by(values, index, size)


def sum_by(values: Floats, index: NDArray[Any], size: int) -> Floats:
    """Sum of NumPy ``values`` by ``index``, [size]; each sum in the order of the values."""
    total: Floats = np.bincount(index, weights=values, minlength=size).astype(np.float64)
    return total
