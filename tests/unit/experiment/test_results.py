import json
import re
from dataclasses import asdict

import pytest

from eventsim.errors import StorageError
from eventsim.experiment import collect, compare, save_plan
from eventsim.experiment.figure import figure
from eventsim.experiment.table import COLUMNS, cells, markdown, notes
from eventsim.plot.style import look, png


def write(root, condition, seed, accuracy, *, selected=None, fold=None, **other):
    """A result as a run leaves it."""
    result = {
        "condition": condition,
        "seed": seed,
        "fold": fold,
        "test": {"epoch": 2, "accuracy": accuracy},
        "selected_by_validation": None if selected is None else {"epoch": 1, "accuracy": selected},
        "validation_accuracy": 0.5,
        "train_accuracy": 0.75,
        "trained_parameters": 1234,
        "synaptic_operations_per_inference": 1000.0 * (seed + 1),
        "neuron_updates_per_inference": 100.0,
        "spikes_per_neuron_and_second": 10.0,
        "training_seconds": 2.0,
        "compile_seconds": 4.0,
        "peak_mb": 100.0,
    } | other
    folder = root / condition / f"seed-{seed}{'' if fold is None else fold}"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(result) + "\n")


@pytest.fixture
def root(files, tmp_path):
    save_plan(files.resolve(), tmp_path / "out")
    return tmp_path / "out"


def test_rows_have_means_and_deviations_over_seeds(root):
    for seed, accuracy in enumerate((0.90, 0.80, 0.85)):
        write(root, "plain", seed, accuracy, selected=accuracy + 0.01)
    for seed, accuracy in enumerate((0.95, 0.90, 0.89)):
        write(root, "skip", seed, accuracy)
    found = collect(root)
    plain, skip = found.rows
    assert (plain.last.mean, plain.last.deviation) == (pytest.approx(0.85), pytest.approx(0.05))
    assert plain.selected.mean == pytest.approx(0.86)
    assert skip.selected is None
    assert plain.measured["synaptic_operations_per_inference"] == 2000.0
    assert plain.measured["compile_seconds"] == 4.0
    assert plain.comparison is None
    expected = compare([0.95, 0.90, 0.89], [0.90, 0.80, 0.85])
    assert skip.comparison == expected
    assert skip.p_holm == expected.p_t  # one test only: nothing to correct
    assert found.absent == ()


def test_tests_use_the_seeds_that_both_have(root):
    for seed, accuracy in ((0, 0.90), (1, 0.80), (5, 0.10)):
        write(root, "plain", seed, accuracy)
    for seed, accuracy in ((1, 0.90), (0, 0.95), (7, 0.99)):
        write(root, "skip", seed, accuracy)
    row = collect(root).rows[1]
    assert row.comparison == compare([0.95, 0.90], [0.90, 0.80])
    assert row.last.n == 3


def test_accuracy_of_a_seed_is_the_mean_over_its_groups_when_all_are_done(files, tmp_path):
    root = tmp_path / "out"
    save_plan(files.resolve(held_out=("a",)), root)
    save_plan(files.resolve(held_out=("b",)), root)
    for fold, accuracy in (("a", 0.5), ("b", 0.75)):
        write(root, "plain", 0, accuracy, fold=fold)
    write(root, "plain", 1, 1.0, fold="a")
    write(root, "skip", 0, 1.0, fold="b")
    found = collect(root)
    assert found.folds == ("a", "b")
    assert [row.name for row in found.rows] == ["plain"]
    assert found.rows[0].values == {0: 0.625}
    assert found.rows[0].measured["synaptic_operations_per_inference"] == 1000.0
    assert found.absent == ("skip",)
    text = " ".join(notes(found))
    assert "Groups held out in turn: a; b." in text
    assert "plain: seeds 1, 2 are not in the means" in text
    assert "Not done yet: skip" in text
    assert "Holm for the comparisons so far (0): it grows" in text


def test_memory_that_is_not_known_of_all_runs_is_not_averaged(root):
    write(root, "plain", 0, 0.5, peak_mb=None)
    write(root, "plain", 1, 0.5)
    row = collect(root).rows[0]
    assert row.measured["peak_mb"] is None
    assert cells(collect(root))[0][COLUMNS.index("peak MB")] == "-"


def test_findings_of_the_small_size_say_so_and_what_it_sets(files, tmp_path):
    save_plan(files.resolve(smoke=True), tmp_path / "out")
    write(tmp_path / "out", "plain", 0, 0.9)
    found = collect(tmp_path / "out")
    assert "accuracies and what is compared by them mean nothing" in found.small_size
    assert "train.epochs = 1" in found.small_size
    assert notes(found)[0] == found.small_size
    assert found.small_size in markdown(found)


