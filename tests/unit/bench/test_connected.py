"""Strings of spoken digits: what they are made of, and that both networks learn on them."""

import json

import numpy as np
import pytest

from bench.suite import connected
from eventsim import datasets

pytest.importorskip("espeakng_loader", reason="needs the extra demo")


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


@pytest.mark.parametrize("condition", list(connected.CONDITIONS))
def test_one_command_makes_the_rows(condition, monkeypatch, capsys):
    if condition == "gru":
        pytest.importorskip("torch", reason="needs the extra torch")
    words = ["--seeds", "1", "--epochs", "1", "--size", "0.02", "--condition", condition, "--json"]
    monkeypatch.setattr("sys.argv", ["connected", *words])
    connected.main()
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["condition"] == condition
    assert row["label_error_rate"] > 0.0
    assert 30_000 < row["parameters"] < 60_000
    assert row["operations"] > 0
