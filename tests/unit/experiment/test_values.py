"""Experiments on recordings with values: compared by R2, and refused where a class is needed."""

import json

import numpy as np
import pytest
from scipy import stats

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.events.targets import Values
from eventsim.experiment import RecipeError, collect, run_all, save_plan
from eventsim.experiment.figure import figure
from eventsim.experiment.results import PLAN
from eventsim.experiment.search import search
from eventsim.experiment.table import COLUMNS, cells, markdown, notes
from eventsim.frontier import Question, gather
from tests.unit.cli.conftest import done, refused, told

TASK = """
format = "eventsim-task"
version = 1
name = "speeds"
title = "Speeds"

[data]
file = "speeds.h5"
targets = true
in_memory = false

[network]
hidden = [4]

[train]
loss = { kind = "mean_squared_error" }
epochs = 2
batch_size = 8
backend = "cpu"
precision = "double"
"""
N, TIMES = 20, (20.0, 40.0)


def recordings(*, equal=False):
    """Recordings whose two outputs are how many events there are, and in which channels."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(10, 60, N)
    centre = rng.uniform(1.0, 6.0, N)
    t = np.concatenate([np.sort(rng.uniform(0.0, 40.0, n)) for n in sizes])
    channel = np.concatenate(
        [np.clip(rng.normal(c, 1.0, n).round(), 0, 7) for c, n in zip(centre, sizes, strict=True)]
    ).astype(int)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    stream = es.EventStream(t, channel, offsets, n_channels=8, duration=40.0)
    values = np.stack([sizes / 10.0, np.full(N, 3.0) if equal else centre], axis=-1)
    targets = Values(
        np.repeat(values[:, None], 2, axis=1), np.tile(TIMES, (N, 1)), ("rate", "place")
    )
    groups = [f"g{k % 4}" for k in range(N)]
    return es.Dataset(stream, np.zeros(N, int), ("0",), groups=groups, targets=targets)


@pytest.fixture
def speeds(files, tmp_path, monkeypatch):
    """The recipe on recordings with values."""
    monkeypatch.chdir(tmp_path)
    recordings().save(tmp_path / "speeds.h5")
    files.task.write_text(TASK)
    return files


def run(files, root, watcher, **selection):
    plan = files.resolve(**selection)
    save_plan(plan, root)
    ended = run_all(plan.specs(), root, watcher, jobs=0)
    assert {how.kind for how in ended.values()} == {"done"}, ended
    return plan


def r2_by_hand(folder, data):
    """Mean over the outputs of 1 - (squared errors) / (squares around the mean), of voltages."""
    net = es.Network.load(folder / "last.npz")
    tape = es.simulate(net, data.stream[:], backend="reference")
    answers = es.voltage(net, tape, "output", np.array(TIMES)).reshape(data.targets.values.shape)
    errors = ((answers - data.targets.values) ** 2).sum(axis=(0, 1))
    mean = data.targets.values.mean(axis=(0, 1))
    return float(np.mean(1.0 - errors / ((data.targets.values - mean) ** 2).sum(axis=(0, 1))))


def test_conditions_are_compared_by_r2_as_by_hand(speeds, tmp_path, watcher):
    plan = run(speeds, tmp_path / "out", watcher, seeds=(0, 1, 2))
    found = collect(tmp_path / "out")
    test = plan.data.labelled("test")
    assert found.measure == "r2"
    by_hand = {
        row.name: [r2_by_hand(tmp_path / "out" / row.name / f"seed-{k}", test) for k in range(3)]
        for row in found.rows
    }
    for row in found.rows:
        assert [*row.values.values()] == pytest.approx(by_hand[row.name], rel=1e-6)
        assert row.last.mean == pytest.approx(np.mean(by_hand[row.name]), rel=1e-6)
    paired = stats.ttest_rel(by_hand["skip"], by_hand["plain"])
    assert found.rows[1].comparison.p_t == pytest.approx(paired.pvalue, rel=1e-4)
    row = dict(zip(COLUMNS, cells(found)[0], strict=True))
    assert row["last epoch"].startswith(f"{np.mean(by_hand['plain']):.4f} ±")
    assert row["synaptic operations"] != "-"
    text = markdown(found)
    assert "R2 on the test part (mean over the outputs" in text
    assert "ccuracy" not in text
    assert figure(found).axes[0].get_title() == "R2 on the test part"
    assert run_all(
        plan.specs(), tmp_path / "out", watcher, jobs=0
    )  # done: nothing is trained again


def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(speeds, tmp_path, watcher):
    chosen = {"conditions": ("plain",), "seeds": (0,)}
    plan = run(speeds, tmp_path / "whole", watcher, **chosen)
    watcher.stop_after = watcher.epochs + 1
    save_plan(plan, tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        run_all(plan.specs(), tmp_path / "stopped", watcher, jobs=0)
    watcher.stop_after = None
    folder = tmp_path / "stopped" / "plain" / "seed-0"
    if (folder / "result.json").exists():  # the end had come before the stop
        (folder / "result.json").unlink()
    run(speeds, tmp_path / "stopped", watcher, **chosen)
    whole, stopped = (
        json.loads((tmp_path / name / "plain/seed-0/result.json").read_text())
        for name in ("whole", "stopped")
    )
    assert stopped["test"] == whole["test"]
    assert stopped["loss_scale"] == whole["loss_scale"]


def test_every_group_is_tested_once_by_folds(speeds, tmp_path, watcher):
    run(speeds, tmp_path / "out", watcher, conditions=("plain",), seeds=(0,), folds="each")
    row = collect(tmp_path / "out").rows[0]
    assert sorted(row.fold_values) == ["g0", "g1", "g2", "g3"]
    assert row.last.mean == pytest.approx(np.mean([*row.fold_values.values()]))


def test_where_targets_are_equal_errors_are_compared_and_the_notes_say_so(
    speeds, tmp_path, watcher
):
    recordings(equal=True).save(tmp_path / "speeds.h5")
    run(speeds, tmp_path / "out", watcher, conditions=("plain",), seeds=(0,))
    found = collect(tmp_path / "out")
    result = json.loads((tmp_path / "out/plain/seed-0/result.json").read_text())
    assert found.measure == "mean_squared_error"
    assert found.rows[0].values == {0: result["test"]["mean_squared_error"]}
    assert "an output whose targets are all equal" in notes(found)[0]


def test_recordings_and_loss_must_fit(speeds):
    speeds.change("[train]\nbip = []", '[train]\nbip = []\nloss = "spike_count"')
    with pytest.raises(
        RecipeError, match=r"plain on .*'spike_count'.* have values.*mean_squared_error"
    ):
        speeds.resolve()


def test_a_condition_that_does_not_fit_can_be_left_out(speeds):
    speeds.change('title = "with skips"', 'title = "with skips"\ntrain = {loss = "spike_count"}')
    with pytest.raises(RecipeError, match="condition skip on"):
        speeds.resolve()
    assert len(speeds.resolve(conditions=("plain",)).variants) == 1


def test_search_and_frontier_say_why_they_refuse_values(speeds, tmp_path, watcher):
    plan = speeds.resolve()
    with pytest.raises(RecipeError, match="compares trials by accuracy"):
        search(*speeds.load(), es.experiment.Selection(), tmp_path / "s", watcher, trials=1)
    with pytest.raises(ParameterError, match="the front is accuracy against cost"):
        gather(plan, tmp_path / "f", Question(chips={}))
    assert not (tmp_path / "f").exists()
    refused("frontier", "--data", "speeds.h5").says("the front is accuracy against cost")


def test_the_command_takes_a_file_with_values(speeds, tmp_path):
    found = told(
        "experiment", "architectures", "--data", "speeds.h5", "--condition", "feedforward",
        "--smoke", "--seeds", "1", "--jobs", "0", "--out", "out", "--figures", "pdf,png",
    )  # fmt: skip
    assert found["measure"] == "r2"
    written = ["table.md", "table.json", "figure.png", "figure.pdf"]
    assert [tmp_path / file for file in found["files"]] == [tmp_path / "out" / n for n in written]
    assert all((tmp_path / file).stat().st_size for file in found["files"])
    assert json.loads((tmp_path / "out" / PLAN).read_text())["name"].startswith("architectures-")
    done("experiment", "table", "out").shows("R2 on the test part")
