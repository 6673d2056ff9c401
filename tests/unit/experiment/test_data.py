from dataclasses import replace

import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import spoken_digits
from eventsim.errors import DataError, ParameterError
from eventsim.experiment import DataSettings
from eventsim.experiment.data import evenly
from tests.unit.datasets import conftest as files
from tests.unit.datasets.test_spoken_digits import needs_espeak

wavs = files.wavs


@pytest.fixture
def spoken(wavs, tmp_path, monkeypatch):
    """Two digits by two speakers, takes in both parts of the data set."""
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    return DataSettings(name="fsdd", file=str(wavs))


def test_parts_are_those_of_the_data_set():
    train = DataSettings(name="yinyang").labelled("train")
    expected = datasets.load("yinyang", split="train")
    assert np.array_equal(train.labels, expected.labels)
    assert np.array_equal(train.stream.times, expected.stream.times)
    assert len(DataSettings(name="yinyang", test_split="valid").labelled("test")) == 1000


def test_limit_takes_samples_evenly():
    assert evenly(10, 4).tolist() == [0, 2, 5, 7]
    assert evenly(10, 10) is None
    assert evenly(10, None) is None
    few = DataSettings(name="yinyang", train_samples=50).labelled("train")
    whole = DataSettings(name="yinyang").labelled("train")
    assert np.array_equal(few.labels, whole.labels[::100])


def test_stored_recordings_are_those_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path))
    on_disk = DataSettings(name="yinyang", train_samples=40, in_memory=False).labelled("train")
    in_memory = DataSettings(name="yinyang", train_samples=40).labelled("train")
    assert type(on_disk).__name__ == "StoredLabelledEvents"
    read = on_disk[np.arange(40)]
    assert np.array_equal(read.stream.times, in_memory.stream.times)
    assert np.array_equal(read.labels, in_memory.labels)


def test_held_out_speaker_is_the_test_part_and_nobody_else(spoken):
    parts = {part: spoken.labelled(part, fold="bob") for part in ("train", "test")}
    halves = [datasets.load("fsdd", split=s, root=spoken.file) for s in ("train", "test")]
    groups = np.concatenate([half.groups for half in halves])
    labels = np.concatenate([half.labels for half in halves])
    assert np.array_equal(parts["test"].labels, labels[groups == "bob"])
    assert np.array_equal(parts["train"].labels, labels[groups != "bob"])
    # Event for event, takes of both parts of the data set.
    events = [half.stream[k] for half in halves for k in np.flatnonzero(half.groups == "bob")]
    assert np.array_equal(parts["test"].stream.times, np.concatenate([one.times for one in events]))
    assert len(parts["train"]) + len(parts["test"]) == labels.size


def test_unknown_group_is_told_with_those_that_there_are(spoken):
    with pytest.raises(DataError, match="held_out 'carl' is no group.*ann, bob"):
        spoken.labelled("train", fold="carl")


def test_held_out_groups_need_recordings_in_memory():
    with pytest.raises(ParameterError, match="in_memory is False, expected true where groups"):
        DataSettings(name="fsdd", held_out=("theo",), in_memory=False)


@needs_espeak
def test_voices_join_the_training_part_alone(spoken, monkeypatch):
    load = spoken_digits.load

    def few(split, *, recipe):
        assert recipe.accents == 2
        return load(split, recipe=replace(recipe, train_voices=1, test_voices=1, accents=1))

    monkeypatch.setattr(spoken_digits, "load", few)
    plain = spoken.labelled("train", fold="bob")
    settings = replace(spoken, voices=2)
    more = settings.labelled("train", fold="bob")
    # Of two voices the ten classes, twice each; "oh" is none.
    assert len(more) == len(plain) + 2 * 10 * 2
    assert np.array_equal(more.labels[: len(plain)], plain.labels)
    assert np.bincount(more.labels[len(plain) :]).tolist() == [4] * 10
    assert len(settings.labelled("test", fold="bob")) == len(spoken.labelled("test", fold="bob"))


@pytest.mark.parametrize(
    "given", [{"name": "yinyang", "voices": 1}, {"voices": 9}, {"voices": 1, "in_memory": False}]
)
def test_voices_that_cannot_be_added_are_refused(given):
    with pytest.raises(ParameterError, match="voices"):
        DataSettings(**{"name": "fsdd", **given})
