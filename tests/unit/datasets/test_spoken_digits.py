import importlib.util
import time

import numpy as np
import pytest

from eventsim.datasets import ntidigits, spoken_digits
from eventsim.datasets.cache import entry
from eventsim.datasets.espeak import Synthesizer
from eventsim.datasets.spoken_digits import (
    HALF_SCALE,
    TEST_VOICES,
    TRAIN_VOICES,
    WOMEN,
    SpeechRecipe,
    _recorded,
)
from tests.support.streams import assert_same_events

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None,
    reason="espeakng-loader is not installed: pip install 'eventsim-snn[demo]'",
)
SMALL = SpeechRecipe(train_voices=2, test_voices=1)


def test_train_and_test_share_no_voice():
    assert len(set(TRAIN_VOICES)) == len(TRAIN_VOICES) == 60
    assert len(set(TEST_VOICES)) == len(TEST_VOICES) == 15
    assert not set(TRAIN_VOICES) & set(TEST_VOICES)
    assert set(TRAIN_VOICES + TEST_VOICES) >= WOMEN


@pytest.mark.parametrize("recipe", [SpeechRecipe(), SMALL, SpeechRecipe(accents=8)])
def test_keys_are_unique_and_as_many_as_promised(recipe):
    lists = [spoken_digits.utterances(recipe, split) for split in ("train", "test")]
    keys = [str(u.key) for one in lists for u in one]
    assert tuple(map(len, lists)) == recipe.n_clips
    assert recipe != SpeechRecipe() or recipe.n_clips == (1320, 330)
    assert len(set(keys)) == len(keys)
    assert all(str(ntidigits.parse_key(key)) == key for key in keys)


def test_larger_set_contains_the_smaller_one():
    small = spoken_digits.utterances(SMALL, "train")
    large = spoken_digits.utterances(SpeechRecipe(train_voices=5), "train")
    assert large[: len(small)] == small


def test_seed_changes_pitch_and_rate_but_not_the_keys():
    first, second = (
        spoken_digits.utterances(SpeechRecipe(train_voices=1, seed=seed), "train")
        for seed in (0, 1)
    )
    assert [u.key for u in first] == [u.key for u in second]
    assert [(u.pitch, u.rate) for u in first] != [(u.pitch, u.rate) for u in second]


@needs_espeak
def test_synthesizer_says_the_same_after_every_start():
    def speech():
        s = Synthesizer()
        voices = ("en-us+f3", "en+klatt2", "en-gb-scotland+croak")
        return [s.say("seven", voice=v, pitch=50, rate=160) for v in voices]

    first = speech()
    time.sleep(1.1)  # the library seeds its noise with the second at which it starts
    second = speech()
    for a, b in zip(first, second, strict=True):
        assert a.dtype == np.int16
        assert a.size > 2000
        np.testing.assert_array_equal(a, b)


@needs_espeak
def test_faster_speech_is_shorter_and_voices_differ():
    s = Synthesizer()
    slow = s.say("zero", voice="en-us+m3", pitch=50, rate=120)
    fast = s.say("zero", voice="en-us+m3", pitch=50, rate=220)
    other = s.say("zero", voice="en-us+f3", pitch=50, rate=120)
    assert fast.size < 0.8 * slow.size
    assert slow.size != other.size or (slow != other).any()


@needs_espeak
def test_every_voice_and_accent_of_the_recipes_speaks():
    s = Synthesizer()
    for split in ("train", "test"):
        for u in spoken_digits.utterances(SpeechRecipe(accents=8), split)[::22]:
            assert s.say("oh", voice=u.voice, pitch=u.pitch, rate=u.rate).size > 0


