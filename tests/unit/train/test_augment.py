"""Augmentation settings and their application; the transforms: tests/unit/events."""

import numpy as np
import pytest

from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.events.transforms import drop, time_scale
from eventsim.train import Augmentation, augment


def random_stream(seed=0, n_samples=5, n_events=200):
    rng = np.random.default_rng(seed)
    duration = rng.uniform(50.0, 200.0, n_samples)
    samples = []
    for end in duration:
        times = np.sort(rng.uniform(0.0, end, n_events))
        times[0], times[-1] = 0.0, end  # both borders
        samples.append((times, rng.integers(0, 16, n_events)))
    return EventStream.from_samples(samples, n_channels=16, duration=duration)


def test_same_generator_gives_the_same_batch_and_leaves_the_input():
    stream = random_stream()
    times = stream.times.copy()
    how = Augmentation(time_scale=0.1, time_shift=5.0, channel_shift=2, drop=0.1, jitter=1.0)
    first = augment(stream, how, rng=np.random.default_rng(4))
    second = augment(stream, how, rng=np.random.default_rng(4))
    np.testing.assert_array_equal(first.times, second.times)
    np.testing.assert_array_equal(first.channels, second.channels)
    np.testing.assert_array_equal(stream.times, times)
    other = augment(stream, how, rng=np.random.default_rng(5))
    assert not np.array_equal(first.times[:50], other.times[:50])


def test_augmentations_are_applied_in_the_order_of_the_fields():
    stream, rng = random_stream(), np.random.default_rng(6)
    expected = drop(time_scale(stream, 0.2, rng=rng), 0.1, rng=rng)
    how = Augmentation(drop=0.1, time_scale=0.2)
    changed = augment(stream, how, rng=np.random.default_rng(6))
    np.testing.assert_array_equal(changed.times, expected.times)
    np.testing.assert_array_equal(changed.channels, expected.channels)


def test_no_augmentation_returns_the_stream_itself():
    stream = random_stream()
    assert augment(stream, Augmentation(), rng=np.random.default_rng(0)) is stream


def test_empty_samples_stay_empty():
    stream = EventStream([], [], [0, 0, 0], n_channels=4, duration=10.0)
    how = Augmentation(time_scale=0.1, time_shift=5.0, channel_shift=2, drop=0.1, jitter=1.0)
    changed = augment(stream, how, rng=np.random.default_rng(0))
    assert (changed.n_samples, changed.n_events) == (2, 0)


@pytest.mark.parametrize(
    "given", [{"drop": 1.0}, {"jitter": -1.0}, {"time_scale": np.nan}, {"channel_shift": 1.5}]
)
def test_amounts_out_of_range_raise(given):
    with pytest.raises(ParameterError, match=f"Augmentation: {next(iter(given))} is"):
        Augmentation(**given)
