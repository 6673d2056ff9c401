"""Streams of events that are to be the same."""

import numpy as np

ARRAYS = ("times", "channels", "offsets", "duration")


def assert_same_events(found, expected):
    """The same events of the same recordings, to the bit; stored ones are read for that."""
    found, expected = found[:], expected[:]
    assert found.n_channels == expected.n_channels
    for name in ARRAYS:
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype, name
        np.testing.assert_array_equal(one, other, err_msg=name)
