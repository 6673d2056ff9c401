import json

import pytest

from eventsim.cli.experiment_progress import RunBars
from eventsim.experiment import load_recipe, save_plan
from tests.support.tiers import beyond
from tests.unit.cli.conftest import call, done, refused, told
from tests.unit.experiment.conftest import Files
from tests.unit.experiment.test_results import write as write_result


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    return Files(folder)


HERE = ("--jobs", 0, "--seeds", 2)


def test_list_names_recipes_and_tasks():
    outcome = told("experiment", "list")
    recipes = {one["name"]: one for one in outcome["recipes"]}
    assert recipes["grid"]["conditions"] == ["exact", "grid_1ms", "grid_01ms", "linear"]
    assert {one["name"] for one in outcome["tasks"]} >= {"yinyang", "fsdd_speakers"}
    done("experiment", "list").shows("architectures")


def test_show_tells_in_what_conditions_differ(files):
    outcome = told("experiment", "show", files.recipe)
    plain, skip = outcome["conditions"]
    assert (plain["parameters"], skip["parameters"]) == (5 * 4 + 4 * 3, 5 * 4 + 4 * 3 + 5 * 3)
    assert skip["train"]["epochs"] == 2
    shown = done("experiment", "show", files.recipe).shows("network.skip True").out
    assert "network.mean" in shown.partition("Shared settings")[2]
    assert "hidden" not in shown.partition("Shared settings")[0]
    assert "Small size" not in shown
    done("experiment", "show", files.recipe, "--smoke").shows(
        "accuracies and what is compared by them mean nothing. It sets train.epochs = 1"
    )


def test_shown_file_is_a_recipe_of_ones_own(tmp_path):
    (tmp_path / "mine.toml").write_text(call("experiment", "show", "grid", "--toml").out)
    own = told("experiment", "show", "mine.toml")
    assert own == told("experiment", "show", "grid")


def test_run_writes_table_and_figure_and_runs_nothing_twice(files, tmp_path):
    first = done("experiment", files.recipe, *HERE, "--json").says("4 runs, 0 are done")
    out = tmp_path / "runs" / "experiments" / "small-tiny"
    assert first.json["folder"] == "runs/experiments/small-tiny"
    assert {path.name for path in out.iterdir()} == {
        ".lock", "experiment.json", "plain", "skip", "table.md", "table.json",
        "figure.png",
    }  # fmt: skip
    rows = {row["name"]: row for row in first.json["rows"]}
    assert rows["skip"]["last"]["n"] == 2
    assert rows["skip"]["comparison"]["n"] == 2
    result = json.loads((out / "skip" / "seed-1" / "result.json").read_text())
    assert rows["skip"]["values"]["1"] == result["test"]["accuracy"]
    done("experiment", "run", files.recipe, *HERE).says("4 runs, 4 are done").shows(
        "with skips", "Written: runs/experiments/small-tiny/table.md"
    )
    done("experiment", "run", files.recipe, "--jobs", 0, "--seeds", 3, "--condition", "skip").says(
        "3 runs, 2 are done"
    )
    shown = call("experiment", "table", out, "--markdown")
    assert shown.out == (out / "table.md").read_text()
    assert "| with skips | 3 |" in shown.out
    assert "| plain | 2 |" in shown.out


@pytest.mark.thorough("trains for seconds")
def test_run_that_fails_is_named_and_the_exit_code_is_one(files):
    runaway = "network = { refractory = 0.0, mean = 1e6, spread = 1e6 }"
    files.change("network = { self_recurrent = false }", runaway)
    outcome = call("experiment", "run", files.recipe, "--jobs", 0, "--seeds", 1)
    assert outcome.code == 1
    assert "1 of the runs failed" in outcome.err
    assert "skip/seed-0: RunawayError" in outcome.err
    assert "plain" in outcome.out
    assert "Traceback" not in outcome.err


@pytest.mark.thorough("starts processes")
def test_run_in_processes_gives_the_same_table(files, tmp_path):
    options = ("--seeds", 1, "--condition", "plain", "--json")
    here = call("experiment", "run", files.recipe, *options, "--jobs", 0, "--out", "here")
    there = done("experiment", "run", files.recipe, *options, "--jobs", 2, "--out", "there")
    for key in ("values", "selected_values", "parameters"):
        assert here.json["rows"][0][key] == there.json["rows"][0][key]
    assert here.json["rows"][0]["measured"]["peak_mb"] is None
    assert there.json["rows"][0]["measured"]["peak_mb"] > 0