@needs_espeak
def test_made_set_is_read_by_the_reader_of_ntidigits(tmp_path):
    path = tmp_path / spoken_digits.FILE_NAME
    spoken_digits.make(path, recipe=SMALL)
    stream, labels, names = ntidigits.load("train", root=path)
    assert np.bincount(labels).tolist() == [4] * 11
    assert names[10] == "zero"
    assert 1500 < 1e3 * stream.n_events / stream.duration.sum() < 4500
    same = spoken_digits.load("train", root=tmp_path)
    np.testing.assert_array_equal(same.stream.times, stream.times)
    assert set(same.groups.tolist()) == {voice.lower() for voice in TRAIN_VOICES[:2]}
    made = spoken_digits.load("train", recipe=SMALL)
    np.testing.assert_allclose(made.stream.times, stream.times, rtol=1e-15)
    assert made.keys.tolist() == same.keys.tolist()


@needs_espeak
def test_same_recipe_makes_the_same_events(monkeypatch, tmp_path):
    recipe = SpeechRecipe(train_voices=1, test_voices=1)
    first = spoken_digits.load("train", recipe=recipe).stream
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "another"))
    second = spoken_digits.load("train", recipe=recipe).stream
    assert_same_events(first, second)


def sound(audio, rate, low, high):
    """Energy between two frequencies."""
    power = np.abs(np.fft.rfft(audio.astype(float))) ** 2
    frequency = np.fft.rfftfreq(audio.size, 1 / rate)
    return power[(low <= frequency) & (frequency < high)].sum()


def test_microphone_brings_audio_to_its_rate_and_colours_it():
    audio = (8000 * np.random.default_rng(1).standard_normal(22050)).astype(np.int16)
    as_it_is = _recorded(SpeechRecipe(), audio, 22050, np.random.default_rng(2))
    assert as_it_is[0] is audio
    assert as_it_is[1] == 22050

    heard, rate = _recorded(SpeechRecipe(sample_rate=8000), audio, 22050, np.random.default_rng(2))
    assert (rate, heard.size) == (8000, 8000)
    assert heard.dtype == np.int16
    ratio = sound(heard, 8000, 500, 1500) / sound(heard, 8000, 1500, 3500)
    assert 0.4 < ratio < 0.6  # still white

    ratios = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        coloured, _ = _recorded(SpeechRecipe(sample_rate=8000, equaliser=6.0), audio, 22050, rng)
        ratios.append(sound(coloured, 8000, 100, 400) / sound(coloured, 8000, 1500, 3500))
    spread = np.std(10 * np.log10(ratios))
    assert 3.0 < spread < 10.0


def test_noise_is_below_its_limit_and_above_a_thirtieth_of_it():
    audio = np.zeros(4000, np.int16)
    audio[100] = 20000
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        heard, _ = _recorded(SpeechRecipe(noise=0.1), audio, 8000, rng)
        found.append(np.std(heard[200:]) / HALF_SCALE)
    assert 0.1 / 30 * 0.9 < min(found) < 0.01
    assert 0.05 < max(found) < 0.1 * 1.1


@needs_espeak
def test_set_in_the_cache_is_made_once(monkeypatch):
    recipe = SpeechRecipe(train_voices=1, test_voices=1)
    before = spoken_digits.load("test", recipe=recipe)
    monkeypatch.setattr(spoken_digits, "Synthesizer", None)
    after = spoken_digits.load("test", recipe=recipe)
    assert_same_events(before.stream, after.stream)
    assert set(after.groups.tolist()) == {TEST_VOICES[0].lower()}
    assert len(spoken_digits.load("train", recipe=recipe)) == 22


@needs_espeak
@pytest.mark.crossed("speaks a set for each", test=0)
@pytest.mark.parametrize("damage", ["truncated", "foreign", "flipped"])
def test_damaged_set_in_the_cache_is_made_anew(damage):
    recipe = SpeechRecipe(train_voices=1, test_voices=1)
    before = spoken_digits.load("train", recipe=recipe)
    path = entry("spoken_digits", recipe.describe())[0]
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes({"truncated": content[:5000], "foreign": b"no", "flipped": content}[damage])
    after = spoken_digits.load("train", recipe=recipe)
    assert_same_events(before.stream, after.stream)
