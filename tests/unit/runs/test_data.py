from dataclasses import asdict, replace
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest

from eventsim import datasets
from eventsim.datasets import fsdd, spoken_digits
from eventsim.errors import DataError, ParameterError
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.experiment import DataSettings
from eventsim.experiment.resolve import Shape
from eventsim.runs.division import disjoint, evenly, limited
from eventsim.train import TrainConfig, stratified_split
from eventsim.train.draws import Draw, draw_seed
from eventsim.train.parts import Members, validation_split
from tests.unit.datasets import conftest as files

wavs = files.wavs


@pytest.fixture
def spoken(wavs, tmp_path, monkeypatch):
    """Two digits by two speakers, takes in both parts of the data set."""
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    return DataSettings(name="fsdd", file=str(wavs))


def without(settings, *groups):
    """The settings by which these groups are the test part."""
    return replace(settings, test_group=groups)


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
    # Where classes take turns, every third recording is of one class.
    turns = np.arange(27) % 3
    assert np.bincount(turns[limited(turns, 9)]).tolist() == [3, 3, 3]
    assert limited(np.sort(turns), 9).tolist() == evenly(27, 9).tolist()
    assert limited(turns, 5).tolist() == evenly(27, 5).tolist()
    assert limited(turns, None) is None


def test_fewer_recordings_are_of_every_class(own):
    settings = DataSettings(file=own(splits=np.repeat(["train", "test"], [10, 10])))
    whole = settings.labelled("train").labels
    assert whole.tolist() == [0, 1] * 5  # so that every second one is of one class
    few = DataSettings(file=settings.file, train_samples=5, test_samples=4)
    assert np.bincount(few.labelled("train").labels).min() == 2
    assert np.bincount(few.labelled("test").labels).tolist() == [2, 2]
    few = DataSettings(name="yinyang", train_samples=50).labelled("train")
    whole = DataSettings(name="yinyang").labelled("train")
    assert np.array_equal(few.labels, whole.labels[::100])


def test_stored_recordings_are_those_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path))
    on_disk = DataSettings(name="yinyang", train_samples=40, in_memory=False).labelled("train")
    in_memory = DataSettings(name="yinyang", train_samples=40).labelled("train")
    assert isinstance(on_disk.stream, StoredStream)
    read = on_disk[np.arange(40)]
    assert np.array_equal(read.stream.times, in_memory.stream.times)
    assert np.array_equal(read.labels, in_memory.labels)


def test_held_out_speaker_is_the_test_part_and_nobody_else(spoken):
    parts = {part: without(spoken, "bob").labelled(part) for part in ("train", "test")}
    halves = [datasets.load("fsdd", split=s, root=spoken.file) for s in ("train", "test")]
    groups = np.concatenate([half.groups for half in halves])
    labels = np.concatenate([half.labels for half in halves])
    assert np.array_equal(parts["test"].labels, labels[groups == "bob"])
    assert np.array_equal(parts["train"].labels, labels[groups != "bob"])
    # Event for event, takes of both parts of the data set.
    events = [half.stream[k] for half in halves for k in np.flatnonzero(half.groups == "bob")]
    assert np.array_equal(parts["test"].stream.times, np.concatenate([one.times for one in events]))
    assert len(parts["train"]) + len(parts["test"]) == labels.size
    with pytest.raises(DataError, match="test_group 'carl' is no group.*ann, bob"):
        without(spoken, "carl").labelled("train")


def test_repeats_come_in_the_training_part_alone(spoken):
    more, plain = replace(spoken, repeats=3), without(spoken, "bob").labelled("train")
    found = without(more, "bob").labelled("train")
    assert np.array_equal(found.labels, np.tile(plain.labels, 3))
    assert np.array_equal(found.stream.times, np.tile(plain.stream.times, 3))
    test = without(more, "bob").labelled("test")
    assert np.array_equal(test.labels, without(spoken, "bob").labelled("test").labels)


