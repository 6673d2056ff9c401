import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import eventsim
from eventsim.cli import gradcheck as proof
from eventsim.engine import describe_backend
from eventsim.engine.contract import registry
from eventsim.engine.cuda import probe
from eventsim.events import EventStream, SpikeTape
from eventsim.runs.run import load_run
from eventsim.train import load_network, save_network
from tests.support.fresh import loaded, said
from tests.unit.cli.conftest import call, done, refused, told


def test_help_imports_nothing_heavy():
    code = (
        "from eventsim.cli.app import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass"
    )
    heavy = ("h5py", "matplotlib", "scipy.sparse", "scipy.signal", "scipy.stats")
    printed = loaded(code, heavy)
    assert "gradcheck" in printed
    assert printed.endswith("\n[]\n")


def test_no_garbage_is_looked_for_in_what_is_imported():
    code = "import gc\nfrom eventsim.cli import _imported\n_imported()\n"
    code += "print(gc.isenabled(), gc.get_freeze_count() > 50_000)"
    assert said(code) == "True True\n"


def test_version_is_printed():
    assert call("--version").out == f"eventsim {eventsim.__version__}\n"


def test_evaluate_repeats_the_result_of_the_run(finished):
    _, folder, trained = finished
    found = told("evaluate", folder)
    assert found["accuracy"] == trained.json["test"]["accuracy"]
    assert found["loss"] == trained.json["test"]["loss"]
    assert np.sum(found["confusion"]) == found["samples"] == 6
    assert set(found["spikes_per_neuron_and_second"]) == {"hidden1"}
    assert "input->hidden1" in found["synaptic_events_per_sample"]


def test_evaluate_on_other_data_shows_tables(finished, digits):
    _, folder, _ = finished
    options = ("--split", "train", "--network", "selected", "--backend", "reference")
    done("evaluate", folder, digits, *options).shows(
        "(selected) on ntidigits, train", "Confusion matrix"
    )


def test_evaluate_tells_when_the_answer_is_there(finished):
    _, folder, trained = finished
    outcome = told("evaluate", folder, "--latency", "--margin", 0.3)
    found = outcome["over_time"]
    assert found["shares"][24::25] == [0.25, 0.5, 0.75, 1.0]
    assert found["accuracy"][-1] == trained.json["test"]["accuracy"]
    assert found["early_exit"]["margin"] == 0.3
    assert 0.0 < found["latency_ms"]["median"] <= found["time_ms"]["median"]
    assert told("evaluate", folder)["over_time"] is None
    done("evaluate", folder / "last.npz", finished[0], "--latency").shows(
        "Accuracy by the share of a recording that is read", "early exit at a margin of 0.9"
    )


def test_evaluate_warns_of_silent_populations(finished, tmp_path):
    data, folder, _ = finished
    net = load_network(folder / "last.npz")
    weights = net.projections["input->hidden1"].values
    weights[...] = abs(weights)
    for silent in (False, True):
        weights *= 1e-9 if silent else 10.0
        save_network(tmp_path / "net.npz", net)
        outcome = done("evaluate", tmp_path / "net.npz", data, "--json")
        assert outcome.json["silent"] == ["hidden1"] * silent
        assert ("population 'hidden1' is silent" in outcome.err) == silent


def test_recordings_that_begin_late_are_told_where_the_numbers_stand(finished, tmp_path):
    _, folder, _ = finished
    data = load_run(folder).data("test")[:]
    stream = data.stream
    moved = EventStream(
        stream.times + 9000.0,
        stream.channels,
        stream.offsets,
        n_channels=stream.n_channels,
        duration=stream.duration + 9000.0,
    )
    replace(data, stream=moved, split=None).save(tmp_path / "late.h5")
    for command in ("evaluate", "simulate"):
        outcome = done(command, folder, "late.h5", "--json")
        late = outcome.json["late_begin"]
        assert late["loss_weight_left"] == pytest.approx(np.exp(-late["first_event_ms"] / 300.0))
        assert outcome.err.count("recordings begin late") <= 1  # of a logger, on standard error
        done(command, folder, "late.h5").shows("late begin: first event, median")
    assert told("evaluate", folder)["late_begin"] is None


def test_network_file_alone_is_evaluated_as_its_run(finished, tmp_path):
    data, folder, trained = finished
    outcome = told("evaluate", folder / "last.npz", data)
    assert outcome["accuracy"] == trained.json["test"]["accuracy"]
    assert outcome["loss"] == pytest.approx(trained.json["test"]["loss"], rel=1e-12)
    assert outcome["network"] is None
    done("evaluate", folder / "last.npz", data, "--backend", "cpu").shows(
        "last.npz on ntidigits, test"
    )


