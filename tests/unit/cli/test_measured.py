"""What is measured: the test part of a run, or others, and how many of these were learned."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.cli.events import find_for
from eventsim.cli.measured import find_measured, measured_by
from eventsim.cli.reading import Reading
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.made import Made
from eventsim.errors import ParameterError
from eventsim.events import Dataset, EventStream
from eventsim.events.begin import TimeZero, edges
from eventsim.runs.data import DataSettings
from eventsim.runs.recordings import OWN
from eventsim.runs.run import load_run
from eventsim.runs.settings import RunSettings
from eventsim.train import TrainConfig
from eventsim.train.choice import answer_of
from eventsim.train.folder import RunFolder
from eventsim.train.method import Exact
from tests.unit.cli.conftest import done, told
from tests.unit.datasets import conftest as files
from tests.unit.train.task import small_net, two_patterns

wavs = files.wavs

N, TESTED = 40, 8  # recordings of the file, and those of its test part


@pytest.fixture
def run(tmp_path):
    """A file of one's own, and the folder of a run on it; nothing is trained for that."""
    data = two_patterns(N)
    data.save(tmp_path / "mine.h5")
    own = DataSettings(name=OWN, file=str(tmp_path / "mine.h5"))
    return made_run(tmp_path / "run", own, small_net(), data.class_names)


def made_run(folder, data, net, class_names):
    settings = RunSettings(
        data=data, network=None, train=TrainConfig(backend="cpu", precision="double"), command=""
    )
    net.set_answer(answer_of(settings.train, class_names))
    RunFolder(folder, settings.about()).describe(settings.train, Exact())
    for name in ("initial", "last", "selected"):
        net.save(folder / f"{name}.npz")
    return folder


def measured(net, place, split=None):
    return find_measured(
        net, None if place is None else str(place), Reading(split=split), samples=None
    )[2]


@pytest.mark.parametrize("net", [".", "last.npz"])
def test_the_file_of_a_run_means_the_part_that_the_run_tests(run, net):
    found = measured(run / net, run.parent / "mine.h5")
    assert (found.part, found.recordings, found.of_training) == ("test", TESTED, 0)
    assert str(found) == "8 recordings of the test part, none of training"
    found = measured(run / net, run.parent / "mine.h5", "train")
    assert (found.part, found.recordings, found.of_training) == ("train", N - TESTED, N - TESTED)
    assert found.warning is None
    with pytest.raises(ParameterError, match="does not apply to the recordings of the run"):
        find_for(run / net, str(run.parent / "mine.h5"), Reading(begin="100"))


@pytest.mark.parametrize("net", [".", "last.npz"])
def test_recordings_of_training_in_another_file_are_counted(run, net):
    shutil.copy(run.parent / "mine.h5", run.parent / "copy.h5")
    found = measured(run / net, run.parent / "copy.h5")
    assert (found.part, found.recordings, found.of_training) == ("all", N, N - TESTED)
    assert "32 of the 40 recordings measured are of the training part" in found.warning
    new = two_patterns(6, seed=9)
    new.save(run.parent / "new.h5")
    found = measured(run / net, run.parent / "new.h5")
    assert (found.of_training, found.warning) == (0, None)


@pytest.mark.parametrize("change", ["a clock", "rounded", "each its own"])
def test_recordings_of_training_whose_times_an_import_has_changed_are_counted(run, change):
    data = two_patterns(N)
    begin = {"a clock": 37250.0, "rounded": 0.0, "each its own": np.linspace(0.1, 9.0, N)}[change]
    moved = [(t + by, c) for (t, c), by in zip(data.stream, np.broadcast_to(begin, N), strict=True)]
    stream = EventStream.from_samples(
        moved, n_channels=data.stream.n_channels, duration=data.stream.duration + np.max(begin)
    )
    if change == "rounded":
        stream = stream.round_times(1e-3)
    Dataset(stream, data.labels, data.class_names).save(run.parent / "changed.h5")
    assert measured(run, run.parent / "changed.h5").of_training == N - TESTED


def test_none_of_another_file_is_said_of_the_events_that_were_compared(run):
    two_patterns(6, seed=9).save(run.parent / "new.h5")
    found = measured(run, run.parent / "new.h5")
    assert found.about_training == "none with the same events as one of training"
    assert found.to_dict()["compared"]


def test_the_same_times_in_other_channels_are_another_recording(run):
    data = two_patterns(N)
    swapped = [(t, c[::-1]) for t, c in data.stream]
    stream = EventStream.from_samples(
        swapped, n_channels=data.stream.n_channels, duration=data.stream.duration
    )
    Dataset(stream, data.labels, data.class_names).save(run.parent / "swapped.h5")
    assert measured(run, run.parent / "swapped.h5").of_training == 0


def test_recordings_without_events_are_counted_as_new(run):
    empty = EventStream.from_samples([((), ())] * 2, n_channels=6, duration=60.0)
    Dataset(empty, np.array([0, 1]), ("low", "high")).save(run.parent / "empty.h5")
    assert measured(run, run.parent / "empty.h5").of_training == 0


