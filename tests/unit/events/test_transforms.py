"""Transforms of events: valid results, inputs unchanged, no event lost that the table names not."""

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eventsim.errors import ParameterError
from eventsim.events import EventStream
from eventsim.events.transforms import (
    channel_jitter,
    channel_scale,
    channel_shift,
    crop,
    drop,
    extend,
    jitter,
    mix,
    pixel_shift,
    pixel_warp,
    random_crop,
    refractory_filter,
    superpose,
    time_scale,
    time_shift,
)
from tests.something import perhaps
from tests.support.nets import filled_stream
from tests.support.streams import ARRAYS, assert_same_events

N_CHANNELS = 4


@st.composite
def streams(draw, n_samples=None):
    """Few channels and many equal times: ties and borders are common."""
    count = draw(st.integers(0, 4)) if n_samples is None else n_samples
    duration = [draw(st.sampled_from([0.5, 8.0, 20.0])) for _ in range(count)]
    samples = []
    for end in duration:
        grid = st.integers(0, 16).map(lambda k, end=end: k * end / 16)
        times = draw(st.lists(st.one_of(grid, st.floats(0.0, end)), max_size=12))
        channels = draw(arrays(np.int64, len(times), elements=st.integers(0, N_CHANNELS - 1)))
        samples.append((np.sort(times), channels))
    return EventStream.from_samples(samples, n_channels=N_CHANNELS, duration=duration)


def pairs():
    """Two streams that can be mixed."""
    return st.integers(0, 3).flatmap(lambda n: st.tuples(streams(n), streams(n)))


def generator():
    return np.random.default_rng(5)


def events(stream):
    """Every event as (sample, channel), sorted."""
    sample = np.repeat(np.arange(len(stream)), np.diff(stream.offsets))
    return sorted(zip(sample.tolist(), stream.channels.tolist(), strict=True))


def timed(stream):
    """Every event as (sample, time, channel), sorted."""
    sample = np.repeat(np.arange(len(stream)), np.diff(stream.offsets))
    columns = (sample.tolist(), stream.times.tolist(), stream.channels.tolist())
    return sorted(zip(*columns, strict=True))


def times_of(stream):
    """Every event as (sample, time)."""
    return [(sample, time) for sample, time, _ in timed(stream)]


def is_part(part, whole):
    left = list(whole)
    for event in part:
        left.remove(event)  # ValueError if it is not there
    return True


def assert_valid(stream):
    """The constructor takes the fields as they are: it finds no fault, and no order to mend."""
    fields = {name: getattr(stream, name) for name in ARRAYS}
    assert_same_events(EventStream(**fields, n_channels=stream.n_channels), stream)
    assert not any(values.flags.writeable for values in fields.values())


SENSOR = (2, 2, 1)

# What stays of an event, by transform.
STAYS = {
    "time_scale": (lambda s: time_scale(s, 0.5, rng=generator()), events),
    "jitter": (lambda s: jitter(s, 3.0, rng=generator()), events),
    "drop": (lambda s: drop(s, 0.5, rng=generator()), timed),
    "refractory_filter": (lambda s: refractory_filter(s, 2.0), timed),
    "time_shift": (lambda s: time_shift(s, 4.0, rng=generator()), events),
    "random_crop": (lambda s: random_crop(s, 4.0, rng=generator()), events),
    "channel_shift": (lambda s: channel_shift(s, 2, rng=generator()), times_of),
    "channel_scale": (lambda s: channel_scale(s, 0.5, rng=generator()), times_of),
    "channel_jitter": (lambda s: channel_jitter(s, 1.0, rng=generator()), times_of),
    "pixel_shift": (lambda s: pixel_shift(s, 1, SENSOR, rng=generator()), times_of),
    "pixel_warp": (lambda s: pixel_warp(s, SENSOR, turn=180.0, rng=generator()), times_of),
}


@given(stream=streams())
@pytest.mark.parametrize("name", STAYS)
def test_transform_invents_no_event_and_leaves_its_stream_alone(name, stream):
    before = deepcopy(stream)
    change, stays = STAYS[name]
    changed = change(stream)
    assert_valid(changed)
    assert is_part(stays(changed), stays(stream))
    assert changed.n_samples == stream.n_samples
    if name in ("time_scale", "jitter"):
        assert changed.n_events == stream.n_events
    if stays is not events:
        np.testing.assert_array_equal(changed.duration, stream.duration)
    assert_same_events(stream, before)


