"""Order of events on the CPU: by time, row, and where both are equal as they came."""

import numpy as np
import pytest

from eventsim.engine.cpu import order

N = 3000


def times_of(kind, rng):
    """Times of N events that are hard to share out to buckets of equal length."""
    return {
        "even": rng.uniform(0, 450, N),
        "coarse": np.floor(rng.uniform(0, 45, N)) * 10.0,
        "equal": np.full(N, 3.0),
        "outlier": np.where(np.arange(N) % 1000 == 0, 1e9, rng.uniform(0, 450, N)),
        "bursts": rng.integers(0, 8, N) * 100.0 + rng.exponential(0.01, N),
        "descending": np.arange(N)[::-1].astype(float),
        "exponents": 10.0 ** rng.uniform(-300, 300, N),
        "close": 1.0 + rng.integers(0, 9, N) * np.finfo(float).eps,
        "denormal": rng.integers(0, 9, N) * 5e-324,
    }[kind]


KINDS = (
    "even", "coarse", "equal", "outlier", "bursts", "descending", "exponents", "close", "denormal",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_sorted_events_are_those_of_lexsort(kind):
    rng = np.random.default_rng(0)
    time, row = times_of(kind, rng), rng.integers(0, 20, N).astype(np.int32)
    offsets = np.array([0, 0, 1, 30, 1500, 1500, N])
    number = np.arange(N)
    expected = np.lexsort((number, row, time, np.repeat(np.arange(6), np.diff(offsets))))
    found = np.empty(N), np.empty(N, np.int32), np.empty(N, np.int64)
    order.sort_events(offsets, time.copy(), row.copy(), number.copy(), *found)
    assert np.array_equal(found[2], expected)
    assert np.array_equal(found[0], time[expected])
    assert np.array_equal(found[1], row[expected])
