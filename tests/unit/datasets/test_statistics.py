import math

import numpy as np
import pytest

from eventsim.datasets.statistics import sparkline, statistics
from eventsim.events import EventStream


def test_statistics_by_hand():
    samples = [([1.0, 2.0, 4.0, 9.0], [0, 2, 0, 2]), ([], []), ([5.0, 6.0], [2, 2])]
    stream = EventStream.from_samples(samples, n_channels=3, duration=[10.0, 20.0, 10.0])
    found = statistics(stream)
    assert (found.n_samples, found.n_events, found.n_channels) == (3, 6, 3)
    assert found.rate == 6 / 0.04
    assert (found.duration.minimum, found.duration.maximum) == (10.0, 20.0)
    assert (found.events.mean, found.events.median, found.events.maximum) == (2.0, 2.0, 4.0)
    assert (found.active.mean, found.active.minimum, found.active.maximum) == (1.0, 0.0, 2.0)
    # Channel 0: 3 ms; channel 2: 7 ms in the first sample, 1 ms in the third.
    interval = found.interval
    assert (interval.minimum, interval.median, interval.maximum) == (1.0, 3.0, 7.0)
    np.testing.assert_allclose(found.profile, [2 / 3, 0, 4 / 3])
    assert found.contrast == pytest.approx((2 / 3 + 4 / 3) / 2 / (2 / 3))


@pytest.mark.parametrize("n_samples", [0, 2])
def test_stream_without_events_has_no_intervals(n_samples):
    stream = EventStream([], [], [0] * (n_samples + 1), n_channels=4, duration=5.0)
    found = statistics(stream)
    assert found.n_events == 0
    assert math.isnan(found.interval.mean)
    assert math.isnan(found.contrast)
    assert not found.profile.any()


def test_many_events_agree_with_counting_them_one_by_one():
    rng = np.random.default_rng(0)
    samples = [
        (np.sort(rng.uniform(0, 50, n)), rng.integers(0, 7, n)) for n in rng.integers(0, 80, 30)
    ]
    found = statistics(EventStream.from_samples(samples, n_channels=7, duration=50.0))
    gaps = [np.diff(t[c == k]) for t, c in samples for k in range(7)]
    gaps = np.concatenate(gaps)
    assert found.interval.mean == pytest.approx(gaps.mean())
    assert found.interval.median == pytest.approx(np.median(gaps))
    assert found.active.mean == pytest.approx(np.mean([np.unique(c).size for _, c in samples]))


def test_sparkline_shows_the_profile_from_the_first_channel_on():
    assert sparkline(np.array([0.0, 1.0, 4.0, 8.0])) == "▁▁▄█"
    assert sparkline(np.zeros(3)) == "▁▁▁"
    assert len(sparkline(np.ones(700))) == 64
