"""The order of events against NumPy's sort by three keys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.events.order import SAMPLE_LEAST, event_order, order_of_parts, sample_of_event


def by_three_keys(offsets, times, minor):
    return np.lexsort((minor, times, sample_of_event(offsets)))


@pytest.mark.parametrize("tick", [0.0, 0.01, 1.0, 1000.0])
@pytest.mark.parametrize("lengths", [[5 * SAMPLE_LEAST] * 4, [200, 0, 1, 0], [3] * 50, [400], []])
def test_order_is_that_of_a_sort_by_three_keys(lengths, tick):
    rng = np.random.default_rng(len(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = rng.uniform(0.0, 500.0, offsets[-1])
    times = np.floor(times / tick) * tick if tick else times
    minor = rng.integers(0, 8, offsets[-1])
    expected = by_three_keys(offsets, times, minor)
    np.testing.assert_array_equal(event_order(offsets, times, minor), expected)


@given(st.lists(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.5]), st.integers(0, 3)))))
def test_events_alike_keep_their_order(samples):
    offsets = np.concatenate([[0], np.cumsum([len(sample) for sample in samples])]).astype(int)
    events = [event for sample in samples for event in sample]
    times = np.array([time for time, _ in events], dtype=float)
    minor = np.array([number for _, number in events], dtype=int)
    # Long enough for the way by samples, whatever hypothesis draws.
    times, minor = np.tile(times, SAMPLE_LEAST), np.tile(minor, SAMPLE_LEAST)
    offsets = np.array([0, times.size]) if times.size else offsets
    expected = by_three_keys(offsets, times, minor)
    np.testing.assert_array_equal(event_order(offsets, times, minor), expected)


@pytest.mark.parametrize("ties", ["none", "settled by the parts", "against the parts"])
@pytest.mark.parametrize("parts", [1, 3])
def test_parts_that_are_in_order_are_merged_as_lexsort_would(parts, ties):
    rng = np.random.default_rng(4)
    keys = []
    for part in range(parts):
        sample, times = rng.integers(0, 5, 400), rng.uniform(0.0, 50.0, 400)
        low = {"settled by the parts": part, "against the parts": -part}.get(ties, 0)
        minor = rng.integers(0, 9, 400) + 10 * low
        if ties != "none":
            times = np.round(times)
        order = np.lexsort((minor, times, sample))
        keys.append((sample[order], times[order], minor[order]))
    sample, times, minor = (np.concatenate(arrays) for arrays in zip(*keys, strict=True))
    found = order_of_parts(sample, times, minor)
    assert np.array_equal(found, np.lexsort((minor, times, sample)))


def test_no_events_are_in_order():
    nothing = np.zeros(0, np.int64)
    assert order_of_parts(nothing, np.zeros(0), nothing).size == 0