@pytest.mark.crossed("repeats are of one part; a case takes 20 ms", test=None)
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"repeats": 2},
        {"test_group": ("bob",)},
        {"test_group": ("bob",), "repeats": 2},
        {"divide": "group"},
        {"divide": "recording", "train_samples": 3, "repeats": 2},
        {"encoder": {"gain": 1000.0}, "test_samples": 3},
    ],
    ids=lambda given: "-".join(given) or "alone",
)
def test_times_are_rounded_whatever_else_is_asked_of_the_recordings(spoken, beside, part):
    plain = replace(spoken, **beside)
    found = replace(plain, round_times=5.0).labelled(part)
    expected = plain.labelled(part)
    assert expected.stream.n_events > 0
    assert (expected.stream.times % 5.0 != 0.0).any()
    np.testing.assert_array_equal(found.stream.times, expected.stream.round_times(5.0).times)
    np.testing.assert_array_equal(found.labels, expected.labels)


@pytest.mark.parametrize("fold", [(), ("bob",)])
def test_encoder_is_that_of_both_parts(spoken, fold):
    softer = replace(spoken, encoder={"gain": 1000.0, "emphasis": 0.9})
    encoder = replace(fsdd.ENCODER, gain=1000.0, emphasis=0.9)
    halves = [fsdd.load(split, root=spoken.file, encoder=encoder) for split in ("train", "test")]
    n_events = sum(half.stream.n_events for half in halves)
    parts = [without(softer, *fold).labelled(part) for part in ("train", "test")]
    assert sum(part.stream.n_events for part in parts) == n_events
    plain = [without(spoken, *fold).labelled(part) for part in ("train", "test")]
    assert sum(part.stream.n_events for part in plain) > n_events


def test_synthetic_digits_are_heard_by_the_encoder_of_the_run(monkeypatch):
    heard, few = [], datasets.load("yinyang", split="test")

    def noted(split, *, root, recipe):
        heard.append(recipe.encoder)
        return SimpleNamespace(load=lambda: few)

    monkeypatch.setattr(spoken_digits, "source", noted)
    DataSettings(name="spoken_digits", encoder={"streaming": True}).labelled("train")
    assert heard == [replace(spoken_digits.ENCODER, streaming=True)]


@pytest.fixture
def own(tmp_path):
    """Recordings of two classes, the time of whose only event is their number."""

    def write(name="own.h5", *, splits=None, groups=None, class_names=("a", "b"), n=20):
        times = np.arange(n, dtype=float)
        stream = EventStream(
            times, np.zeros(n, int), np.arange(n + 1), n_channels=3, duration=float(n)
        )
        path = tmp_path / name
        labels = np.arange(n) % len(class_names)
        Dataset(stream, labels, class_names, groups=groups).save(path, splits=splits)
        return str(path)

    return write


def numbers(data):
    return sorted(data.stream[:].times.astype(int).tolist())


def test_file_without_a_division_gives_a_fifth_of_every_class_to_the_test(own):
    settings = DataSettings(file=own())
    train, test = settings.labelled("train"), settings.labelled("test")
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert sorted(numbers(train) + numbers(test)) == list(range(20))
    assert numbers(DataSettings(file=settings.file).labelled("test")) == numbers(test)
    other = DataSettings(file=settings.file, division_seed=1, test_fraction=0.5).labelled("test")
    assert (len(other), numbers(other)[:4] == numbers(test)) == (10, False)
    assert "20 % of every class are the test part, drawn by seed 0" in settings.info.splits


def test_groups_of_a_file_stay_together(own):
    groups = np.repeat(["ann", "bob", "cid", "dot", "eve"], 4)
    settings = DataSettings(file=own(groups=groups))
    train, test = halves(settings)
    assert len(test) == 4
    assert not set(train.groups) & set(test.groups)
    assert "in whole groups" in settings.info.splits
    held = without(settings, "bob").labelled("test")
    assert numbers(held) == [4, 5, 6, 7]


