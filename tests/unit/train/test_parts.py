"""Who is learned, validated and tested: validation follows a division by group."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.errors import DataError, StorageError
from eventsim.events import Dataset, DatasetInfo, EventStream
from eventsim.train import TrainConfig, stratified_split, train
from eventsim.train.checkpoint import Origin
from eventsim.train.draws import Draw, draw_seed
from eventsim.train.loss_settings import WordsLoss
from eventsim.train.method import Exact
from eventsim.train.parts import Members, parts_of_run, validation_split
from tests.unit.train.task import small_net, two_patterns

CONFIG = TrainConfig(
    epochs=1, batch_size=8, validation_fraction=0.2, backend="cpu", precision="double"
)
SPEAKERS = np.repeat(["ann", "bob", "cid", "dot", "eve"], 8)
INFO = DatasetInfo("mine", "", ("a", "b"), 3, "", "", "", grouped=("train",))


def recordings(groups=SPEAKERS, *, info=INFO, split="train"):
    """Recordings of two classes, said by each speaker in turn."""
    n = len(groups)
    stream = EventStream(
        np.arange(n, dtype=float), np.zeros(n, int), np.arange(n + 1), n_channels=3, duration=n
    )
    return Dataset(stream, np.arange(n) % 2, ("a", "b"), info, groups=groups, split=split)


@pytest.mark.parametrize("seed", range(4))
def test_validation_of_a_division_by_group_hears_nobody_who_is_learned(seed):
    kept, held = validation_split(recordings(), replace(CONFIG, seed=seed))
    assert sorted([*kept, *held]) == list(range(40))
    assert not {*SPEAKERS[kept]} & {*SPEAKERS[held]}
    assert held.size == 8  # 20 % of 40, one speaker whole


def test_validation_of_another_division_is_of_single_recordings_as_before():
    expected = stratified_split(
        recordings().labels, fraction=0.2, seed=draw_seed(CONFIG, Draw.SPLIT)
    )
    others = (
        recordings(info=None),
        recordings(info=replace(INFO, grouped=())),
        recordings(split="ab-train"),
    )
    for data in others:
        assert np.array_equal(validation_split(data, CONFIG)[1], expected[1])
    asked = replace(CONFIG, validate="recording")
    assert np.array_equal(validation_split(recordings(), asked)[1], expected[1])


def test_validation_by_group_is_there_for_any_recordings_that_name_theirs():
    asked = replace(CONFIG, validate="group")
    _, held = validation_split(recordings(info=None), asked)
    assert np.unique(SPEAKERS[held]).size == 1


def test_validation_without_a_second_group_says_what_to_do():
    for groups, there in (
        (np.repeat("ann", 6), "are all of the group 'ann'"),
        (np.repeat("", 6), "name no groups"),
    ):
        with pytest.raises(DataError, match=there) as problem:
            validation_split(recordings(groups), CONFIG)
        for words in ("expected two groups", "validate='recording'", "validation_fraction=0"):
            assert words in str(problem.value)
    none = replace(CONFIG, validation_fraction=0.0)
    assert validation_split(recordings(np.repeat("ann", 6)), none)[1].size == 0


def test_parts_name_their_groups_with_counts():
    data = recordings()
    found = parts_of_run(data, CONFIG)
    assert found.validated_by == "group"
    whole = found.training.groups | found.validation.groups
    assert whole == dict.fromkeys(np.unique(SPEAKERS).tolist(), 8)
    assert str(found.validation).startswith("8 recordings of 1 group: ")
    assert str(Members(1200, {"ann": 1000, "bob": 200})) == (
        "1,200 recordings of 2 groups: ann 1,000, bob 200"
    )
    assert str(Members(20, dict.fromkeys(map(str, range(20)), 1))).endswith("11 1, and 8 more")
    assert parts_of_run(data, replace(CONFIG, validation_fraction=0.0)).validated_by is None


def test_parts_of_recordings_without_groups_are_counts_alone():
    data = two_patterns(20)
    found = parts_of_run(data, CONFIG)
    assert (found.training.groups, found.training.recordings) == (None, 16)
    assert str(found.validation) == "4 recordings"
    assert Members.of(np.repeat("", 3)) == Members(3, None)  # a data set without speakers


def test_a_stopped_run_is_not_continued_with_other_validation_groups(tmp_path):
    data = two_patterns(20)
    spoken = replace(data, info=INFO, split="train", groups=np.arange(20).astype(str))
    train(small_net(), spoken, CONFIG, tmp_path)
    longer = replace(CONFIG, epochs=2)
    with pytest.raises(StorageError, match="validate is 'group' there, 'recording' now"):
        train(small_net(), spoken, replace(longer, validate="recording"), tmp_path, resume=True)
    moved = replace(spoken, groups=spoken.groups[::-1])
    with pytest.raises(StorageError, match="groups is"):
        train(small_net(), moved, longer, tmp_path, resume=True)
    same = replace(longer, validate="group")  # what auto means here
    assert len(train(small_net(), spoken, same, tmp_path, resume=True).history) == 2


def test_classes_that_are_tested_and_never_learned_are_named():
    data = recordings()
    only = replace(data, labels=np.where(np.isin(SPEAKERS, ["ann"]), 1, 0))
    config = replace(CONFIG, validation_fraction=0.0)
    learned, asked = only.subset(np.flatnonzero(SPEAKERS != "ann")), only[:8]
    found = parts_of_run(learned, config).tested(learned, asked, config)
    assert found.never_learned == ("b",)
    assert found.test == Members(8, {"ann": 8})
    assert parts_of_run(data, config).tested(data, asked, config).never_learned == ()
    _, held = validation_split(data, CONFIG)  # a speaker, who alone says b: it chooses an epoch
    only = replace(data, labels=np.isin(np.arange(len(data)), held).astype(int))
    found = parts_of_run(only, CONFIG).tested(only, only.subset(held), CONFIG)
    assert found.never_learned == ("b",)


def test_recordings_that_are_there_twice_are_counted():
    times = np.random.default_rng(0).uniform(0.0, 50.0, (4, 20))
    order = [0, 1, 2, 3, 1, 2]  # in the test part two of the four again, one of them moved in time
    events = [(np.sort(times[k]), np.arange(20) % 3) for k in order]
    events[4] = (events[4][0] + 7.0, events[4][1])
    stream = EventStream.from_samples(events, n_channels=3, duration=60.0)
    data = Dataset(stream, [0, 0, 1, 1, 0, 1], ("a", "b"))
    learned, asked = data.subset(np.arange(4)), data.subset(np.arange(4, 6))
    config = replace(CONFIG, validation_fraction=0.0)
    found = parts_of_run(learned, config).tested(learned, asked, config)
    assert (found.test_met, found.validation_met) == (2, 0)
    assert found.met == [("tested, with the same events as one of training", "2 of 2")]
    other = data.subset(np.array([3]))
    assert parts_of_run(learned, config).tested(learned, other, config).test_met == 1
    found = parts_of_run(learned.subset(np.arange(3)), config)
    assert found.tested(learned.subset(np.arange(3)), other, config).met == []
    # Every recording is there twice, and validation holds out what is learned.
    double = data.subset(np.array([0, 0, 0, 0, 2, 2, 2, 2]))
    halves = replace(CONFIG, validation_fraction=0.5)
    found = parts_of_run(double, halves).tested(double, other, halves)
    assert found.met == [("validated, with the same events as one that is learned", "4 of 4")]


def test_recordings_of_few_events_are_the_same_only_at_the_same_times():
    learned, config = recordings(), replace(CONFIG, validation_fraction=0.0)  # one event each
    stream = EventStream([3.0, 3.5], [0, 0], [0, 1, 2], n_channels=3, duration=40.0)
    asked = Dataset(stream, [0, 1], ("a", "b"))
    assert parts_of_run(learned, config).tested(learned, asked, config).test_met == 1


def test_words_of_ctc_are_learned_in_any_string():
    data = replace(recordings(), class_names=("one two", "two one"))
    learned, asked = (data.subset(np.flatnonzero(data.labels == k)) for k in (0, 1))
    config = replace(CONFIG, validation_fraction=0.0, loss=WordsLoss())
    found = parts_of_run(learned, config)
    assert found.tested(learned, asked, config).never_learned == ()
    other = replace(asked, class_names=("one two", "three one"))
    assert found.tested(learned, other, config).never_learned == ("three",)


def test_without_a_validation_part_a_checkpoint_does_not_ask_how_it_is_drawn():
    none = replace(CONFIG, validation_fraction=0.0)
    settings = [
        Origin.of(small_net(), recordings(), replace(none, validate=how), Exact()).config
        for how in ("auto", "group", "recording")
    ]
    assert settings[0] == settings[1] == settings[2]
