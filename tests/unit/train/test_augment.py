"""Augmentation settings and their application; the transforms: tests/unit/events."""

import numpy as np

from eventsim.events import EventStream
from eventsim.events.transforms import drop, time_scale
from eventsim.train import Augmentation, augment
from eventsim.train.augment import mix_pairs
from tests.support.nets import filled_stream


def test_same_generator_gives_the_same_batch_and_leaves_the_input():
    stream = filled_stream()
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
    stream, rng = filled_stream(), np.random.default_rng(6)
    expected = drop(time_scale(stream, 0.2, rng=rng), 0.1, rng=rng)
    how = Augmentation(drop=0.1, time_scale=0.2)
    changed = augment(stream, how, rng=np.random.default_rng(6))
    np.testing.assert_array_equal(changed.times, expected.times)
    np.testing.assert_array_equal(changed.channels, expected.channels)


def test_no_augmentation_returns_the_stream_itself():
    stream = filled_stream()
    assert augment(stream, Augmentation(), rng=np.random.default_rng(0)) is stream


def test_empty_samples_stay_empty():
    stream = EventStream([], [], [0, 0, 0], n_channels=4, duration=10.0)
    how = Augmentation(time_scale=0.1, time_shift=5.0, channel_shift=2, drop=0.1, jitter=1.0)
    changed = augment(stream, how, rng=np.random.default_rng(0))
    assert (changed.n_samples, changed.n_events) == (2, 0)


def test_noise_adds_events_at_its_rate_and_keeps_all_others():
    stream = filled_stream()
    noisy = augment(stream, Augmentation(noise=200.0), rng=np.random.default_rng(7))
    seconds = stream.duration.sum() / 1000.0
    expected = 200.0 * seconds * stream.n_channels
    added = noisy.n_events - stream.n_events
    assert abs(added - expected) < 5.0 * np.sqrt(expected)
    for sample in range(stream.n_samples):
        assert set(stream.sample(sample)[0]) <= set(noisy.sample(sample)[0])
    np.testing.assert_array_equal(noisy.duration, stream.duration)


def test_crop_leaves_windows_of_its_length():
    stream = filled_stream()
    length = 0.5 * stream.duration.min()
    cropped = augment(stream, Augmentation(crop=length), rng=np.random.default_rng(8))
    np.testing.assert_allclose(cropped.duration, length)


def test_mixed_labels_are_the_shares_of_what_was_mixed():
    stream = filled_stream()
    mixed, shares = mix_pairs(stream, np.eye(stream.n_samples), 0.4, rng=np.random.default_rng(9))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert mixed.n_samples == stream.n_samples
    for sample in range(stream.n_samples):
        allowed = [stream.sample(k)[0] for k in np.flatnonzero(shares[sample])]
        assert set(mixed.sample(sample)[0]) <= set(np.concatenate(allowed))
