import os
from dataclasses import replace
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from eventsim.datasets import fsdd, spoken_digits, ti46
from eventsim.datasets.encoders import (
    SILICON,
    Bsa,
    CochleaEncoder,
    DeltaModulation,
    Frames,
    GammatoneBank,
    IntegrateAndFire,
    LyonEar,
    encode,
)
from eventsim.datasets.encoders.delta import crossings
from eventsim.datasets.encoders.gammatone import centre_frequencies, response
from eventsim.datasets.encoders.integrate_and_fire import thresholds
from eventsim.datasets.statistics import statistics
from eventsim.events import EventStream

SPEECH = sorted(Path(os.environ.get("EVENTSIM_DATA", "/nonexistent")).glob("fsdd/**/*.wav"))[::50]
BANKS = [GammatoneBank(n_channels=8, frequency_max=3500.0, decimation=40), LyonEar(decimation=40)]
# Scaled to the largest value of the bank.
CODERS = [
    lambda top: Bsa(scale=0.5 / top),
    lambda top: IntegrateAndFire(gain=500.0 / top),
    lambda top: DeltaModulation(top / 20),
]


def chirp(n=4000):
    t = np.arange(n) / 8000
    return 0.1 * np.sin(2 * np.pi * (200 + 3000 * t) * t)


def frames(values, step=1.0):
    values = np.atleast_2d(np.asarray(values, float))
    return Frames(values, step=step, duration=values.shape[1] * step)


# Composition


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("coder", CODERS)
def test_every_bank_goes_with_every_coder(bank, coder):
    heard = bank.frames(chirp(), 8000)
    coder = coder(heard.values.max())
    times, channels = encode(chirp(), 8000, bank=bank, coder=coder)
    assert times.size > 100
    assert (np.lexsort((channels, times)) == np.arange(times.size)).all()
    stream = EventStream.from_samples(
        [(times, channels)],
        n_channels=coder.n_outputs(heard.values.shape[0]),
        duration=heard.duration,
    )
    assert stream.n_events == times.size


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("coder", CODERS)
def test_what_follows_does_not_change_the_events_before(bank, coder):
    changed = np.where(np.arange(4000) < 2000, chirp(), -chirp())
    coder = coder(bank.frames(chirp(), 8000).values.max())
    first, second = (encode(a, 8000, bank=bank, coder=coder)[0] for a in (chirp(), changed))
    # BSA looks 24 steps ahead, 12 ms.
    first, second = first[first < 238.0], second[second < 238.0]
    assert first.size > 100
    np.testing.assert_array_equal(first, second)


# Gammatone


def test_gammatone_bank_has_the_impulse_response_of_its_name():
    bank = GammatoneBank(n_channels=12, frequency_max=3000.0, compression=1.0)
    impulse = np.zeros(2000)
    impulse[0] = 1.0
    heard = bank.frames(impulse, 16000).values
    k = np.arange(2000)
    for f, actual in zip(centre_frequencies(12, 100.0, 3000.0), heard, strict=True):
        r = np.exp(-2 * np.pi * 1.019 * (24.7 + 0.108 * f) / 16000)
        # t^3 exp(-2 pi b t) cos(2 pi f t), with (k + 1)(k + 2)(k + 3) for t^3 in discrete time.
        envelope = (1 - r) ** 4 * (k + 1) * (k + 2) * (k + 3) / 6 * r**k
        expected = 2 * envelope * np.cos(2 * np.pi * f * k / 16000)
        np.testing.assert_allclose(actual, np.maximum(expected, 0), atol=1e-10 * expected.max())


@pytest.mark.parametrize("offset", [-1.0, 0.0, 1.0])
def test_gammatone_has_the_gain_of_its_response_at_and_beside_its_centre(offset):
    f = centre_frequencies(5, 200.0, 2000.0)
    for channel, centre in enumerate(f):
        frequency = centre + offset * 1.019 * (24.7 + 0.108 * centre)
        tone = np.sin(2 * np.pi * frequency * np.arange(8000) / 16000)
        gain = abs(response(np.array([frequency]), centre, 4)[0])
        assert gain == pytest.approx((1 + offset**2) ** -2)
        bank = GammatoneBank(n_channels=5, frequency_min=200.0, frequency_max=2000.0, compression=2)
        # The square of a rectified sine of amplitude 1 has the mean 1 / 4.
        late = bank.frames(tone, 16000).values[channel, 4000:].mean()
        assert late == pytest.approx(0.25 * gain**2, rel=0.02)


def test_gammatone_frames_are_means_over_the_decimation():
    fine, coarse = (GammatoneBank(decimation=d).frames(chirp(), 8000) for d in (1, 80))
    np.testing.assert_allclose(coarse.values, fine.values.reshape(64, 50, 80).mean(axis=2))
    assert (fine.step, coarse.step) == (0.125, 10.0)


def test_gammatone_channels_above_half_the_sample_rate_are_zero():
    bank = GammatoneBank(n_channels=16, frequency_max=8000.0)
    silent = ~bank.frames(chirp(), 8000).values.any(axis=1)
    np.testing.assert_array_equal(silent, centre_frequencies(16, 100.0, 8000.0) >= 4000)


# Integrate and fire


def test_units_fire_where_their_integral_reaches_an_integer():
    values = np.random.default_rng(0).uniform(-1, 2, size=(3, 200))
    times, channels = IntegrateAndFire(gain=500.0).spikes(frames(values))
    for c in range(3):
        mine = times[channels == c]
        total = np.concatenate([[0.0], np.cumsum(0.5 * np.maximum(values[c], 0))])
        np.testing.assert_allclose(
            np.interp(mine, np.arange(201), total), np.arange(1, mine.size + 1), rtol=1e-12
        )
        assert mine.size == int(total[-1])


