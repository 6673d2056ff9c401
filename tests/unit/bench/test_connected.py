"""Strings of spoken digits: what they are made of, and that both networks learn on them."""

from functools import partial
from unittest import mock

import numpy as np
import pytest

from bench.suite import connected
from eventsim import datasets
from eventsim.datasets import spoken_digits

pytest.importorskip("espeakng_loader", reason="needs the extra demo")
pytestmark = pytest.mark.thorough("speaks a data set, of 12 voices in place of 75, and trains")


@pytest.fixture(autouse=True, scope="module")
def few_voices():
    """Of ten to train two are held out."""
    few = partial(
        spoken_digits.load, recipe=spoken_digits.SpeechRecipe(train_voices=10, test_voices=2)
    )
    with mock.patch.object(datasets, "load", lambda name, split: few(split)):
        yield


def test_strings_are_digits_of_one_voice_with_silence_between_them():
    digits = datasets.load("spoken_digits", split="train")
    found = connected.strings("train", 30)
    n_single = len(digits.class_names)
    assert found.class_names[:n_single] == digits.class_names
    assert list(found.class_names[n_single:]) == sorted(found.class_names[n_single:])
    durations = np.broadcast_to(digits.stream.duration, len(digits))
    known = [digits.stream.sample(k) for k in range(len(digits))]
    for number, (t, c) in enumerate(found.stream):
        said = found.class_names[found.labels[number]].split()
        assert 1 <= len(said) <= connected.MOST
        voices, at = [], 0.0
        for word in said:
            # The digit whose events these are, moved by what was said before it.
            label = digits.class_names.index(word)
            for k in np.flatnonzero(digits.labels == label):
                times, channels = known[k]
                first = np.searchsorted(t, at)
                if np.array_equal(c[first : first + channels.size], channels):
                    break
            else:
                raise AssertionError(f"string {number}: no {word} of the set")
            begin = t[first] - times[0]
            assert begin - at == pytest.approx(0.0, abs=1e-9) or 50.0 <= begin - at <= 200.0
            voices.append(digits.groups[k])
            at = begin + durations[k]
        assert len(set(voices)) == 1
        assert t.size == 0 or t[-1] < np.broadcast_to(found.stream.duration, 30)[number]


def test_parts_have_no_voice_in_common_and_equal_seeds_are_equal_strings():
    one, two = (connected.strings("train", 12) for _ in range(2))
    assert np.array_equal(one.stream.times, two.stream.times)
    voices = [set(datasets.load("spoken_digits", split=split).groups) for split in connected.SIZES]
    assert not voices[0] & voices[1]


def test_voices_held_out_for_the_search_say_nothing_in_its_training_part():
    digits, spoken = datasets.load("spoken_digits", split="train"), []
    by_events = {}
    for k in range(len(digits)):
        times, channels = digits.stream.sample(k)
        by_events.setdefault((channels.tobytes(), np.diff(times).round(6).tobytes()), k)
    for validation in (False, True):
        singles = connected.strings("train", 40, validation=validation)
        alone = [k for k in range(40) if singles.labels[k] < len(digits.class_names)]
        assert alone
        events = [singles.stream.sample(k) for k in alone]
        keys = [(c.tobytes(), np.diff(t).round(6).tobytes()) for t, c in events]
        spoken.append({digits.groups[by_events[key]] for key in keys})
    assert not spoken[0] & spoken[1]


def test_a_search_tries_every_rate_on_strings_of_the_training_part(monkeypatch, rows_of):
    monkeypatch.setitem(connected.CONDITIONS, "scsr_bip", lambda *given: {"given": given[4]})
    words = ["--search", "--seeds", "1", "--size", "0.01", "--condition", "scsr_bip"]
    rows = rows_of(connected, *words)
    rates = list(connected.RATES["scsr_bip"])
    assert [row["rate"] for row in rows] == rates == [row["given"] for row in rows]
    assert all(row["search"] and row["strings"] == 12 for row in rows)


@pytest.mark.parametrize("condition", list(connected.CONDITIONS))
def test_one_command_makes_the_rows(condition, rows_of):
    if condition == "gru":
        pytest.importorskip("torch", reason="needs the extra torch")
    words = ["--seeds", "1", "--epochs", "1", "--size", "0.02", "--condition", condition]
    (row,) = rows_of(connected, *words)
    assert row["condition"] == condition
    assert row["label_error_rate"] > 0.0
    assert row["parameters"] == {"scsr_bip": 38_448, "convolution": 9_876, "gru": 50_700}[condition]
    assert row["operations"] > 0
