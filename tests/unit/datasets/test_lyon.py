import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import signal
from scipy.io import wavfile

from eventsim.datasets.encoders import LyonEar, lyon

REAL = Path(os.environ.get("EVENTSIM_DATA", "/nonexistent"))
SPEECH = [
    *sorted(REAL.glob("asterisk_en_letters_digits/*/*.wav"))[::4],
    *sorted(REAL.glob("fsdd/**/*.wav"))[::150],
]
needs_speech = pytest.mark.skipif(
    not SPEECH, reason="EVENTSIM_DATA names no folder with fsdd or asterisk_en_letters_digits"
)


@pytest.fixture(scope="module")
def oracle():
    """The ``lyon`` package: a translation of the Auditory Toolbox around its C code."""
    package = pytest.importorskip(
        "lyon.calc", reason="the oracle is not installed: pip install lyon==1.0.0 (x86-64 Linux)"
    )
    return package.LyonCalc()


def noise(n=6000, seed=0):
    return 0.1 * np.random.default_rng(seed).normal(size=n)


def at_rate(path, rate):
    old, audio = wavfile.read(path)
    divisor = math.gcd(old, rate)
    return signal.resample_poly(audio / 32768.0, rate // divisor, old // divisor)


@needs_speech
@pytest.mark.crossed("a second each; every option below is held to the oracle as well", test=0)
@pytest.mark.parametrize("rate", [8000, 12500, 16000])
def test_real_speech_agrees_with_the_oracle(oracle, rate):
    clips = [at_rate(path, rate) for path in SPEECH]
    frames = LyonEar().frames_of(clips, rate)
    for clip, mine in zip(clips, frames, strict=True):
        expected = oracle.lyon_passive_ear(clip, rate, decimation_factor=200).T
        # Measured: 2e-11 at most. Nothing is added to the relative bound.
        np.testing.assert_allclose(mine.values, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        ({}, {}),
        ({"decimation": 1}, {"decimation_factor": 1}),
        ({"decimation": 64}, {"decimation_factor": 64}),
        ({"decimation": 1000}, {"decimation_factor": 1000}),
        ({"gain_control": False}, {"agc": False}),
        ({"differentiate": False}, {"differ": False}),
        ({"ear_q": 4.0}, {"ear_q": 4}),
        ({"step_factor": 0.5}, {"step_factor": 0.5}),
        ({"tau_factor": 2.0}, {"tau_factor": 2}),
    ],
)
def test_every_option_agrees_with_the_oracle(oracle, options, theirs):
    expected = oracle.lyon_passive_ear(noise(), 12500, **({"decimation_factor": 200} | theirs)).T
    actual = LyonEar(**options).frames(noise(), 12500).values
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 64), (12500, 78), (16000, 86)])
def test_number_of_channels_follows_from_the_sample_rate(rate, channels):
    frames = LyonEar().frames(noise(), rate)
    assert frames.values.shape == (channels, 30)
    assert LyonEar().centre_frequencies(rate).size == channels
    assert frames.step == 200e3 / rate
    assert frames.duration == 6000e3 / rate


def test_centres_descend_by_the_step_in_bandwidths():
    ear = LyonEar(ear_q=4.0, step_factor=0.25)
    f = ear.centre_frequencies(16000)
    assert (np.diff(f) < 0).all()
    # f and step / Q * sqrt(f^2 + 1000^2) taken at the middle of a stage: the next centre.
    middle = 0.5 * (f[1:] + f[:-1])
    np.testing.assert_allclose(-np.diff(f), 0.25 / 4 * np.hypot(middle, 1000.0), rtol=1e-3)


def test_stages_have_their_gain_where_it_is_set():
    sos = lyon.filters(12500.0, 8.0, 0.25)
    assert sos.shape == (80, 6)
    gain = [abs(signal.freqz(s[:3], s[3:], worN=[0.0, np.pi / 2])[1]) for s in sos]
    np.testing.assert_allclose([gain[0][1], gain[1][1]], 1.0, rtol=1e-12)
    f = LyonEar().centre_frequencies(12500)
    np.testing.assert_allclose([g[0] for g in gain[3:]], f[:-1] / f[1:], rtol=1e-9)
    assert (np.abs([np.roots(s[3:]) for s in sos[1:]]) < 1).all()


@pytest.mark.parametrize("frequency", [250.0, 1000.0, 3000.0])
def test_tone_excites_the_channel_of_its_frequency_most(frequency):
    tone = 0.01 * np.sin(2 * np.pi * frequency * np.arange(6000) / 12500)
    ear = LyonEar(gain_control=False)
    loudest = ear.frames(tone, 12500).values.mean(axis=1).argmax()
    assert abs(ear.centre_frequencies(12500)[loudest] / frequency - 1) < 0.15


def test_gain_control_agrees_with_its_formula_sample_by_sample():
    samples = np.abs(noise(60, seed=1)).reshape(12, 5)
    expected, state = samples.copy(), np.zeros((4, 5))
    for row in expected:
        for stage, (target, tau) in enumerate(lyon.GAIN_CONTROL):
            epsilon, old = 1 - math.exp(-1 / (1e-3 * tau * 8000)), state[stage].copy()
            for c in range(5):
                row[c] *= 1 - old[c]
                around = old[max(c - 1, 0)] + old[c] + old[min(c + 1, 4)]
                new = epsilon / target * row[c] + (1 - epsilon) / 3 * around
                state[stage, c] = min(0.9, new)
    # In two pieces: the states go on.
    control = lyon.GainControl(8000, n_channels=5, n_clips=1)
    for piece in (samples[:2], samples[2:]):
        control.apply(piece)
    np.testing.assert_allclose(samples, expected, rtol=1e-13, atol=1e-15)


def test_gain_control_keeps_loud_and_quiet_clips_close():
    quiet, loud = (LyonEar().frames(a * noise(), 12500).values.sum() for a in (0.1, 1.0))
    assert 1.0 < loud / quiet < 2.0


def test_clips_side_by_side_give_the_bits_of_each_alone():
    clips = [noise(n, seed=n) for n in (3000, 150, 2999, 4000, 600, 201)] * 4
    together = LyonEar().frames_of(clips, 8000)
    for clip, frames in zip(clips, together, strict=True):
        alone = LyonEar().frames(clip, 8000)
        np.testing.assert_array_equal(frames.values, alone.values)
        assert frames.duration == alone.duration


@pytest.mark.parametrize("block", [1, 200, 5000])
def test_size_of_the_blocks_changes_nothing(monkeypatch, block):
    expected = LyonEar().frames(noise(), 8000).values
    monkeypatch.setattr(lyon, "BLOCK", block)
    np.testing.assert_array_equal(LyonEar().frames(noise(), 8000).values, expected)


def test_what_follows_does_not_change_what_came_before():
    audio = noise()
    changed = np.where(np.arange(6000) < 3000, audio, -audio)
    first, second = (LyonEar().frames(a, 8000).values for a in (audio, changed))
    np.testing.assert_array_equal(first[:, :15], second[:, :15])
    assert (first[:, 15:] != second[:, 15:]).any()


def test_integers_and_floats_of_the_same_clip_give_the_same_frames():
    pcm = (32768 * noise()).astype(np.int16)
    np.testing.assert_array_equal(
        LyonEar().frames(pcm, 8000).values, LyonEar().frames(pcm / 32768.0, 8000).values
    )


def test_silence_gives_zeros_and_a_clip_below_a_frame_none():
    assert not LyonEar().frames(np.zeros(800), 8000).values.any()
    assert LyonEar().frames(np.ones(199), 8000).values.shape == (64, 0)