def test_findings_of_the_full_size_say_nothing_of_a_small_one(root):
    write(root, "plain", 0, 0.9)
    assert collect(root).small_size is None


def test_markdown_says_what_the_cells_say(root):
    for seed, accuracy in enumerate((0.90, 0.80, 0.85)):
        write(root, "plain", seed, accuracy)
        write(root, "skip", seed, accuracy + 0.05 + 0.001 * seed)
    found = collect(root)
    text = markdown(found)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert table[0] == list(COLUMNS)
    assert table[2:] == cells(found)
    skip = dict(zip(COLUMNS, table[3], strict=True))
    assert skip["condition"] == "with skips"
    assert skip["last epoch"] == "90.10 ± 4.95"
    assert skip["difference"] == "+5.10"
    assert skip["p (signs)"] == "0.250"
    assert skip["p (t)"] == "<0.001"
    assert dict(zip(COLUMNS, table[2], strict=True))["difference"] == "baseline"
    assert "from plain" in re.sub(r"\s+", " ", text)


def test_conditions_of_earlier_commands_stay_in_the_table(files, root):
    write(root, "plain", 0, 0.5)
    save_plan(files.resolve(conditions=("skip",)), root)
    assert [row.name for row in collect(root).rows] == ["plain"]


def test_folder_of_another_experiment_is_refused(files, root):
    files.change('name = "small"', 'name = "other"')
    with pytest.raises(StorageError, match="holds the experiment 'small-tiny', this is 'other-ti"):
        save_plan(files.resolve(), root)


def test_folder_that_is_no_experiment_is_refused(tmp_path, root):
    with pytest.raises(StorageError, match="no folder of an experiment"):
        collect(tmp_path)
    write(root, "plain", 0, 0.5)
    file = next(root.glob("plain/*/result.json"))
    file.write_text('{"seed": 0}')
    with pytest.raises(StorageError, match="is not whole"):
        collect(root)


def test_figure_is_drawn_for_any_number_of_seeds(root):
    write(root, "plain", 0, 0.5, selected=0.55)
    write(root, "plain", 1, 0.6, selected=0.6)
    write(root, "skip", 0, 0.7, synaptic_operations_per_inference=None)
    with look():
        drawn = figure(collect(root))
        content = png(drawn)
    assert content.startswith(b"\x89PNG")
    accuracy, cost = drawn.axes
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["plain", "with skips"]
    shown = {round(float(x), 6) for line in accuracy.lines for x in line.get_xdata()}
    assert {50.0, 60.0, 55.0, 70.0} <= shown
    assert [bar.get_width() for bar in cost.patches] == [1500.0]


PEOPLE = ("ann", "bob", "cid")


def parts(tested, *, validated="bob", **other):
    """What a result says of its parts: ten recordings of each of four people."""
    learned = [name for name in (*PEOPLE, "dot") if name not in (*tested, validated)]
    part = {
        name: {"recordings": 10 * len(groups), "groups": dict.fromkeys(groups, 10)}
        for name, groups in (
            ("training", learned), ("validation", (validated,)), ("test", tested)
        )
    }  # fmt: skip
    return {"divided_by": "group", "validated_by": "group", **part, **other}


def test_seeds_of_one_division_say_that_they_tell_nothing_of_other_speakers(root):
    for seed, validated in ((0, "bob"), (1, "cid"), (2, "bob")):
        told = parts(("ann",), validated=validated)
        write(root, "plain", seed, 0.5 + 0.1 * seed, parts=told)
        write(root, "skip", seed, 0.6 + 0.11 * seed, parts=told)
    found = collect(root)
    assert (found.repeats.kind, found.repeats.divisions) == ("seeds", 1)
    assert found.divisions[0].tested.groups == {"ann": 10}
    assert [*found.divisions[0].validated[1].groups] == ["cid"]
    said = markdown(found)
    for words in (
        "standard deviation over seeds of one division; n: seeds",
        "All seeds test the same recordings (ann), so they say nothing of other recordings or",
        "paired t-test over seeds",
        "Tested in all seeds: 10 recordings of 1 group: ann 10.",
        "Validated by group, seed 0: 10 recordings of 1 group: bob 10; seed 1: ",
    ):
        assert words in said
    kept = json.loads(json.dumps(asdict(found)))
    assert "nothing of other recordings or other speakers" in kept["repeats"]["reach"]
    assert kept["divisions"][0]["tested"]["groups"] == {"ann": 10}