def test_pixel_shift_moves_a_sample_along_both_sides_of_the_sensor():
    width, height, n = 6, 4, 400
    rng = np.random.default_rng(2)
    x, y, p = rng.integers(0, width, n), rng.integers(0, height, n), rng.integers(0, 2, n)
    channels = (p * height + y) * width + x
    stream = EventStream(
        np.tile(np.linspace(0.0, 9.0, 20), 20), channels, np.arange(0, n + 1, 20),
        n_channels=48, duration=10.0,
    )  # fmt: skip
    seen, before = set(), deepcopy(stream)
    for seed in range(20):
        changed = pixel_shift(stream, 2, (width, height, 2), rng=np.random.default_rng(seed))
        assert_same_events(stream, before)
        for index in range(20):
            own = slice(20 * index, 20 * index + 20)
            fitting = []
            for dx in range(-2, 3):
                for dy in range(-2, 3):
                    kept = (x[own] + dx >= 0) & (x[own] + dx < width)
                    kept &= (y[own] + dy >= 0) & (y[own] + dy < height)
                    expected = (p[own] * height + y[own] + dy) * width + x[own] + dx
                    times = stream.sample(index)[0][kept]
                    if sorted(zip(times, expected[kept], strict=True)) == sorted(
                        zip(*changed.sample(index), strict=True)
                    ):
                        fitting.append((dx, dy))
            assert fitting
            seen |= set(fitting) if len(fitting) == 1 else set()
    assert len(seen) == 25


def picture(x, y, p, size, n_samples):
    """A stream of samples that all have these events."""
    width, height, polarities = size
    channels = (p * height + y) * width + x
    return EventStream(
        np.tile(np.arange(x.size) / 10.0, n_samples),
        np.tile(channels, n_samples),
        np.arange(n_samples + 1) * x.size,
        n_channels=width * height * polarities,
        duration=float(x.size),
    )


def places(stream, index, size):
    """Distance from the middle along x and y, and polarity, of every event of a sample."""
    width, height, _ = size
    channels = stream.sample(index)[1].astype(np.int64)
    rest, x = np.divmod(channels, width)
    p, y = np.divmod(rest, height)
    return x - (width - 1) / 2, y - (height - 1) / 2, p


def test_pixel_warp_turns_stretches_and_shears_a_picture_about_its_middle():
    size = (41, 31, 2)
    rng = np.random.default_rng(3)
    x, y, p = rng.integers(10, 31, 4000), rng.integers(8, 23, 4000), rng.integers(0, 2, 4000)
    stream = picture(x, y, p, size, 30)
    before = deepcopy(stream)
    changed = pixel_warp(
        stream, size, turn=20.0, scale=0.3, shear=0.2, rng=np.random.default_rng(4)
    )
    assert_same_events(stream, before)
    assert changed.n_events == stream.n_events  # none comes to the edge
    found = []
    old = np.stack(places(stream, 0, size)[:2])
    for index in range(30):
        *new, polarity = places(changed, index, size)
        np.testing.assert_array_equal(polarity, p)
        # The linear map, by least squares: factor times turn times shear.
        matrix = np.linalg.lstsq(old.T, np.stack(new).T, rcond=None)[0].T
        error = np.stack(new) - matrix @ old
        assert np.abs(error).max() < 1.2  # onto a pixel beside the place
        assert np.abs(error.mean(axis=1)).max() < 0.05
        angle = np.arctan2(matrix[1, 0], matrix[0, 0])
        factor = np.hypot(matrix[1, 0], matrix[0, 0])
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shear = (turned.T @ matrix / factor)[0, 1]
        np.testing.assert_allclose(matrix, factor * turned @ [[1, shear], [0, 1]], atol=0.02)
        found.append((np.degrees(angle), np.log(factor), shear))
    lowest, highest = np.min(found, axis=0), np.max(found, axis=0)
    reach = np.array([20.0, np.log(1.3), 0.2])
    assert (highest < 1.05 * reach).all()
    assert (lowest > -1.05 * reach).all()
    assert (highest - lowest > 1.4 * reach).all()


def test_pixel_warp_loses_what_leaves_the_sensor_and_nothing_else():
    size = (6, 4, 2)
    rng = np.random.default_rng(5)
    x, y, p = rng.integers(0, 6, 300), rng.integers(0, 4, 300), rng.integers(0, 2, 300)
    stream = picture(x, y, p, size, 20)
    still = pixel_warp(stream, size, rng=rng)
    assert_same_events(still, stream)
    changed = pixel_warp(stream, size, scale=0.5, rng=rng)
    for index in range(20):
        assert is_part(changed.sample(index)[0].tolist(), stream.sample(index)[0].tolist())
    assert 0 < changed.n_events < stream.n_events
    with pytest.raises(ParameterError, match="pixel_warp: sensor_size is .* has, 48"):
        pixel_warp(stream, (12, 4), rng=rng)