def test_recordings_with_other_numbers_of_events_are_not_read_for_the_comparison(run, monkeypatch):
    events = (np.arange(50.0), np.zeros(50, np.int32))
    long = EventStream.from_samples([events] * 2, n_channels=6, duration=60.0)
    Dataset(long, np.array([0, 1]), ("low", "high")).save(run.parent / "long.h5")
    monkeypatch.setattr(EventStream, "sample", None)  # nothing is read
    assert measured(run, run.parent / "long.h5").of_training == 0


def test_what_cannot_be_told_is_said_and_not_guessed(run):
    alone = run.parent / "net.npz"
    shutil.copy(run / "last.npz", alone)
    found = measured(alone, run.parent / "mine.h5")
    assert (found.recordings, found.of_training) == (N, None)
    assert "perhaps some of training (net.npz is a network file outside" in str(found)
    new = run.parent / "new.h5"
    two_patterns(6, seed=9).save(new)
    (run.parent / "mine.h5").unlink()
    found = measured(run, new)
    assert found.of_training is None
    assert "mine.h5" in found.unknown


def test_evaluate_takes_the_test_part_and_tells_it_where_the_accuracy_stands(run):
    expected = told("evaluate", run)
    outcome = told("evaluate", run / "last.npz", run.parent / "mine.h5")
    assert outcome["accuracy"] == expected["accuracy"]
    assert outcome["measured"] == expected["measured"]
    assert (outcome["samples"], outcome["split"]) == (TESTED, "test")
    shutil.copy(run.parent / "mine.h5", run.parent / "copy.h5")
    done("evaluate", run / "last.npz", run.parent / "copy.h5").says(
        "32 of the 40 recordings measured are of the training part"
    ).shows("32 of them of training, validation included")


@pytest.mark.parametrize("command", ["simulate", "cost", "map"])
def test_every_command_tells_what_it_measured(run, command):
    shutil.copy(run.parent / "mine.h5", run.parent / "copy.h5")
    more = {"map": ("--chip", "loihi", "--method", "first-fit"), "cost": ("--chip", "loihi")}
    options = (*more.get(command, ()), "--backend", "cpu", "--samples", 10)
    outcome = done(command, run, run.parent / "copy.h5", *options, "--json")
    assert outcome.json["measured"]["recordings"] == 10
    assert 0 < outcome.json["measured"]["of_training"] <= 10
    assert "are of the training part of the run" in outcome.err


def test_the_part_of_a_data_set_that_both_divide_alike_is_known_without_reading_it(run, digits):
    """Reading the training part of a large set only to see that it is another one takes long."""
    found = find_for(run, str(digits), Reading())
    assert (found.part, found.own) == ("test", False)
    assert measured_by(run, found, found.stream).of_training == 0


@pytest.mark.parametrize(
    ("data", "learned"),
    [
        ({}, 0),
        ({"test_group": ("ann",)}, 4),
        ({"train_split": "test", "test_split": "train"}, 8),
    ],
)
def test_the_test_part_of_a_data_set_that_the_run_divides_otherwise_is_compared(
    tmp_path, wavs, monkeypatch, data, learned
):
    """Of the eight recordings of the test part four are of ann, the others of bob."""
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EVENTSIM_DATA", str(wavs.parent))
    own = DataSettings(name="fsdd", **data)
    RunFolder(tmp_path, RunSettings(data=own).about()).describe(TrainConfig(), Exact())
    found = find_for(tmp_path, "fsdd", Reading())
    assert (found.part, found.own, found.stream.n_samples) == ("test", False, 8)
    assert measured_by(tmp_path, found, found.stream).of_training == learned


@pytest.mark.parametrize("n", [None, 4])
def test_of_the_training_part_of_a_data_set_those_count_that_the_run_took(
    tmp_path, wavs, monkeypatch, n
):
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EVENTSIM_DATA", str(wavs.parent))
    own = DataSettings(name="fsdd", train_samples=n)
    RunFolder(tmp_path, RunSettings(data=own).about()).describe(TrainConfig(), Exact())
    found = find_for(tmp_path, "fsdd", Reading(split="train"))
    assert found.stream.n_samples > 4
    assert measured_by(tmp_path, found, found.stream).of_training == (n or found.stream.n_samples)


def test_recordings_that_are_learned_and_tested_are_told_wherever_the_accuracy_stands(tmp_path):
    data = two_patterns(N)
    order = np.concatenate([np.arange(N), np.arange(5)])  # the first five a second time
    splits = np.array(["train"] * N + ["test"] * 5)
    data.subset(order).save(tmp_path / "mine.h5", splits=splits)
    options = ("--hidden", 4, "--epochs", 1, "--threads", 1, "--out", tmp_path / "run")
    said = done("train", tmp_path / "mine.h5", *options)
    row = "tested, with the same events as one of training"
    for text in (said.out, (tmp_path / "run" / "index.html").read_text()):
        assert row in " ".join(text.split())
        assert "5 of 5" in text
    kept = load_run(tmp_path / "run").parts
    assert kept.test_met == 5
    again = done("evaluate", tmp_path / "run", "--json")
    assert again.json["measured"]["of_training"] == 5
    assert "5 of the 5 recordings measured are of the training part" in again.err


