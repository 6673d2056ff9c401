"""What every backend on the processor shares: its arrays are NumPy's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.engine.job import Job, Peaks


class AbstractHostBackend:
    """The part of :class:`eventsim.engine.backend.Backend` that handles arrays."""

    xp: Any = np

    def asarray(self, values: Any) -> NDArray[Any]:
        """As :meth:`eventsim.engine.backend.Backend.asarray`."""
        return np.asarray(values)

    def sum_by(self, values: Floats, index: NDArray[Any], size: int) -> Floats:
        """As :meth:`eventsim.engine.backend.Backend.sum_by`."""
        return sum_by(values, index, size)

    def readout_peaks(self, job: Job) -> Peaks | None:
        """As :meth:`eventsim.engine.backend.Backend.readout_peaks`."""
        return None


def sum_by(values: Floats, index: NDArray[Any], size: int) -> Floats:
    """As :meth:`eventsim.engine.backend.Backend.sum_by`, of NumPy arrays whatever the backend."""
    total: Floats = np.bincount(index, weights=values, minlength=size).astype(np.float64)
    return total