def test_division_of_a_file_is_taken_from_it(own):
    splits = np.repeat(["train", "valid", "test"], [10, 4, 6])
    settings = DataSettings(file=own(splits=splits), in_memory=False)
    assert numbers(settings.labelled("train")) == list(range(10))
    assert numbers(settings.labelled("test")) == list(range(14, 20))
    assert numbers(settings.labelled("valid")) == [10, 11, 12, 13]
    assert settings.labelled("test").split == "test"
    with pytest.raises(DataError, match="no part 'dev', expected one of train, test, valid"):
        settings.labelled("dev")
    said = "as the file says: train and test; left out: the part valid of the file"
    assert settings.info.splits == said
    plain = DataSettings(file=own("plain.h5", splits=np.repeat(["train", "test"], [10, 10])))
    assert plain.info.splits == "as the file says: train and test"


def test_file_of_ones_own_is_a_setting_that_decides_and_has_a_shape(own):
    settings = DataSettings(file=own())
    assert settings.plain()["file"] == settings.file
    assert "file" not in DataSettings(name="fsdd", file="recordings.zip").plain()
    assert Shape.described(settings) == Shape(3, ("a", "b"))
    assert DataSettings(**asdict(settings)) == settings


def test_another_file_is_the_test_part_with_the_classes_of_the_first(own):
    test = own("test.h5", class_names=("b", "a"), n=6)
    settings = DataSettings(file=own(), test_file=test)
    found = settings.labelled("test")
    assert (found.class_names, found.labels.tolist()) == (("a", "b"), [1, 0, 1, 0, 1, 0])
    assert len(settings.labelled("train")) == 20
    foreign = DataSettings(file=own(), test_file=own("foreign.h5", class_names=("a", "x")))
    with pytest.raises(DataError, match="recordings of class 'x', expected one of a, b"):
        foreign.labelled("test")


def test_times_are_rounded_in_both_parts():
    coarse = DataSettings(name="yinyang", round_times=2.0)
    for part in ("train", "test"):
        given = datasets.load("yinyang", split=part)
        found = coarse.labelled(part)
        assert np.array_equal(found.stream.times, given.stream.round_times(2.0).times)
        assert np.array_equal(found.labels, given.labels)
    assert DataSettings(**asdict(coarse)) == coarse
    assert coarse.plain()["round_times"] == 2.0


# --- divided by group or by recording --------------------------------------------------------


def halves(settings):
    return settings.labelled("train"), settings.labelled("test")


def has_all(train, test, n):
    """Every recording is in one part, and in one alone."""
    assert not set(train.keys) & set(test.keys)
    assert len({*train.keys, *test.keys}) == len(train) + len(test) == n


def test_a_file_of_ones_own_is_divided_as_asked(own):
    groups = np.repeat(["ann", "bob", "cid", "dot", "eve"], 4)
    path = own(groups=groups, splits=np.repeat(["train", "test"], [15, 5]))
    assert numbers(DataSettings(file=path).labelled("test")) == [15, 16, 17, 18, 19]
    train, test = halves(DataSettings(file=path, divide="group"))
    assert not set(train.groups) & set(test.groups)
    assert sorted(numbers(train) + numbers(test)) == list(range(20))
    train, test = halves(DataSettings(file=path, divide="recording"))
    assert np.bincount(test.labels).tolist() == [2, 2]
    assert sorted(numbers(train) + numbers(test)) == list(range(20))


def test_a_data_set_is_divided_anew_where_that_is_asked(spoken):
    both = [datasets.load("fsdd", split=s, root=spoken.file) for s in ("train", "test")]
    train, test = halves(replace(spoken, divide="group", test_fraction=0.5))
    assert not set(train.groups) & set(test.groups)
    has_all(train, test, sum(map(len, both)))


def test_file_that_says_what_is_tested_leaves_nothing_to_draw(own):
    settings = DataSettings(file=own(splits=np.repeat(["train", "test"], [15, 5])))
    for given in ({"test_fraction": 0.3}, {"division_seed": 1}):
        with pytest.raises(ParameterError, match="own.h5 says what is tested"):
            replace(settings, **given).labelled("train")
        assert len(replace(settings, **given, divide="recording").labelled("test")) > 0


