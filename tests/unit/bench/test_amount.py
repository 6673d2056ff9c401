"""How much augmentation: parts that do not overlap, amounts, rows by one command."""

import json

import numpy as np
import pytest

from bench.suite import amount
from eventsim.events import Dataset
from eventsim.experiment import load_task
from eventsim.train import Augmentation, TrainConfig
from tests.support.nets import random_stream

NAMES = tuple("0123456789")


def recordings(n=60):
    stream = random_stream(1, n_samples=n, n_channels=16, duration=80.0, rate=20.0)
    return Dataset(stream, np.arange(n) % 10, NAMES, groups=np.arange(n) % 6)


@pytest.mark.parametrize("voices", [False, True])
@pytest.mark.parametrize("learned", [0, 20])
def test_nothing_that_is_asked_is_learned_and_always_the_same_is_asked(
    learned, voices, monkeypatch
):
    monkeypatch.setattr(amount, "ASKED", 20)
    given = recordings()
    taught, asked = amount.parts(given, learned, voices=voices)
    events = [{t.tobytes() for t, _ in part.stream} for part in (taught, asked)]
    assert len(taught) == (learned or 40)
    assert len(asked) == 20
    assert not events[0] & events[1]
    assert np.array_equal(
        asked.stream.times, amount.parts(given, 10, voices=voices)[1].stream.times
    )
    assert voices != bool(set(taught.groups) & set(asked.groups))


def test_half_an_augmentation_has_half_of_every_amount_and_none_has_no_effect():
    whole = TrainConfig.from_dict(load_task("fsdd").train).augmentation
    half = amount.weakened(whole, 0.5)
    assert (half.time_scale, half.channel_shift, half.drop) == (0.1, 1, 0.075)
    assert (half.jitter, half.mix) == (1.5, 0.1)
    assert amount.weakened(whole, 1.0) == whole
    assert amount.weakened(whole, 0.0) == Augmentation()


def test_one_command_makes_a_row_for_every_run(monkeypatch, capsys):
    monkeypatch.setattr(amount, "ASKED", 20)
    monkeypatch.setattr(amount.datasets, "load", lambda name, split: recordings())
    words = ["--seeds", "1", "--data", "fsdd", "--steps", "2", "--steps", "4", "--recordings", "0"]
    monkeypatch.setattr("sys.argv", ["amount", *words, "--json"])
    amount.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["steps"], row["strength"]) for row in rows] == [
        (steps, strength) for steps in (2, 4) for strength in amount.STRENGTHS
    ]
    for row in rows:
        assert row["recordings"] == 40
        assert row["epochs"] == row["steps"] // 2
        assert 0.0 <= row["accuracy"] <= 1.0