def test_recordings_that_are_tested_and_learned_are_told(root):
    for seed in range(2):
        write(root, "plain", seed, 0.5, parts=parts(("ann",), validated="bob", test_met=3))
    found = collect(root)
    assert found.divisions[0].test_met == 3
    words = (
        "Tested, with the same events as one of training: 3 of 10 recordings of 1 group: ann 10."
    )
    assert words in markdown(found)


def folds_of(files, root, values, **told_too):
    """An experiment in folds, a result of each condition, fold and seed."""
    for name in PEOPLE:
        save_plan(files.resolve(held_out=(name,), seeds=2), root)
    for condition, rows in values.items():
        for name, accuracies in zip(PEOPLE, rows, strict=True):
            for seed, accuracy in enumerate(accuracies):
                told = parts((name,), validated="dot", **told_too)
                write(root, condition, seed, accuracy, fold=name, parts=told)
    return collect(root)


def test_means_spreads_and_tests_of_folds_are_over_folds(files, tmp_path):
    plain, skip = ((0.5, 0.6), (0.7, 0.7), (0.9, 0.8)), ((0.6, 0.6), (0.8, 0.9), (0.9, 0.9))
    found = folds_of(files, tmp_path / "out", {"plain": plain, "skip": skip})
    row, other = found.rows
    assert row.fold_values == pytest.approx({"ann": 0.55, "bob": 0.7, "cid": 0.85})
    assert (row.last.n, row.last.mean) == (3, pytest.approx(0.7))
    assert row.last.deviation == pytest.approx(0.15)
    assert row.values == pytest.approx({0: 0.7, 1: 0.7})
    assert row.over_seeds.n == 2
    # Ten are tested for every twenty that are learned.
    assert found.repeats.overlap == 0.5
    expected = compare([0.6, 0.85, 0.9], [0.55, 0.7, 0.85], overlap=0.5)
    assert other.comparison.p_t == pytest.approx(expected.p_t)
    assert (other.comparison.n, other.comparison.p_signs) == (3, 0.25)
    said = markdown(found)
    for words in (
        "| fold | tested | plain | with skips |",
        "| 1 | 10 recordings of 1 group: ann 10 | 55.00 | 60.00 |",
        "| 3 | 10 recordings of 1 group: cid 10 | 85.00 | 90.00 |",
        "|  | mean ± standard deviation over folds | 70.00 ± 15.00 |",
        "corrected for shared recordings (Nadeau and Bengio 2003)",
        "few folds show large differences only",
    ):
        assert words in said
    with look():
        axes = figure(found).axes[0]
    assert "over folds" in axes.get_xlabel()


def test_folds_are_compared_over_the_seeds_that_both_have(files, tmp_path):
    plain = ((0.5, 0.6), (0.7, 0.7), (0.9, 0.8))
    found = folds_of(files, tmp_path / "out", {"plain": plain, "skip": ((0.6,), (0.8,), (0.9,))})
    first = [fold[0] for fold in plain]
    assert found.rows[1].comparison == compare([0.6, 0.8, 0.9], first, overlap=0.5)
    assert found.rows[0].fold_values == pytest.approx({"ann": 0.55, "bob": 0.7, "cid": 0.85})


def test_copies_and_voices_are_no_recordings_that_folds_share(files, tmp_path):
    """The t-test over folds is corrected by tested over learned recordings: ten over five."""
    values = {"plain": ((0.5,), (0.7,), (0.9,)), "skip": ((0.6,), (0.8,), (0.9,))}
    assert folds_of(files, tmp_path / "out", values, recorded=5).repeats.overlap == 2.0


def test_seeds_that_are_missing_are_named_beside_the_means(root):
    for seed in (0, 1, 2):
        write(root, "plain", seed, 0.5 + 0.1 * seed)
    for seed in (0, 2):
        write(root, "skip", seed, 0.6)
    found = collect(root)
    assert [row.left_out for row in found.rows] == [(), (1,)]
    assert "with skips: seed 1 is not in the means" in " ".join(notes(found))
    write(root, "skip", 5, 0.9)
    found = collect(root)
    assert found.rows[1].comparison.n == 2
    assert "with skips: difference and p are over 2 seeds that the baseline has too." in notes(
        found
    )
    assert "plain: seed 5 is not in the means" in " ".join(notes(found))
