"""Latencies in bins against the plain quantiles of all values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.live import Latency

WIDTH = 10.0 ** (1 / 200)  # of a bin
SECONDS = st.floats(2e-6, 9e3)


@given(st.lists(st.lists(SECONDS, max_size=9), min_size=1, max_size=4), st.floats(0.0, 1.0))
def test_quantile_is_that_of_all_values_to_the_width_of_a_bin(parts, share):
    found, every = Latency(), np.concatenate([np.array(part) for part in parts])
    for part in parts:
        found.add(np.array(part))
    assert found.number == every.size
    if not every.size:
        assert np.isnan(found.quantile(share))
        assert found.to_dict()["median_ms"] is None
        return
    rounding = 1.0 + 1e-12
    for asked in (share, 0.0, 0.5, 0.99, 1.0):
        exact = np.quantile(every, asked, method="inverted_cdf")
        assert (
            exact / rounding <= found.quantile(asked) <= min(exact * WIDTH, every.max()) * rounding
        )
    told = found.to_dict()
    assert told["longest_ms"] == 1e3 * every.max()
    wanted = 1e3 * np.quantile(every, [0.5, 0.99], method="inverted_cdf")
    np.testing.assert_allclose([told["median_ms"], told["p99_ms"]], wanted * WIDTH**0.5, rtol=6e-3)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e5])
def test_values_outside_the_bins_are_counted(seconds):
    found = Latency()
    found.add(np.array([seconds]))
    assert (found.number, found.longest) == (1, seconds)
    assert found.quantile(0.5) == pytest.approx(min(seconds, 10.0 ** (801 / 200)), rel=1e-12)
