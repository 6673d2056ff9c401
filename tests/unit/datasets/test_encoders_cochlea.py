import numpy as np
import pytest

from eventsim.datasets.encoders.cochlea import CochleaEncoder, active_level, centre_frequencies
from eventsim.datasets.encoders.integrate_and_fire import fire


def babble(*, rate=8000, seconds=0.5, seed=0):
    """Five slowly modulated tones below 3 kHz: the same sound at any sample rate."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    carriers, beats, phases = (rng.uniform(a, b, 5) for a, b in ((200, 3000), (2, 8), (0, 6)))
    return sum(
        np.sin(2 * np.pi * c * t + p) * (1 + np.sin(2 * np.pi * b * t + p))
        for c, b, p in zip(carriers, beats, phases, strict=True)
    )


def test_events_are_sorted_and_lie_inside_the_clip():
    audio = babble()
    times, channels = CochleaEncoder().encode(audio, 8000)
    assert times.dtype == np.float64
    assert channels.dtype == np.int32
    assert times.size > 500
    assert times.min() >= 0.0
    assert times.max() <= 500.0
    assert (np.lexsort((channels, times)) == np.arange(times.size)).all()
    assert channels.min() >= 0
    assert channels.max() <= 63


def test_equal_encoders_give_equal_events():
    first = CochleaEncoder().encode(babble(), 8000)
    second = CochleaEncoder().encode(babble(), 8000)
    np.testing.assert_array_equal(first, second)
    assert CochleaEncoder() == CochleaEncoder()
    assert CochleaEncoder().describe() != CochleaEncoder(gain=1.0).describe()


@pytest.mark.parametrize("audio", [np.zeros(4000), np.zeros(1), np.zeros(500, np.int16)])
def test_silence_gives_no_event(audio):
    times, channels = CochleaEncoder().encode(audio, 8000)
    assert times.size == channels.size == 0


@pytest.mark.parametrize("frequency", [200.0, 500.0, 1200.0, 3000.0])
def test_tone_excites_the_channel_of_its_frequency_most(frequency):
    tone = np.sin(2 * np.pi * frequency * np.arange(2400) / 8000)
    _, channels = CochleaEncoder(inhibition=0.0).encode(tone, 8000)
    centre = centre_frequencies(CochleaEncoder())
    busiest = np.bincount(channels, minlength=64).argmax()
    assert abs(busiest - np.abs(centre - frequency).argmin()) <= 2


def test_channel_zero_is_the_highest_frequency():
    centre = centre_frequencies(CochleaEncoder())
    np.testing.assert_allclose(centre[[0, -1]], [3700.0, 100.0])
    assert (np.diff(centre) < 0).all()


def test_louder_copy_gives_the_same_number_of_events_per_channel():
    quiet, loud = (CochleaEncoder().encode(a * babble(), 8000)[1] for a in (0.01, 1.0))
    difference = np.bincount(quiet, minlength=64) - np.bincount(loud, minlength=64)
    # The division by the level rounds differently: a count at an integer may tip.
    assert np.abs(difference).sum() <= 2


def test_emphasis_moves_events_to_high_channels():
    t = np.arange(4000) / 8000
    both = np.sin(2 * np.pi * 300 * t) + 0.1 * np.sin(2 * np.pi * 3000 * t)
    plain, raised = (CochleaEncoder(emphasis=a).encode(both, 8000)[1] for a in (0.0, 0.95))
    high = [np.mean(channels < 20) for channels in (plain, raised)]
    assert high[1] > 1.5 * high[0]
    # By the difference from the sample before, which brings the clip to the same loudness.
    told = CochleaEncoder().encode(np.append(both[0], both[1:] - 0.95 * both[:-1]), 8000)[1]
    assert np.abs(np.bincount(told, minlength=64) - np.bincount(raised, minlength=64)).sum() <= 2


def test_clip_below_the_least_level_is_not_amplified_to_speech():
    whisper, _ = CochleaEncoder(level_min=1e-2).encode(1e-5 * babble(), 8000)
    speech, _ = CochleaEncoder(level_min=1e-2).encode(babble(), 8000)
    assert whisper.size < 0.1 * speech.size


def test_integers_and_floats_of_the_same_clip_give_the_same_events():
    pcm = (8000 * babble()).astype(np.int16)
    as_int = CochleaEncoder().encode(pcm, 8000)
    as_float = CochleaEncoder().encode(pcm / 32768.0, 8000)
    np.testing.assert_array_equal(as_int, as_float)


@pytest.mark.parametrize("rate", [11025, 12500, 16000, 22050])
def test_sample_rate_hardly_changes_the_events(rate):
    reference = np.bincount(CochleaEncoder().encode(babble(), 8000)[1], minlength=64)
    times, channels = CochleaEncoder().encode(babble(rate=rate), rate)
    counts = np.bincount(channels, minlength=64)
    # Steps of rectification differ with the internal rate: a few per cent.
    assert np.abs(counts - reference).sum() < 0.06 * reference.sum()
    assert times.max() <= 500.0


def test_channels_above_half_the_sample_rate_are_silent():
    encoder = CochleaEncoder(frequency_max=8000.0)
    _, channels = encoder.encode(np.random.default_rng(0).normal(size=4000), 8000)
    assert centre_frequencies(encoder)[channels.min()] < 4000.0


def test_leading_silence_shifts_all_events():
    times, channels = CochleaEncoder().encode(babble(), 8000)
    shifted, same = CochleaEncoder().encode(np.concatenate([np.zeros(1600), babble()]), 8000)
    np.testing.assert_array_equal(np.bincount(same), np.bincount(channels))
    by_channel = np.lexsort((times, channels)), np.lexsort((shifted, same))
    difference = np.abs(shifted[by_channel[1]] - times[by_channel[0]] - 200.0)
    # Another transform length rounds the float32 amplitudes differently; where the drive is
    # nearly nothing that moves a crossing.
    assert np.median(difference) < 1e-3
    assert (difference < 0.02).mean() > 0.99


def test_what_follows_does_not_change_what_came_before():
    encoder = CochleaEncoder()
    audio = np.tile(babble(seconds=0.2), 2)
    end = audio.copy()
    end[2400:] = -end[2400:]  # as loud as before
    first, second = (encoder.encode(a, 8000)[0] for a in (audio, end))
    first, second = first[first < 299.0], second[second < 299.0]
    assert abs(first.size - second.size) <= 0.01 * first.size


def test_events_are_exactly_where_the_integral_reaches_an_integer():
    drive, rate = CochleaEncoder().drive(babble(), 8000)
    times, channels = CochleaEncoder().encode(babble(), 8000)
    integral = np.concatenate([np.zeros((64, 1)), np.cumsum(drive, 1, dtype=float)], 1) / rate
    for channel in range(64):
        mine = times[channels == channel]
        reached = np.interp(mine, np.arange(integral.shape[1]) * 1e3 / rate, integral[channel])
        np.testing.assert_allclose(reached, np.arange(1, mine.size + 1), atol=1e-9)
        assert mine.size == int(integral[channel, -1])  # none dropped


def test_constant_drive_fires_at_its_rate():
    times, channels = fire(np.full((1, 8000), 125.0, np.float32), 8000.0, end=1e3)
    np.testing.assert_allclose(times, 8.0 * np.arange(1, 126), rtol=1e-12)
    assert not channels.any()


def test_dead_time_holds_for_any_drive():
    times, channels = CochleaEncoder(gain=1e6, refractory=2.0).encode(babble(), 8000)
    gaps = [np.diff(times[channels == c]) for c in range(64)]
    assert min(g.min() for g in gaps if g.size) > 2.0 * (1 - 1e-6)


def test_active_level_ignores_pauses():
    speech = babble()
    padded = np.concatenate([np.zeros(8000), speech, np.zeros(8000)])
    assert active_level(padded, 8000) == pytest.approx(active_level(speech, 8000))