def test_groups_that_are_not_there_cannot_divide(own):
    for groups in (None, np.repeat("ann", 20)):
        settings = DataSettings(file=own(groups=groups), divide="group")
        with pytest.raises(DataError, match="own.h5: divide is 'group', expected recordings of"):
            settings.labelled("train")
        assert len(replace(settings, divide="recording").labelled("test")) == 4


YINYANG, FSDD = {"name": "yinyang"}, {"name": "fsdd"}


# --- validated as it is divided, tested by name --------------------------------------------------


GROUPS = np.repeat(["ann", "bob", "cid", "dot", "eve"], 4)


def sides_of(settings):
    """Groups that are learned, validated and tested, as training and test take them."""
    train, test = halves(settings)
    kept, held = validation_split(train, TrainConfig(validation_fraction=0.2))
    return [set(part.tolist()) for part in (train.groups[kept], train.groups[held], test.groups)]


def test_groups_of_validation_and_test_are_not_learned_however_groups_are_divided(own):
    parts = np.where(np.isin(GROUPS, ["dot", "eve"]), "test", "train")
    path, other = own(groups=GROUPS), own("other.h5", groups=np.repeat(["fay", "gus"], 10))
    alone = own("alone.h5", groups=np.repeat(["fay"], 20))
    for settings in (
        DataSettings(file=path),
        DataSettings(file=path, divide="group", test_fraction=0.4),
        DataSettings(file=path, test_group=("bob", "eve")),
        DataSettings(file=path, test_file=other),
        DataSettings(file=path, test_file=alone),
        DataSettings(file=own("divided.h5", groups=GROUPS, splits=parts)),
        *DataSettings(file=path, held_out=("cid", "dot")).turns,
        *DataSettings(file=path, folds=3).turns,
    ):
        learned, validated, tested = sides_of(settings)
        assert learned
        assert validated
        assert tested
        assert len(learned | validated | tested) == len(learned) + len(validated) + len(tested)
        assert settings.by_group


def test_repeats_do_not_bring_learned_speakers_into_validation(spoken):
    """Else a copy of a learned recording, or its speaker, would choose the epoch."""
    settings = replace(spoken, repeats=2)
    train = settings.labelled("train")
    assert settings.recorded(np.arange(len(train))) == len(train) // 2
    kept, held = validation_split(train, TrainConfig(validation_fraction=0.2, validate="group"))
    assert held.size
    assert not {*train.groups[kept]} & {*train.groups[held]}


def test_validation_of_a_division_by_recording_is_by_recording(own):
    parts = np.where(np.arange(20) % 4 == 0, "test", "train")
    for settings in (
        DataSettings(file=own(groups=GROUPS), divide="recording"),
        DataSettings(file=own("split.h5", groups=GROUPS, splits=parts)),
        DataSettings(file=own("nobody.h5")),
    ):
        assert not settings.by_group
        train = settings.labelled("train")
        config = TrainConfig(validation_fraction=0.2)
        _, held = validation_split(train, config)
        seed = draw_seed(config, Draw.SPLIT)
        expected = stratified_split(train.labels, fraction=0.2, seed=seed)[1]
        assert held.tolist() == expected.tolist()


def test_data_sets_with_other_speakers_in_their_test_part_are_divided_by_group():
    by_group = {name for name in datasets.DATASETS if DataSettings(name=name).by_group}
    assert by_group == {"spoken_digits", "ntidigits", "ntidigits_strings"}
    ab = DataSettings(name="ntidigits", train_split="ab-train", test_split="ab-test")
    assert not ab.by_group


@pytest.mark.parametrize(
    ("learned", "tested", "apart"),
    [
        (["anna", "bert"], ["carl", "dora"], True),
        (["anna", "bert"], ["bert", "carl"], False),  # one new speaker is not enough
        (["anna", "bert"], ["anna", "anna"], False),
        (["anna", "anna"], ["bert", "carl"], False),  # of one group alone nobody can say it
        (["anna", "bert"], None, False),
    ],
)
def test_parts_are_apart_where_no_group_is_in_both(learned, tested, apart):
    stream = EventStream([1.0, 1.0], [0, 0], [0, 1, 2], n_channels=1, duration=2.0)
    sides = [
        Dataset(
            stream, np.zeros(2, np.int64), ("a",), groups=None if one is None else np.array(one)
        )
        for one in (learned, tested)
    ]
    assert disjoint(*sides) is apart


