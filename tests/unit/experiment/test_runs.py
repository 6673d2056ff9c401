import json
import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import StorageError
from eventsim.experiment import collect, execute, locked, missing, run_all, save_plan, workers
from eventsim.runs.data import DataSettings
from eventsim.runs.run import Run
from eventsim.runs.settings import RunSettings
from eventsim.train import TrainConfig, TrainResult, evaluate, load_network
from tests.support.tiers import beyond
from tests.unit.experiment.conftest import Watcher

EPOCHS = 16  # enough for an interrupt to find the run going on


def results(root):
    return {str(p.relative_to(root).parent): p.read_text() for p in root.glob("*/*/result.json")}


def numbers(root):
    """Of every run, what does not depend on the clock or the machine's memory."""
    found = {label: json.loads(text) for label, text in results(root).items()}
    for result in found.values():
        del result["training_seconds"], result["peak_mb"]
    return found


def test_run_measures_what_its_networks_do_on_the_test_part(files, tmp_path):
    spec = files.resolve(seeds=(3,), conditions=("skip",)).specs()[0]
    result = execute(spec, tmp_path / "run").result
    test = spec.data.labelled("test")
    last, selected = (load_network(tmp_path / "run" / f"{n}.npz") for n in ("last", "selected"))
    assert result["test"]["accuracy"] == evaluate(last, test, spec.train).accuracy
    chosen = evaluate(selected, test, spec.train).accuracy
    assert result["selected_by_validation"]["accuracy"] == chosen
    history = [json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    best = max(history, key=lambda m: (m["validation_accuracy"], -m["validation_loss"]))
    assert result["selected_by_validation"]["epoch"] == best["epoch"]
    assert result["validation_accuracy"] == history[-1]["validation_accuracy"]
    tape = es.simulate(last, test.stream, backend="reference")
    operations = sum(tape.synaptic_events.values()) / 12
    assert result["synaptic_operations_per_inference"] == pytest.approx(operations)
    line = (tmp_path / "run" / "result.json").read_text()
    assert json.loads(line) == result
    assert line.count("\n") == 1
    assert (result["condition"], result["seed"], result["epochs"]) == ("skip", 3, 2)
    assert result["peak_mb"] is None  # this process has done other things before


def test_neuron_updates_are_times_at_which_something_arrives():
    net = es.Network()
    net.add_input("input", 2)
    net.add_readout("output", 3)
    net.connect("input", "output", np.ones((2, 3)))
    data = DataSettings(name="yinyang", test_samples=4).labelled("test")
    stream = es.EventStream([1.0, 1.0, 5.0, 2.0], [0, 1, 0, 1], [0, 3, 4], n_channels=2,
                            duration=10.0)  # fmt: skip
    two = type(data)(stream, [0, 1], data.class_names)
    # Sample 0: two events at one time, one later; sample 1: one. Each reaches three readouts.
    run = Run.of(
        RunSettings(train=TrainConfig(batch_size=1)),
        Path(),
        net,
        TrainResult(net, {}, net, {}, [], None),
    )
    assert run.operations(two) == (6.0, 4.5)
    # Multiply-adds of a decision are a measure of their own, here as in eventsim cost.
    net.decide("output", np.ones((3, 2)))
    assert run.operations(two)[0] == 6.0


@pytest.mark.thorough("trains six runs, two of them in processes")
def test_only_missing_runs_are_run_and_results_do_not_depend_on_how(files, tmp_path, watcher):
    plan = files.resolve(seeds=(0, 1))
    here, there = tmp_path / "here", tmp_path / "there"
    first = files.resolve(seeds=(0,), conditions=("plain",)).specs()
    assert set(run_all(missing(first, here), here, watcher, jobs=0)) == {"plain/seed-0"}
    before = results(here)["plain/seed-0"]
    left = missing(plan.specs(), here)
    assert [spec.label for spec in left] == ["skip/seed-0", "plain/seed-1", "skip/seed-1"]
    run_all(left, here, watcher, jobs=0)
    assert results(here)["plain/seed-0"] == before
    assert missing(plan.specs(), here) == []
    # The same in processes, two at a time.
    ended = run_all(plan.specs()[:2], there, Watcher(), jobs=2, threads=1)
    assert {how.kind for how in ended.values()} == {"done"}
    assert numbers(there) == {label: numbers(here)[label] for label in ended}
    assert all(json.loads(text)["peak_mb"] > 20 for text in results(there).values())


@pytest.mark.parametrize(
    ("jobs", "epochs"),
    beyond(1, [(0, 3), (1, EPOCHS)], pytest.mark.nightly("15 s; others are stopped below")),
)
def test_stopped_run_goes_on_to_the_same_numbers(files, tmp_path, monkeypatch, jobs, epochs):
    monkeypatch.setattr(workers, "POLL_SECONDS", 0.01)
    specs = files.resolve(seeds=(0,), epochs=epochs).specs()
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run_all(specs, whole, Watcher(), jobs=0)
    interrupted = Watcher(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        run_all(specs, stopped, interrupted, jobs=jobs, threads=1)
    assert {label: how.kind for label, how in interrupted.ends.items()} == {
        "plain/seed-0": "stopped"
    }
    assert results(stopped) == {}
    assert not (stopped / ".stop").exists()
    before = len((stopped / "plain" / "seed-0" / "metrics.jsonl").read_text().splitlines())
    assert 1 <= before < epochs
    going_on = Watcher()
    run_all(missing(specs, stopped), stopped, going_on, jobs=jobs, threads=1)
    assert going_on.epochs == 2 * epochs  # those of before are told as well
    assert numbers(stopped) == numbers(whole)


@pytest.mark.thorough("starts a pool of processes; test_executors.py has small ones")
def test_another_executor_takes_the_runs(files, tmp_path, watcher):
    plan, here, there = files.resolve(seeds=(0,)), tmp_path / "here", tmp_path / "there"
    run_all(plan.specs(), here, Watcher(), jobs=0)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        ended = run_all(plan.specs(), there, watcher, executor=executor)
        assert executor.submit(abs, -1).result() == 1  # it goes on
    assert {how.kind for how in ended.values()} == {"done"}
    assert watcher.epochs == 4
    assert numbers(there) == numbers(here)


@pytest.mark.parametrize("jobs", beyond(1, [0, 2], pytest.mark.thorough("starts processes")))
def test_failing_run_does_not_lose_the_others(files, tmp_path, watcher, jobs):
    # Self-weights far beyond the run-away bound, without refractory time: the neuron runs away.
    runaway = "network = { refractory = 0.0, mean = 1e6, spread = 1e6 }"
    files.change("network = { self_recurrent = false }", runaway)
    specs = files.resolve(seeds=(0,)).specs()
    ended = run_all(specs, tmp_path / "out", watcher, jobs=jobs, threads=1)
    assert ended["plain/seed-0"].kind == "done"
    assert ended["skip/seed-0"].kind == "failed"
    assert list(results(tmp_path / "out")) == ["plain/seed-0"]
    error = (tmp_path / "out" / "skip" / "seed-0" / "error.txt").read_text()
    assert ended["skip/seed-0"].text.startswith("RunawayError: ")
    assert "RunawayError" in error
    assert [spec.label for spec in missing(specs, tmp_path / "out")] == ["skip/seed-0"]


def test_folder_with_runs_of_other_settings_is_refused_before_anything_runs(files, tmp_path):
    run_all(files.resolve(seeds=(0,)).specs(), tmp_path / "out", Watcher(), jobs=0)
    files.change("bip = []", "gain = 3.0\nbip = []")
    with pytest.raises(StorageError, match=r"train.loss.gain is 20.0 there, 3.0 now \(1 differ: "):
        missing(files.resolve(seeds=(0,)).specs(), tmp_path / "out")


def test_run_from_before_a_setting_existed_counts_as_its_default(files, tmp_path):
    run_all(files.resolve(seeds=(0,)).specs(), tmp_path / "out", Watcher(), jobs=0)
    for path in (tmp_path / "out").glob("*/seed-0/run.json"):
        stored = json.loads(path.read_text())
        del stored["train"]["tail"], stored["train"]["rates"]["delays"]
        del stored["train"]["augmentation"]["sensor_size"], stored["network"]["scale"]
        path.write_text(json.dumps(stored))
    assert missing(files.resolve(seeds=(0,)).specs(), tmp_path / "out") == []
    files.change("bip = []", "tail = 5.0\nbip = []")
    with pytest.raises(StorageError, match=r"train.tail is 0.0 there, 5.0 now \(1 differ: "):
        missing(files.resolve(seeds=(0,)).specs(), tmp_path / "out")


def test_holder_of_a_folder_has_it_twice_and_leaves_no_empty_one(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "out"), locked(tmp_path / "out"):
            assert (tmp_path / "out").is_dir()
        assert not (tmp_path / "out").exists()


def test_backend_is_no_setting_of_a_run(files, tmp_path):
    run_all(files.resolve(seeds=(0,)).specs(), tmp_path / "out", Watcher(), jobs=0)
    assert missing(files.resolve(seeds=(0,), backend="auto").specs(), tmp_path / "out") == []


def test_grid_runs_beside_exact_ones(files, tmp_path, watcher):
    files.change('title = "with skips"', 'method = "grid"\ndt = 1.0')
    plan = files.resolve(seeds=(0,))
    save_plan(plan, tmp_path / "out")
    run_all(plan.specs(), tmp_path / "out", watcher, jobs=0)
    plain, grid = collect(tmp_path / "out").rows
    # 60 steps of four hidden neurons and three readouts.
    assert grid.measured["neuron_updates_per_inference"] == 60 * 7
    assert plain.measured["neuron_updates_per_inference"] < 60 * 7
    assert grid.selected is not None
    assert grid.values.keys() == plain.values.keys() == {0}


INTERRUPTIBLE = """
import os
import signal
import sys
from pathlib import Path
from eventsim.experiment import load_recipe, load_task, resolve, run_all, Selection

# A shell that starts the tests in the background has interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Telling:
    def started(self, spec): print("started", spec.label, flush=True)
    # Print writes the end of the line apart: an interrupt between the two would join two lines.
    def advanced(self, spec, metrics): os.write(1, b"epoch\\n")
    def ended(self, spec, how): print("ended", spec.label, how.kind, flush=True)

if __name__ == "__main__":
    recipe = load_recipe(sys.argv[1])
    task = load_task(recipe.task, home=recipe.home)
    plan = resolve(recipe, task, Selection(seeds=(0,), conditions=("plain",), epochs=100_000))
    try:
        run_all(plan.specs(), Path(sys.argv[2]), Telling(), jobs=1, threads=1)
    except KeyboardInterrupt:
        print("left")
"""


@pytest.mark.thorough("starts a process and its worker")
def test_interrupt_is_passed_on_and_processes_leave_with_a_checkpoint(files, tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(INTERRUPTIBLE)
    command = [sys.executable, str(script), str(files.recipe), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line == "epoch\n":
                os.kill(process.pid, signal.SIGINT)
                break
        told, _ = process.communicate(timeout=60)
    assert told.splitlines()[-2:] == ["ended plain/seed-0 stopped", "left"]
    assert (out / "plain" / "seed-0" / "checkpoint.npz").exists()
    assert not (out / "plain" / "seed-0" / "result.json").exists()


class Killer(Watcher):
    """Kills all processes after the first epoch."""

    def advanced(self, spec, metrics):
        if not self.epochs:
            for child in multiprocessing.active_children():
                child.kill()
        super().advanced(spec, metrics)


@pytest.mark.thorough("starts processes, and kills them")
def test_killed_worker_of_another_executor_fails_its_runs_which_then_go_on(files, tmp_path):
    endless = files.resolve(seeds=(0,), epochs=100_000).specs()
    out, context = tmp_path / "out", multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as executor:
        ended = run_all(endless, out, Killer(), executor=executor)
    assert {how.kind for how in ended.values()} == {"failed"}
    assert all("its process died" in how.text for how in ended.values())
    assert missing(endless, out) == endless
    before = len((out / "plain/seed-0/metrics.jsonl").read_text().splitlines())
    going_on = Watcher(stop_after=before + 1)
    with ProcessPoolExecutor(1, context) as executor, pytest.raises(KeyboardInterrupt):
        run_all(endless, out, going_on, executor=executor)
    assert going_on.ends["plain/seed-0"].kind == "stopped"


@pytest.mark.thorough("starts processes, and kills them")
def test_killed_process_is_a_failed_run_that_says_so_and_the_others_go_on(files, tmp_path):
    specs = files.resolve(seeds=(0,)).specs()
    endless = files.resolve(seeds=(0,), conditions=("plain",), epochs=100_000).specs()
    ended = run_all([*endless, specs[1]], tmp_path / "out", Killer(), jobs=1, threads=1)
    assert ended["plain/seed-0"].kind == "failed"
    assert "its process died" in ended["plain/seed-0"].text
    assert "its process died" in (tmp_path / "out/plain/seed-0/error.txt").read_text()
    assert (tmp_path / "out/plain/seed-0/checkpoint.npz").exists()
    assert ended["skip/seed-0"].kind == "done"