def test_channel_scale_stretches_a_sample_about_the_middle_without_gaps():
    n, rng = 100_000, np.random.default_rng(1)
    channels = rng.integers(20, 45, n)
    stream = EventStream(np.linspace(0.0, 9.0, n), channels, [0, n], n_channels=64, duration=10.0)
    factors = []
    for seed in range(20):
        changed = channel_scale(stream, 0.4, rng=np.random.default_rng(seed))
        assert changed.n_events == n
        factors.append((changed.channels - 31.5).std() / (channels - 31.5).std())
        low, high = 31.5 + factors[-1] * (np.array([20, 44]) - 31.5)
        counts = np.bincount(changed.channels, minlength=64)[int(low) + 2 : int(high) - 1]
        assert counts.min() > 0.8 * n / 25 / factors[-1] * (1 - 0.05)
        assert abs(changed.channels.mean() - (31.5 + factors[-1] * (channels.mean() - 31.5))) < 0.1
    assert 0.7 < min(factors) < 0.85 < 1.2 < max(factors) < 1.42


def test_channel_jitter_moves_every_event_by_its_own_number():
    n = 50_000
    stream = EventStream(
        np.linspace(0.0, 9.0, n), np.full(n, 32), [0, n], n_channels=64, duration=10.0
    )
    moved = channel_jitter(stream, 1.5, rng=generator()).channels - 32.0
    assert abs(moved.mean()) < 0.03
    assert abs(moved.std() - np.hypot(1.5, np.sqrt(1 / 12))) < 0.03


@given(pair=pairs())
def test_superpose_keeps_every_event_of_both(pair):
    before = [deepcopy(stream) for stream in pair]
    both = superpose(*pair)
    assert timed(both) == sorted(timed(pair[0]) + timed(pair[1]))
    np.testing.assert_array_equal(both.duration, np.maximum(pair[0].duration, pair[1].duration))
    for stream, old in zip(pair, before, strict=True):
        assert_same_events(stream, old)


@given(pair=pairs(), alpha=st.sampled_from([0.1, 1.0, 5.0]))
def test_mix_is_a_part_of_both_with_shares_between_0_and_1(pair, alpha):
    before = [deepcopy(stream) for stream in pair]
    mixed, share = mix(*pair, alpha, rng=generator())
    assert share.shape == (len(pair[0]),)
    assert ((share >= 0) & (share <= 1)).all()
    assert is_part(timed(mixed), timed(pair[0]) + timed(pair[1]))
    for stream, old in zip(pair, before, strict=True):
        assert_same_events(stream, old)


def test_mix_keeps_each_stream_in_its_share():
    times, n = np.linspace(0.0, 99.0, 20_000), 20_000
    first = EventStream(times, np.zeros(n, int), [0, n], n_channels=2, duration=100.0)
    second = EventStream(times, np.ones(n, int), [0, n], n_channels=2, duration=100.0)
    mixed, share = mix(first, second, 1.0, rng=generator())
    kept = np.bincount(mixed.channels, minlength=2) / n
    assert 0.1 < share[0] < 0.9
    np.testing.assert_allclose(kept, [share[0], 1 - share[0]], atol=0.02)  # six deviations


@given(stream=streams(), share=st.floats(0.01, 0.99))
def test_crops_that_meet_share_no_event_and_lose_none(stream, share):
    before = deepcopy(stream)
    border = share * stream.duration
    head, tail = crop(stream, 0.0, border), crop(stream, border)
    assert sorted(events(head) + events(tail)) == events(stream)
    np.testing.assert_array_equal(head.duration, border)
    np.testing.assert_array_equal(tail.duration, stream.duration - border)
    for index in perhaps(range(len(stream))):
        times = stream.sample(index)[0]
        np.testing.assert_array_equal(head.sample(index)[0], times[times < border[index]])
        late = times[times >= border[index]]
        np.testing.assert_array_equal(tail.sample(index)[0], late - border[index])
    assert_same_events(stream, before)


def test_crop_of_everything_is_the_same_stream():
    stream = filled_stream()
    for whole in (crop(stream, 0.0), crop(stream, 0.0, 1e9)):
        assert_same_events(whole, stream)