def test_simulate_shows_the_answers_of_a_network_that_has_some(finished):
    data, folder, _ = finished
    confusion = told("evaluate", folder)["confusion"]
    outcome = told("simulate", folder, data, "--precision", "single")
    names = load_network(folder / "last.npz").answer.class_names
    counts = [outcome["answers"].count(name) for name in names]
    assert counts == np.sum(confusion, axis=0).tolist()
    shown = done("simulate", folder / "last.npz", data).shows("Most frequent answers").out
    assert any(name in shown for name in names)


def test_run_of_an_older_version_runs_on_for_the_tail_of_its_settings(finished, tmp_path):
    data, folder, _ = finished
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    net = load_network(old / "last.npz")
    net.set_answer(None)
    save_network(old / "last.npz", net)
    settings = json.loads((old / "run.json").read_text())
    settings["train"]["tail"] = 10.0
    del settings["networks"]
    (old / "run.json").write_text(json.dumps(settings))
    seconds = [told("simulate", place, data)["seconds_of_input"] for place in (folder, old)]
    assert seconds[1] == pytest.approx(seconds[0] + 6 * 0.01)


def test_simulate_writes_a_tape(finished, tmp_path):
    data, folder, _ = finished
    tape = tmp_path / "tape.npz"
    outcome = told("simulate", folder, data, "--samples", 4, "--out", tape)
    stored = SpikeTape.load(tape)
    assert stored.stream.n_samples == outcome["samples"] == 4
    assert outcome["spikes"] == {"hidden1": len(stored["hidden1"])}
    assert outcome["synaptic_events"]["input->hidden1"] == stored.stream.n_events * 6
    assert outcome["algorithms"] == {"hidden1": "stretches"} == stored.algorithms


def test_simulate_runs_a_network_file_on_an_event_file(tmp_path):
    net = proof.random_network(np.random.default_rng(0), 3)
    save_network(tmp_path / "net.npz", net)
    stream = EventStream([1.0, 2.0, 30.0], [0, 1, 2], [0, 3], n_channels=5, duration=40.0)
    stream.save(tmp_path / "events.npz")
    done("simulate", "net.npz", "events.npz", "--backend", "reference").shows(
        "1 recordings, 3 events", "backend reference, double precision"
    )


def test_commands_say_once_which_backend_runs(finished, tmp_path):
    data, folder, trained = finished
    ran = call("simulate", folder, data, "--threads", 1, "--backend", "cpu", "--json")
    assert ran.err.splitlines() == ["backend: cpu (1 thread)"]
    assert (ran.json["backend"], ran.json["device"]) == ("cpu", None)
    outcome = call("evaluate", folder, "--threads", 1)
    assert outcome.err.startswith(f"backend: {describe_backend('auto')}\n")
    assert trained.json["backend"] == describe_backend("auto").name
    assert trained.err.count("backend: ") == 1


def test_cuda_where_it_cannot_run_is_one_message(finished, tmp_path, monkeypatch):
    data, folder, _ = finished
    obstacle = probe.Obstacle("no-driver", "there is no driver", "Run: install it.")
    monkeypatch.setattr(registry, "_cuda", lambda: (None, obstacle))
    registry._load.cache_clear()
    for command in (("simulate", folder, data), ("train", data, "--out", tmp_path / "new")):
        refused(*command, "--backend", "cuda").says(
            "cannot run here: there is no driver. Run: install it."
        )
    assert not (tmp_path / "new").exists()


def test_gradcheck_passes_on_a_random_network():
    found = told("gradcheck", "--neurons", 3, "--directions", 1)
    assert found["passed"]
    assert found["worst_relative_error"] <= 1e-6
    assert found["reference"]["same_spikes"]
    assert min(found["spikes"].values()) > 5
    assert {row["name"] for row in found["rows"]} >= {"hidden1.refractory", "input_times"}


def test_gradcheck_of_a_trained_network_that_misses_the_tolerance_fails(finished):
    _, folder, _ = finished
    options = ("--directions", 1, "--tolerance", 1e-30)
    outcome = call("gradcheck", folder, *options)
    assert outcome.code == 1, outcome.err
    assert "WRONG" in outcome.out
    assert "input->hidden1.weights" in outcome.out