def test_a_file_that_was_made_otherwise_than_the_recordings_of_the_run_is_told(tmp_path):
    data = two_patterns(N)
    notes = {
        name: Made().notes(TimeZero(name, "why", np.zeros(N), edges(data.stream)))
        for name in ("first-event", "zero")
    }
    data.save(tmp_path / "mine.h5", notes=notes["first-event"])
    other = two_patterns(N, seed=7)
    other.save(tmp_path / "same.h5", notes=notes["first-event"])
    other.save(tmp_path / "other.h5", notes=notes["zero"])
    train = ("train", tmp_path / "mine.h5", "--hidden", 4, "--epochs", 1, "--threads", 1)
    words = "time 0 of other.h5 is that of the source, of mine.h5 the first event"
    done(*train, "--test-data", tmp_path / "other.h5", "--out", tmp_path / "run").says(words)
    assert words in " ".join((tmp_path / "run" / "index.html").read_text().split())
    for name, there in (("same.h5", False), ("other.h5", True)):
        found = done("evaluate", tmp_path / "run", tmp_path / name, "--json")
        assert (words in found.err) == there
        assert any(words in one for one in found.json["measured"]["read"]["guesses"]) == there


@pytest.mark.parametrize(("factor", "there"), [(1.0, False), (10.0, False), (1000.0, True)])
def test_recordings_of_another_length_than_those_of_the_run_are_told(run, tmp_path, factor, there):
    data = two_patterns(N, seed=7)
    stream = replace(data.stream, times=data.stream.times * factor,
                     duration=data.stream.duration * factor)  # fmt: skip
    replace(data, stream=stream).save(tmp_path / "other.h5")
    found = done("evaluate", run, tmp_path / "other.h5", "--json")
    words = "last 60,000 ms, those of mine.h5 60 ms (medians)"
    assert (words in found.err) == there
    assert any(words in one for one in found.json["measured"]["read"]["guesses"]) == there
    settings = DataSettings(
        name=OWN, file=str(tmp_path / "mine.h5"), test_file=str(tmp_path / "other.h5")
    )
    assert (words in settings.info.splits) == there


@pytest.mark.parametrize(("duration", "there"), [(60.0, False), (60_000.0, True)])
def test_recordings_of_another_length_than_those_of_a_named_set_are_told(tmp_path, duration, there):
    folder = tmp_path / "run"
    made_run(folder, DataSettings(name="yinyang"), es.scsr(5, (3,), 3), ("yin", "yang", "dot"))
    EventStream([1.0, 9.0], [0, 3], [0, 2], n_channels=5, duration=duration).save("long.npz")
    words = "last 60,000 ms, those of yinyang 60 ms (medians)"
    assert (words in done("predict", folder, "long.npz").err) == there


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        ({"sensor_size": "4,2,2"}, {"sensor_size": "2,4,2"}, "b.h5 is of a sensor of 2,4,2, a.h5"),
        ({"sensor_size": "4,2,2"}, {"sensor_size": "4,2,2"}, None),
        ({"sensor_size": "4,2,2"}, {}, None),
        ({"audio": 3700.0}, {"audio": 8000.0}, "b.h5 was encoded by another cochlea"),
        ({"audio": 3700.0}, {"audio": 3700.0}, None),
        ({"begin": 3.0}, {"begin": 4.0}, "time 0 of b.h5 is 4.0 ms of the source, of a.h5 3.0 ms"),
    ],
)
def test_notes_that_differ_are_said(mine, theirs, said):
    def notes(given):
        made = {
            "begin": lambda at: json.dumps({"rule": "time", "time_ms": at, "reason": "why"}),
            "audio": lambda most: AudioEncoding(
                CochleaEncoder(streaming=True, frequency_max=most), 16000.0
            ).note(),
        }
        return {key: made.get(key, str)(value) for key, value in given.items()}

    own, other = (Made.of_notes(notes(given), "a file") for given in (mine, theirs))
    found = own.differences("runs/a.h5", other, "b.h5")
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_recordings_that_are_chosen_of_more_say_so(run):
    few, whole = (
        told("evaluate", run, "mine.h5", *more)["measured"] for more in (("--samples", 3), ())
    )
    assert (few["recordings"], few["chosen_of"], few["by_class"]) == (3, TESTED, True)
    assert (whole["chosen_of"], whole["by_class"]) == (None, False)
    for command in ("evaluate", "simulate"):
        done(command, run, "mine.h5", "--samples", 3).shows(
            "3 of 8, spread evenly over the classes"
        )
    EventStream.from_samples([([1.0], [0])] * 4, n_channels=6, duration=9.0).save("plain.npz")
    assert "of 4, " not in done("simulate", run, "plain.npz").out
    done("simulate", run, "plain.npz", "--samples", 2).shows(
        "2 recordings (2 of 4, the first ones)"
    )