def test_random_crop_has_its_length_and_keeps_short_samples_whole():
    stream = filled_stream()
    cut = random_crop(stream, 100.0, rng=generator())
    np.testing.assert_allclose(cut.duration, np.minimum(stream.duration, 100.0), rtol=1e-12)
    short = stream.duration <= 100.0
    assert 0 < short.sum() < len(stream)
    for index in np.flatnonzero(short):
        np.testing.assert_array_equal(cut.sample(index)[0], stream.sample(index)[0])


@given(stream=streams(), interval=st.sampled_from([0.0, 0.5, 1.0, 5.0, 100.0]))
def test_refractory_filter_drops_exactly_what_comes_too_early(stream, interval):
    kept = refractory_filter(stream, interval)
    expected = []
    for s in range(len(stream)):
        last = {}
        for t, c in zip(*(part.tolist() for part in stream.sample(s)), strict=True):
            if c not in last or t - last[c] >= interval:
                last[c] = t
                expected.append((s, t, c))
    assert timed(kept) == sorted(expected)
    again = refractory_filter(kept, interval)
    assert timed(again) == timed(kept)
    if interval == 0.0:
        assert kept.n_events == stream.n_events


def test_time_scale_stretches_events_and_duration_alike():
    stream = filled_stream()
    scaled = time_scale(stream, 0.2, rng=np.random.default_rng(0))
    factor = scaled.duration / stream.duration
    assert ((factor >= 1 / 1.2) & (factor <= 1.2)).all()
    assert np.unique(factor).size == len(stream)
    per_event = np.repeat(factor, np.diff(stream.offsets))
    np.testing.assert_allclose(scaled.times, stream.times * per_event, rtol=1e-15)


def test_time_shift_loses_exactly_what_leaves_the_window():
    stream = filled_stream()
    shifted = time_shift(stream, 30.0, rng=np.random.default_rng(1))
    shift = np.random.default_rng(1).uniform(-30.0, 30.0, len(stream))
    for index, move in enumerate(shift):
        times, channels = stream.sample(index)
        inside = (times + move >= 0) & (times + move <= stream.duration[index])
        np.testing.assert_array_equal(shifted.sample(index)[0], (times + move)[inside])
        np.testing.assert_array_equal(shifted.sample(index)[1], channels[inside])
    assert shifted.n_events < stream.n_events


def test_channel_shift_loses_exactly_what_leaves_the_edge():
    stream = filled_stream()
    shifted = channel_shift(stream, 3, rng=np.random.default_rng(1))
    shift = np.random.default_rng(1).integers(-3, 3, len(stream), endpoint=True)
    assert set(shift) > {0}
    for index, move in enumerate(shift):
        times, channels = stream.sample(index)
        inside = (channels + move >= 0) & (channels + move < 16)
        np.testing.assert_array_equal(shifted.sample(index)[0], times[inside])
        np.testing.assert_array_equal(shifted.sample(index)[1], channels[inside] + move)


def test_drop_deletes_about_its_share():
    stream = filled_stream(n_samples=20)
    kept = drop(stream, 0.3, rng=np.random.default_rng(2)).n_events / stream.n_events
    assert kept == pytest.approx(0.7, abs=0.03)  # six standard deviations
    assert drop(stream, 0.0, rng=np.random.default_rng(2)).n_events == stream.n_events


def test_jitter_moves_events_by_its_deviation():
    stream = EventStream(
        np.full(20_000, 50.0), np.zeros(20_000, int), [0, 20_000], n_channels=1, duration=100.0
    )
    moved = jitter(stream, 2.0, rng=np.random.default_rng(3))
    assert moved.times.std() == pytest.approx(2.0, rel=0.03)


def test_jitter_reflects_at_both_ends_as_often_as_it_takes():
    n = 400
    stream = EventStream(
        np.linspace(0.0, 3.0, n), np.zeros(n, int), [0, n], n_channels=1, duration=3.0
    )
    moved = stream.times + np.random.default_rng(4).normal(0.0, 10.0, n)
    inside = np.arccos(np.cos(moved * np.pi / 3.0)) * 3.0 / np.pi  # a wave of period 6
    found = jitter(stream, 10.0, rng=np.random.default_rng(4)).times
    assert (abs(moved) > 12.0).sum() > 50
    np.testing.assert_allclose(found, np.sort(inside), atol=1e-6)


@given(streams(), st.sampled_from([0.0, 0.1, 150.0]))
def test_extend_only_lengthens(stream, time):
    longer = extend(stream, time)
    assert_valid(longer)
    np.testing.assert_array_equal(longer.duration, stream.duration + time)
    for name in ("times", "channels", "offsets"):
        np.testing.assert_array_equal(getattr(longer, name), getattr(stream, name))