def test_groups_that_are_tested_are_told_by_name_with_their_recordings(own):
    told = DataSettings(file=own(groups=GROUPS)).info.splits
    tested = np.unique(DataSettings(file=own(groups=GROUPS)).labelled("test").groups).item()
    assert told.endswith(f"drawn by seed 0: 4 recordings of 1 group: {tested} 4 are tested")
    chosen = DataSettings(file=own(groups=GROUPS), test_group=("bob", "eve"))
    assert chosen.info.splits == "by group: tested are bob, eve, all others are learned"
    assert chosen.fold == "bob, eve"


def test_recordings_without_a_group_are_a_fold_with_a_name(own):
    """A fold of no name would be taken for no fold: its experiment could never be collected."""
    path = own(groups=np.repeat(["", "bob", "cid", "dot"], 5))
    turns = DataSettings(file=path, folds="each").turns
    assert [turn.fold for turn in turns] == ["without a group", "bob", "cid", "dot"]
    assert turns[0].info.splits == ("by group: tested are without a group, all others are learned")
    assert str(Members(2, {"": 1, "bob": 1})) == (
        "2 recordings of 2 groups: without a group 1, bob 1"
    )


def test_folds_test_every_group_once(own):
    sizes = [8, 1, 3, 5, 3]
    groups = np.repeat(["ann", "bob", "cid", "dot", "eve"], sizes)
    path = own(groups=groups)
    for folds, n in ((2, 2), (3, 3), (5, 5), ("each", 5)):
        turns = DataSettings(file=path, divide="group", folds=folds).turns
        tested = [numbers(turn.labelled("test")) for turn in turns]
        assert len(turns) == n
        assert sorted(chain(*tested)) == list(range(20))
        for turn in turns:
            has_other = {*turn.labelled("train").groups} & {*turn.labelled("test").groups}
            assert not has_other
    sizes = [len(turn.labelled("test")) for turn in DataSettings(file=path, folds=2).turns]
    assert sorted(sizes) == [9, 11]
    other = DataSettings(file=own("same.h5", groups=GROUPS), folds=2, division_seed=1).turns
    assert other[0].test_group != DataSettings(file=own(groups=GROUPS), folds=2).turns[0].test_group


@pytest.mark.parametrize("in_memory", [True, False])
def test_groups_that_are_tested_leave_no_part_of_a_file_out(own, in_memory):
    path = own(groups=GROUPS, splits=np.repeat(["train", "valid", "test"], [8, 4, 8]))
    settings = DataSettings(file=path, test_group=("ann",), in_memory=in_memory)
    train, test = halves(settings)
    assert (numbers(test), numbers(train)) == ([0, 1, 2, 3], list(range(4, 20)))
    assert isinstance(train.stream, EventStream) == in_memory


def test_parts_of_a_data_set_that_a_division_leaves_out_are_named():
    left_out = "; left out: the part valid of the data set"
    assert DataSettings(name="ssc", test_group=("a",)).info.splits.endswith(f"learned{left_out}")
    assert DataSettings(name="ssc", held_out=("a",)).info.splits.endswith(f"held out{left_out}")
    assert "left out" not in DataSettings(name="ssc").info.splits
    assert "left out" not in DataSettings(name="shd", test_group=("a",)).info.splits


def test_another_part_is_that_of_the_data_set_whoever_is_held_out(own):
    path = own(groups=GROUPS, splits=np.repeat(["train", "valid", "test"], [8, 4, 8]))
    settings = DataSettings(file=path, test_group=("ann",))
    assert numbers(settings.labelled("valid")) == [8, 9, 10, 11]
