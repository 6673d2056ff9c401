import numpy as np
import pytest

import eventsim as es
from eventsim.errors import EventError, ShapeError


def stream(times, channels, n_channels=2, duration=10.0):
    return es.EventStream(
        times, channels, [0, len(times)], n_channels=n_channels, duration=duration
    )


def test_merge_shifts_stacks_channels_and_sorts():
    one, two = stream([1.0, 4.0], [0, 1]), stream([1.0, 2.0], [1, 0], n_channels=3)
    merged = es.merge([one, two], delays=[0.0, 2.0])
    assert merged.times.tolist() == [1.0, 3.0, 4.0, 4.0]
    assert merged.channels.tolist() == [0, 3, 1, 2]
    assert merged.n_channels == 5
    assert merged.duration.tolist() == [12.0]


def test_merge_keeps_samples_apart():
    rng = np.random.default_rng(0)
    parts = [
        es.EventStream.from_samples(
            [(np.sort(rng.uniform(0, 5, n)), rng.integers(0, 3, n)) for n in (4, 0, 7)],
            n_channels=3,
            duration=5.0,
        )
        for _ in range(3)
    ]
    merged = es.merge(parts)
    for s in range(3):
        expected = es.merge([part[s] for part in parts])
        assert np.array_equal(merged[s].times, expected.times)
        assert np.array_equal(merged[s].channels, expected.channels)
    assert merged.n_events == sum(part.n_events for part in parts)


@pytest.mark.parametrize("delays", [-1.0, np.nan, [0.0, np.inf]])
def test_merge_with_an_impossible_delay_is_refused(delays):
    with pytest.raises(EventError, match="delays"):
        es.merge([stream([1.0], [0])] * 2, delays=delays)


def test_merge_of_streams_that_do_not_fit_is_refused():
    two_samples = es.EventStream([], [], [0, 0, 0], n_channels=2, duration=1.0)
    with pytest.raises(ShapeError, match=r"\[1, 2\] samples"):
        es.merge([stream([1.0], [0]), two_samples])
    with pytest.raises(ShapeError, match="delays"):
        es.merge([stream([1.0], [0])], delays=[0.0, 1.0])
    with pytest.raises(EventError, match="no streams"):
        es.merge([])


def test_stream_file_gives_the_same_stream(tmp_path):
    path = tmp_path / "events.npz"
    saved = stream([1.0, 2.5], [1, 0])
    saved.save(path)
    loaded = es.EventStream.load(path)
    for name in ("times", "channels", "offsets", "duration", "n_channels"):
        assert np.array_equal(getattr(loaded, name), getattr(saved, name))
    assert [p.name for p in tmp_path.iterdir()] == ["events.npz"]
