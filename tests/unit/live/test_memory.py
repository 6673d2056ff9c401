"""Listening for long takes no more memory."""

import sys

import pytest

from bench.macro.live import hour

BOUND = 3.0  # MB, in twelve minutes of stream; 218,000 events of 16 bytes would be 3.5


@pytest.mark.nightly("hears twelve minutes of events, twice; the gate's own memory is in make test")
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
@pytest.mark.parametrize("settings", [{}, {"every": 1000.0}])
def test_minutes_of_listening_take_the_memory_of_the_first(settings):
    found = hour(minutes=12, **settings)
    assert found["events"] > 200_000
    assert len(found["minutes_mb"]) == 12
    assert found["grown_mb"] < BOUND
