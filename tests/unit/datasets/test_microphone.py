import numpy as np
import pytest

from eventsim.datasets.microphone import Microphone
from eventsim.errors import ParameterError

RATE = 8000


def white(n=8000):
    return 8000 * np.random.default_rng(1).standard_normal(n)


def sound(audio, low, high):
    """Energy between two frequencies."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    frequency = np.fft.rfftfreq(audio.size, 1 / RATE)
    return power[(low <= frequency) & (frequency < high)].sum()


def hear(microphone, audio, seed=0):
    return microphone.hear(audio, RATE, np.random.default_rng(seed))


def test_default_changes_the_level_alone():
    audio = white()
    before = audio.copy()
    heard = hear(Microphone(), audio)
    np.testing.assert_allclose(heard, audio / np.abs(audio).max())
    assert np.array_equal(audio, before)


def test_equaliser_colours_every_recording_in_its_own_way():
    ratios = []
    for seed in range(30):
        heard = hear(Microphone(equaliser=6.0), white(), seed)
        assert np.abs(heard).max() == pytest.approx(1.0)
        ratios.append(sound(heard, 100, 400) / sound(heard, 1500, 3500))
    assert 3.0 < np.std(10 * np.log10(ratios)) < 10.0


def test_noise_is_below_its_limit_and_above_a_thirtieth_of_it():
    audio = np.zeros(4000)
    audio[100] = 20000.0
    found = [np.std(hear(Microphone(noise=0.1), audio, seed)[200:]) for seed in range(40)]
    assert 0.1 / 30 * 0.9 < min(found) < 0.01
    assert 0.05 < max(found) < 0.1 * 1.1


def test_speed_moves_length_and_pitch_together():
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
    factors = []
    for seed in range(40):
        heard = hear(Microphone(speed=0.25), tone, seed)
        pitch = np.argmax(np.abs(np.fft.rfft(heard))) * RATE / heard.size
        factors.append(RATE / heard.size)
        assert pitch == pytest.approx(500 * factors[-1], abs=2.0)
    assert 0.8 <= min(factors) < 0.85
    assert 1.18 < max(factors) <= 1.2501


def test_silence_stays_silence():
    assert not hear(Microphone(equaliser=6.0, speed=0.1), np.zeros(500)).any()


@pytest.mark.parametrize(
    ("name", "value"), [("equaliser", -1.0), ("noise", np.inf), ("speed", np.nan), ("seed", -1)]
)
def test_settings_outside_their_limits_are_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=f"Microphone: {name} is"):
        Microphone(**{name: value})
