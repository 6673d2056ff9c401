"""Events as arrays of NIR's EventData: seconds, one row per sample, filled up with (-1, inf)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError
from eventsim.extras import load

MS_PER_S = 1e3


def event_data(
    times: NDArray[np.float64],
    index: NDArray[Any],
    offsets: NDArray[np.int64],
    n_neurons: int,
    *,
    duration: NDArray[np.float64],
) -> Any:
    """A ``nir.EventData``; ``t_max`` is the longest duration. New arrays.

    Times are ms [events], ``index`` channels or neurons [events], ``offsets`` the first event of
    every sample [samples + 1], ``duration`` ms [samples].
    """
    EventData = load("nir", "nir", "NIR's EventData", DataError).EventData
    lengths = np.diff(offsets)
    there = np.arange(lengths.max(initial=0)) < lengths[:, np.newaxis]
    rows = np.full(there.shape, -1, dtype=np.int64)
    seconds = np.full(there.shape, np.inf)
    # Rows are filled in the order of the samples, each from its left.
    rows[there] = index
    seconds[there] = times / MS_PER_S
    end = float(duration.max(initial=0.0)) / MS_PER_S
    return EventData(rows, seconds, n_neurons, end)