def test_dead_time_is_a_lower_bound_of_the_intervals():
    times, _ = IntegrateAndFire(gain=1e9, refractory=2.0).spikes(frames(np.ones(1000)))
    assert np.diff(times).min() >= 2.0 * (1 - 1e-9)
    times, _ = IntegrateAndFire(gain=100.0, refractory=2.0).spikes(frames(np.ones(1000)))
    np.testing.assert_allclose(np.diff(times), 12.0, rtol=1e-9)  # 10 ms of charging and 2 of rest


def test_thresholds_divide_the_rates():
    coder = IntegrateAndFire(gain=1000.0, mismatch=0.5, seed=3)
    _, channels = coder.spikes(frames(np.ones((20, 5000))))
    theta = thresholds(20, mismatch=0.5, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(np.bincount(channels), (5000 / theta).astype(int))


def test_units_below_their_leak_are_silent():
    coder = IntegrateAndFire(gain=1000.0, leak=900.0, mismatch=0.5, seed=3)
    _, channels = coder.spikes(frames(np.ones((20, 5000))))
    theta = thresholds(20, mismatch=0.5, rng=np.random.default_rng(3))
    expected = 5 * np.maximum(1000.0 / theta - 900.0, 0)
    np.testing.assert_array_equal(np.bincount(channels, minlength=20), expected.astype(int))
    assert 3 < np.sum(expected == 0) < 17


def test_thresholds_are_log_normal_around_one():
    theta = thresholds(20_000, mismatch=0.5, rng=np.random.default_rng(0))
    assert np.median(theta) == pytest.approx(1.0, rel=0.02)
    assert np.log(theta).std() == pytest.approx(0.5, rel=0.02)
    assert (thresholds(9, mismatch=0.0, rng=np.random.default_rng(0)) == 1.0).all()


def test_mismatch_makes_neighbouring_channels_of_the_cochlea_differ():
    noise = 0.1 * np.random.default_rng(0).normal(size=8000)
    plain, mismatched, other = (
        np.bincount(CochleaEncoder(**options).encode(noise, 8000)[1], minlength=64)
        for options in ({}, {"mismatch": 0.6}, {"mismatch": 0.6, "seed": 1})
    )
    assert np.abs(np.diff(mismatched)).sum() > 2 * np.abs(np.diff(plain)).sum()
    assert (mismatched != other).any()
    theta = thresholds(64, mismatch=0.6, rng=np.random.default_rng(0))
    assert np.corrcoef(np.log(theta), mismatched / plain.clip(1))[0, 1] < -0.8


@pytest.mark.skipif(not SPEECH, reason="EVENTSIM_DATA names no folder with fsdd")
def test_silicon_cochlea_has_the_statistics_of_n_tidigits():
    clips = [wavfile.read(path) for path in SPEECH]
    stream = EventStream.from_samples(
        [SILICON.encode(audio, rate) for rate, audio in clips],
        n_channels=64,
        duration=[1e3 * audio.size / rate for rate, audio in clips],
    )
    found = statistics(stream)
    assert 2400 < found.rate < 3200
    assert 37 < found.active.mean < 47
    assert 1000 < found.events.mean < 1500
    assert found.contrast > 0.8


# Delta modulation


def slow_delta(values, delta):
    """Follows the line through the frames event by event."""
    reference, events, before = 0, [], 0.0
    for k, value in enumerate(values):
        level = value / delta
        while level >= reference + 1 or level <= reference - 1:
            reference += 1 if level > reference else -1
            up = level > before
            events.append((k + (reference - before) / (level - before), up))
        before = level
    return events


@given(
    values=arrays.arrays(float, st.integers(0, 30), elements=st.floats(-3, 3)),
    delta=st.sampled_from([0.1, 0.25, 1.0, 2.5]),
)
def test_delta_modulation_agrees_with_following_the_line(values, delta):
    times, up = crossings(values, delta)
    expected = slow_delta(values.tolist(), delta)
    assert up.tolist() == [u for _, u in expected]
    np.testing.assert_allclose(times, [t for t, _ in expected], rtol=1e-9, atol=1e-9)


@given(values=arrays.arrays(float, (2, 40), elements=st.floats(-5, 5)))
def test_counting_the_events_gives_the_signal_back_to_one_delta(values):
    times, channels = DeltaModulation(0.5).spikes(frames(values))
    for c in range(2):
        for k in range(40):
            ups, downs = (np.sum((channels == m) & (times <= k + 1)) for m in (c, c + 2))
            assert abs(0.5 * (int(ups) - int(downs)) - values[c, k]) < 0.5 + 1e-9


def test_ramp_up_and_down_by_hand():
    times, channels = DeltaModulation(1.0).spikes(frames([[2.0, 2.0, -0.5]], step=10.0))
    # 0 to 2 in the first frame: up at 1 and 2. 2 to -0.5 in the third: down at 1 and 0.
    np.testing.assert_allclose(times, [5.0, 10.0, 24.0, 28.0])
    assert channels.tolist() == [0, 0, 1, 1]


# Domains


@pytest.mark.parametrize(
    "made", [SILICON, fsdd.ENCODER, spoken_digits.ENCODER, ti46.EAR, ti46.CODER], ids=str
)
def test_constants_of_the_data_sets_are_settings_that_would_pass(made):
    checked = replace(made)  # made by the constructor, which checks
    assert checked == made
    for name, value in vars(checked).items():
        assert type(value) is type(getattr(made, name)), name
