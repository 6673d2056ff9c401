"""Augmentation: valid results, and no event lost that the table does not name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.train import Augmentation, augment
from eventsim.train.augment import channel_shift, drop, jitter, time_scale, time_shift


def random_stream(seed=0, n_samples=5, n_events=200):
    rng = np.random.default_rng(seed)
    duration = rng.uniform(50.0, 200.0, n_samples)
    samples = []
    for end in duration:
        times = np.sort(rng.uniform(0.0, end, n_events))
        times[0], times[-1] = 0.0, end  # both borders
        samples.append((times, rng.integers(0, 16, n_events)))
    return EventStream.from_samples(samples, n_channels=16, duration=duration)


@given(seed=st.integers(0, 10_000), amount=st.floats(0.01, 3.0))
def test_scale_and_jitter_keep_every_event(seed, amount):
    stream = random_stream(seed % 7)
    for change in (time_scale, jitter):
        changed = change(stream, amount, rng=np.random.default_rng(seed))
        np.testing.assert_array_equal(changed.offsets, stream.offsets)
        for index in range(len(stream)):
            before, after = stream.sample(index)[1], changed.sample(index)[1]
            np.testing.assert_array_equal(np.sort(before), np.sort(after))


def test_time_scale_stretches_events_and_duration_alike():
    stream = random_stream()
    scaled = time_scale(stream, 0.2, rng=np.random.default_rng(0))
    factor = scaled.duration / stream.duration
    assert ((factor >= 1 / 1.2) & (factor <= 1.2)).all()
    assert np.unique(factor).size == len(stream)
    per_event = np.repeat(factor, np.diff(stream.offsets))
    np.testing.assert_allclose(scaled.times, stream.times * per_event, rtol=1e-15)


def test_time_shift_loses_exactly_what_leaves_the_window():
    stream = random_stream()
    shifted = time_shift(stream, 30.0, rng=np.random.default_rng(1))
    shift = np.random.default_rng(1).uniform(-30.0, 30.0, len(stream))
    for index, move in enumerate(shift):
        times, channels = stream.sample(index)
        inside = (times + move >= 0) & (times + move <= stream.duration[index])
        np.testing.assert_array_equal(shifted.sample(index)[0], (times + move)[inside])
        np.testing.assert_array_equal(shifted.sample(index)[1], channels[inside])
    assert shifted.n_events < stream.n_events


def test_channel_shift_loses_exactly_what_leaves_the_edge():
    stream = random_stream()
    shifted = channel_shift(stream, 3, rng=np.random.default_rng(1))
    shift = np.random.default_rng(1).integers(-3, 3, len(stream), endpoint=True)
    assert set(shift) > {0}
    for index, move in enumerate(shift):
        times, channels = stream.sample(index)
        inside = (channels + move >= 0) & (channels + move < 16)
        np.testing.assert_array_equal(shifted.sample(index)[0], times[inside])
        np.testing.assert_array_equal(shifted.sample(index)[1], channels[inside] + move)


def test_drop_deletes_about_its_share():
    stream = random_stream(n_samples=20)
    kept = drop(stream, 0.3, rng=np.random.default_rng(2)).n_events / stream.n_events
    assert kept == pytest.approx(0.7, abs=0.03)  # six standard deviations
    assert drop(stream, 0.0, rng=np.random.default_rng(2)).n_events == stream.n_events


def test_jitter_moves_events_by_its_deviation():
    stream = EventStream(
        np.full(20_000, 50.0), np.zeros(20_000, int), [0, 20_000], n_channels=1, duration=100.0
    )
    moved = jitter(stream, 2.0, rng=np.random.default_rng(3))
    assert moved.times.std() == pytest.approx(2.0, rel=0.03)


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