def test_interrupt_says_how_to_go_on(files, monkeypatch):
    def interrupting(self, spec, metrics):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunBars, "advanced", interrupting)
    outcome = call("experiment", "run", files.recipe, *HERE)
    assert outcome.code == 130
    assert "type the same command to go on" in outcome.err
    assert "Traceback" not in outcome.err
    monkeypatch.undo()


def test_table_tells_done_runs_whose_folds_are_missing(files, tmp_path):
    root = tmp_path / "out"
    save_plan(files.resolve(held_out=("a",)), root)
    save_plan(files.resolve(held_out=("b",)), root)
    done("experiment", "table", root).shows("No run is done yet.")
    for condition in ("plain", "skip"):
        write_result(root, condition, 0, 0.5, fold="a")
    shown = call("experiment", "table", root)
    assert "No run is done yet." not in shown.out
    assert "No condition is done in all folds." in shown.out
    assert "2 runs that are done are not counted, since other folds are missing:" in shown.out
    assert "plain, with skips, seed 0: not done in b." in shown.out
    assert "seed 0: not done in b." in (root / "table.md").read_text()
    found = told("experiment", "table", root)["partial"]
    assert found[1] == {"condition": "with skips", "seed": 0, "done": ["a"], "missing": ["b"]}
    write_result(root, "plain", 0, 0.5, fold="b")
    done("experiment", "table", root).shows(
        "1 run that is done is not counted, since other folds are missing:",
        "with skips, seed 0: not done in b.",
    )


def test_search_prints_the_best_settings_as_a_recipe_has_them(files, tmp_path):
    pytest.importorskip("optuna")
    outcome = call("experiment", "search", files.recipe, "--trials", 2)
    said = " ".join(outcome.out.split())
    assert "last epoch, mean over seeds 0; validated by recording" in said
    assert "which is too good for that reason" in said
    assert outcome.code == 0, outcome.err
    assert "train.rates.weights = " in outcome.out
    assert "trial 1: complete" in outcome.err
    found = call("experiment", "search", files.recipe, "--trials", 3, "--json")
    assert len(found.json["trials"]) == 3
    assert found.json["folder"] == "runs/searches/small-tiny"
    best = "\n".join(line for line in outcome.out.splitlines() if " = " in line)
    files.change('name = "skip"', best)
    files.change("network = { self_recurrent = false }", "network.self_recurrent = false")
    assert load_recipe(files.recipe).condition[1].train["batch_size"] >= 8


@pytest.mark.thorough("trains for seconds; every recipe is resolved in test_recipe.py")
@pytest.mark.parametrize(
    "recipe",
    beyond(
        2,
        ["baselines", "convolution", "architectures", "delays", "grid"],
        pytest.mark.nightly("trains; test_recipe.py resolves each, test_train.py has its options"),
    ),
)
def test_recipe_runs_at_its_small_size(recipe):
    options = ("--data", "yinyang", "--smoke", "--seeds", 1, "--jobs", 0, "--json")
    outcome = done("experiment", recipe, *options)
    assert outcome.json["absent"] == []
    assert all(row["measured"]["training_seconds"] < 60 for row in outcome.json["rows"])


PLAN = {"name": "x", "title": "X", "about": "", "baseline": "plain", "folds": [None],
        "conditions": {"plain": "plain", "other": "other"}}  # fmt: skip
RESULT = {"condition": "plain", "seed": 0, "fold": None, "trained_parameters": 3,
          "test": {"epoch": 1, "accuracy": 0.5}, "selected_by_validation": None,
          "compile_seconds": 0.0, "spikes_per_neuron_and_second": 1.0,
          "synaptic_operations_per_inference": 1.0, "neuron_updates_per_inference": 1.0,
          "validation_accuracy": None, "train_accuracy": 0.5, "training_seconds": 1.0,
          "peak_mb": None}  # fmt: skip


def written(folder, plan, result):
    (folder / "plain" / "seed-0").mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(PLAN | plan))
    (folder / "plain" / "seed-0" / "result.json").write_text(json.dumps(RESULT | result))
    return folder


def test_the_whole_files_give_a_table(tmp_path):
    done("experiment", "table", written(tmp_path / "e", {}, {}))


@pytest.mark.parametrize(
    ("plan", "result"),
    [
        ({"about": True}, {}),
        ({"title": 3}, {}),
        ({"folds": [{}]}, {}),
        ({"conditions": {"plain": 7}}, {}),
        ({"conditions": {"plain": "plain", "other": [1]}, "baseline": []}, {}),
        ({}, {"seed": "a.b->c"}),
        ({}, {"test": {"accuracy": "x"}}),
        ({}, {"trained_parameters": []}),
    ],
)
def test_values_of_another_type_are_a_message(tmp_path, plan, result):
    refused("experiment", "table", written(tmp_path / "e", plan, result))
