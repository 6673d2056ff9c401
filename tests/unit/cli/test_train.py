import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es
from eventsim import datasets
from eventsim.chips import load_chip
from eventsim.cli import demo
from eventsim.cli.events import find_for
from eventsim.cli.reading import Reading
from eventsim.errors import StorageError
from eventsim.mapping import quantise
from eventsim.measures import wilson
from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import load_run
from eventsim.train import (
    ActivityCost,
    QuantisedTraining,
    SparseTraining,
    TrainConfig,
    load_network,
)
from tests.unit.cli.conftest import TINY, call, done, refused, told
from tests.unit.train.task import assert_same_net, small_net, two_patterns


def stop_after(monkeypatch, n_batches):
    """Interrupt training after so many batches, as Ctrl-C does."""
    from eventsim.train.loggers import Progress

    original, seen = Progress.__call__, []

    def interrupting(self, event):
        original(self, event)
        seen.append(event)
        if len(seen) == n_batches:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__call__", interrupting)


@pytest.fixture
def trained(digits, tmp_path):
    """Train by command: the run in folder ``r``, what was told as JSON, and its page."""

    def train(*options, out="r"):
        found = told("train", digits, *options, "--out", out)
        run, page = load_run(tmp_path / out), (tmp_path / out / "index.html").read_text()
        return SimpleNamespace(run=run, config=run.config, told=found, page=page)

    return train


@pytest.mark.parametrize(
    "words", ["train DATA", "train DATA --overwrite", "train --resume", "report", "python"]
)
def test_a_folder_in_which_another_process_works_is_left_alone_until_it_ends(
    trained, digits, tmp_path, words
):
    trained(*TINY)
    folder, data = tmp_path / "r", two_patterns(8)
    new = tmp_path / "new" if words == "train DATA" else folder
    hold = "import sys; from pathlib import Path; from eventsim.folders import locked\n"
    hold += f"with locked(Path({str(new)!r})): print(end='held', flush=True); sys.stdin.read()"
    names = words.replace("DATA", str(digits)).split()
    more = (new,) if words == "report" else (*TINY[-4:], "--out", new)

    def run():
        es.train(small_net(), data, TrainConfig(epochs=1), new, overwrite=True)

    with subprocess.Popen([sys.executable, "-c", hold], stdin=-1, stdout=-1) as other:
        assert other.stdout.read(4) == b"held"
        before = {path: path.stat().st_mtime_ns for path in new.iterdir()}
        if words == "python":
            with pytest.raises(StorageError, match="another process works in this folder"):
                run()
        else:
            refused(*names, *more).says("another process works in this folder", str(other.pid))
        assert {path: path.stat().st_mtime_ns for path in new.iterdir()} == before
        other.kill()
    run() if words == "python" else done(*names, *more)


def test_train_writes_run_report_and_result(finished):
    _, folder, outcome = finished
    assert {path.name for path in folder.iterdir()} >= {
        "run.json", "metrics.jsonl", "checkpoint.npz", "initial.npz", "last.npz", "selected.npz",
        "result.json", "index.html", "raster.png",
    }  # fmt: skip
    assert all(path.stat().st_size > 10_000 for path in folder.glob("*.png"))
    stored = json.loads((folder / "result.json").read_text())
    assert outcome.json == stored | {"folder": str(folder), "report": str(folder / "index.html")}
    assert outcome.json["test"]["samples"] == 6
    assert outcome.json["test"]["epoch"] == 2
    assert outcome.json["selected_by_validation"] is not None
    assert outcome.json["guess_accuracy"] == 1 / 3
    assert f"{100 * outcome.json['test']['accuracy']:.1f} %" in (folder / "index.html").read_text()


def test_train_shows_a_table_and_where_the_report_is(digits, tmp_path):
    done("train", digits, *TINY, "--no-bip", "--no-skip", "--no-self-recurrent").shows(
        "held-out accuracy, last epoch (2), 6 recordings", "Report: runs/digits/index.html"
    )
    net = load_network(tmp_path / "runs" / "digits" / "last.npz")
    assert list(net.projections) == ["input->hidden1", "hidden1->output"]
    assert load_run(tmp_path / "runs" / "digits").config.bip == ()


@pytest.mark.thorough("trains for seconds")
def test_second_run_takes_a_folder_of_its_own(digits, tmp_path):
    for name in ("digits", "digits-2"):
        done("train", digits, *TINY, "--epochs", 1)
        assert (tmp_path / "runs" / name / "index.html").exists()


def test_options_replace_the_config_file(trained, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('epochs = 1\ngain = 12.5\nbip = ["tau_mem"]\n[rates]\ntaus = 0.125\n')
    options = ("--config", file, "--hidden", 5, "--batch-size", 9, "--lr", 0.25, "--seed", 4)
    config = trained(*options, "--set", 'bip=["tau_syn", "v_leak"]').config
    assert (config.epochs, config.loss.gain, config.batch_size, config.seed) == (1, 12.5, 9, 4)
    assert config.bip == ("tau_syn", "v_leak")
    assert (config.rates.taus, config.rates.weights) == (0.125, 0.25)


def test_interrupted_run_tells_how_to_resume_and_ends_with_the_same_numbers(
    finished, tmp_path, monkeypatch
):
    data, whole, outcome = finished
    folder = tmp_path / "stopped run"
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        stopped = call("train", data, *TINY, "--out", folder)
    assert stopped.code == 130
    assert f"eventsim train --resume --out '{folder}'" in stopped.err
    assert stopped.out == ""
    refused("evaluate", folder).says("not finished")

    resumed = told("train", "--resume", "--out", folder)
    for key in ("test", "selected_by_validation", "train_accuracy", "validation_accuracy"):
        assert resumed[key] == outcome.json[key]
    for name in ("last.npz", "selected.npz"):
        assert_same_net(load_network(folder / name), load_network(whole / name))


def test_demo_resumes_a_stopped_one_and_leaves_a_finished_one_alone(digits, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "NETWORK", {"hidden": (5,)})
    source = DataSettings(name="ntidigits", file=str(digits))
    monkeypatch.setattr(demo, "source", lambda: source)
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        assert call("demo", "--epochs", 2, "--threads", 1).code == 130
    done("demo").says("going on with it").shows(
        "guess: always the commonest class", "Report: runs/demo/index.html"
    )
    fresh = done("demo", "--epochs", 1, "--json").says(
        "holds a finished demo; this one goes to runs/demo-2"
    )
    assert fresh.json["report"] == "runs/demo-2/index.html"


RSNN = ("--model", "rsnn", "--hidden", 8, "--tau-syn", 40, "--epochs", 1, "--batch-size", 9)


@pytest.mark.thorough("trains for seconds")
def test_lateral_gain_scales_the_lateral_weights_and_nothing_else(trained):
    whole, part = (
        trained(*RSNN, "--lateral-gain", gain, out=f"gain{gain}").run.initial
        for gain in (1.0, 0.25)
    )
    for name, one in whole.projections.items():
        scale = 0.25 if name == "hidden1->hidden1" else 1.0
        np.testing.assert_allclose(part.projections[name].values, scale * one.values)


def test_rsnn_is_trained_with_the_options_that_were_given_and_resumed(trained):
    lateral = ("--lateral", "random", "--in-degree", 3, "--inhibitory", 0.25, "--delays", "1:3")
    learning = ("--dale", "--train-delays", "--max-delay", 4, "--set", "rates.delays=0.5")
    found = trained(*RSNN, *lateral, *learning)
    synapses = found.run.initial.projections["hidden1->hidden1"]
    assert (np.diff(synapses.weights.tocsc().indptr) == 3).all()
    assert 1.0 <= synapses.delays.min() < synapses.delays.max() <= 3.0
    learned = found.run.net.projections["hidden1->hidden1"]
    assert (learned.values * synapses.values >= 0).all()
    assert not np.array_equal(learned.delays, synapses.delays)
    config = found.config
    assert (config.dale, config.max_delay, config.rates.delays) == (True, 4.0, 0.5)
    assert "RSNN" in found.page
    done("train", "--resume", "--out", "r")
    refused("train", "--resume", "--out", "r", "--delays", "1:4").says(
        "network.delays is [1.0, 3.0] there"
    )


def test_every_neuron_draws_its_time_constant_from_the_range(trained):
    net = trained(*TINY, "--tau-mem-range", "10:300", "--no-bip").run.net
    taus = net.population("hidden1").tau_mem
    assert np.unique(taus).size == taus.size
    assert ((taus >= 10.0) & (taus <= 300.0)).all()
    refused("train", "--resume", "--out", "r", "--tau-mem-range", "10:200").says(
        "network.tau_mem_range is [10.0, 300.0] there"
    )


def test_adaptive_threshold_is_trained_with_the_options_that_were_given(trained):
    options = ("--adaptation", 0.2, "--tau-adaptation", 80, "--backend", "cpu")
    found = trained(*TINY, *options)
    first = found.run.initial.population("hidden1")
    assert (first.adaptation == 0.2).all()
    assert (first.tau_adaptation == 80.0).all()
    assert not np.array_equal(found.run.net.population("hidden1").adaptation, first.adaptation)
    assert found.config.bip[-2:] == ("adaptation", "tau_adaptation")
    done("evaluate", "r")
    done("train", "--resume", "--out", "r")
    kept = trained(*TINY, *options, "--no-bip", out="w").run.net.population("hidden1")
    assert (kept.adaptation == 0.2).all()


def test_convolutional_network_is_trained_with_the_options_that_were_given(trained):
    shape = ("--model", "convolutional", "--hidden", 3, "--output-maps", 4)
    kernels = ("--kernel", 5, "--kernel", 3, "--stride", 4, "--stride", 2)
    learning = ("--loss", "cross_entropy_maximum", "--set", "decision_dropout=0.2", "--epochs", 1)
    found = trained(*shape, *kernels, *learning)
    assert found.run.net.population("hidden1").size == 16 * 3
    assert found.run.net.population("output").size == 8 * 4
    assert found.config.loss.dropout == 0.2
    assert "convolutional SNN" in found.page
    done("evaluate", "r")
    done("train", "--resume", "--out", "r")


DEEP = "[" * 10_000 + "]" * 10_000
LONG = "9" * 100_000


@pytest.mark.parametrize("name", ["run.json", "result.json", "metrics.jsonl"])
@pytest.mark.parametrize("text", [DEEP, LONG, "[1, 2]", '{"data": 3}', ""])
def test_a_file_of_a_run_that_is_broken_is_a_message(finished, tmp_path, name, text):
    folder = shutil.copytree(finished[1], tmp_path / "run")
    (folder / name).write_text(text)
    refused("report", folder)


@pytest.mark.parametrize(
    "change",
    [{"name": "nothing"}, {"name": ["fsdd"]}, {"file": 3}, {"file": "a\0b"}, {"files": "x"}],
)
def test_a_run_that_names_no_data_set_is_a_message(finished, tmp_path, change):
    folder = shutil.copytree(finished[1], tmp_path / "run")
    stored = json.loads((folder / "run.json").read_text())
    stored["data"] |= change
    (folder / "run.json").write_text(json.dumps(stored))
    refused("evaluate", folder)


@pytest.mark.parametrize("lateral", ["dense", "random", "ring", "sheet"])
def test_every_lateral_choice_builds_a_network(lateral):
    settings = NetworkSettings.from_options({"model": "rsnn", "lateral": lateral, "hidden": (40,)})
    n = settings.build(3, 2, seed=0).projections["hidden1->hidden1"].weights.nnz
    assert n == 40 * 39 if lateral == "dense" else 0 < n < 40 * 39


def test_losses_train_the_network_that_they_need_from_the_command_line(trained):
    kinds = {"cross_entropy_maximum": "readout", "spike_count": "spiking", "ctc": "readout"}
    for loss, kind in kinds.items():
        found = trained(*TINY, "--epochs", 1, "--loss", loss, out=loss)
        output = found.run.net.populations["output"]
        assert (output.kind, output.size) == (kind, 12 if loss == "ctc" else 11)
        assert ("label_error_rate" in found.told["test"]) == (loss == "ctc")
        assert found.config.loss.kind == loss


def test_end_of_a_run_by_ctc_tells_the_label_error_rate(digits):
    done("train", digits, *TINY, "--epochs", 1, "--loss", "ctc").shows(
        "wrong words per word that was said"
    )


@pytest.mark.thorough("trains for seconds")
def test_connected_digits_are_learned_with_delays_and_a_tail(digits, tmp_path):
    given = ("--loss", "ctc", "--forward-delays", "0:20", "--set", "tail=20", "--epochs", 1)
    outcome = told("train", "ntidigits_strings", "--file", digits, *TINY, *given, "--out", "s")
    net = load_network(tmp_path / "s" / "last.npz")
    assert net.projections["input->hidden1"].delays.shape == (64,)
    assert net.populations["output"].size == 12
    tested = told("evaluate", "s")
    assert tested["label_error_rate"] == outcome["test"]["label_error_rate"]
    done("evaluate", "s").shows("wrong words per word that was said")

    short = datasets.load("ntidigits_strings", split="test", root=digits).stream
    seconds = (short.duration.sum() + 20.0 * short.n_samples) / 1000.0
    events = "events.npz"
    short.save(tmp_path / events)
    heard = told("simulate", "s", events)["seconds_of_input"]
    assert heard == pytest.approx(seconds)
    from_file = told("simulate", "s/last.npz", events)
    assert from_file["seconds_of_input"] == pytest.approx(seconds)
    assert len(from_file["answers"]) == short.n_samples
    counts = told("cost", "s")["counts"]
    assert counts["milliseconds_per_sample"] == pytest.approx(1000 * seconds / short.n_samples)


def test_set_reaches_every_key_of_the_settings(trained):
    given = (
        "near_miss_strength=0.5", "clip_norm=inf", "augmentation.jitter=3", "augmentation.mix=0.2",
        'bip=["tau_mem"]', "rates.taus=0.125", "label_smoothing=0.1",
    )  # fmt: skip
    options = [word for text in given for word in ("--set", text)]
    config = trained(*TINY, "--epochs", 1, "--lr", 0.25, *options).config
    assert (config.near_miss_strength, config.clip_norm, config.bip) == (0.5, np.inf, ("tau_mem",))
    assert (config.augmentation.jitter, config.augmentation.mix) == (3, 0.2)
    assert (config.rates.taus, config.rates.weights, config.label_smoothing) == (0.125, 0.25, 0.1)


def test_costs_are_given_by_options_and_shown_in_result_and_report(trained):
    options = ("--activity-target", 0.5, "--activity-chip", "loihi", "--sparsity", 0.5)
    options += ("--rewire", 0.1, "--set", "sparse.interval=1", "--set", "sparse.scope=projection")
    found = trained(*TINY, "--epochs", 2, *options)
    config, run = found.config, found.run
    assert config.activity == ActivityCost(target=0.5, chip="loihi")
    assert config.sparse == SparseTraining(sparsity=0.5, rewire=0.1, interval=1, scope="projection")
    assert 0.4 < found.told["connection_sparsity"] < 0.6
    sizes = [n.projections["input->hidden1"].values.size for n in (run.initial, run.net)]
    assert sizes[1] == sizes[0] // 2
    assert "energy per recording on loihi in training" in found.page
    assert "connection sparsity" in found.page
    assert told("evaluate", "r")["accuracy"] == found.told["test"]["accuracy"]


def test_numbers_of_a_chip_are_trained_with_and_every_command_reads_them(trained):
    options = ("--quantise-chip", "loihi", "--quantise-bits", 4, "--quantise-begin", 0.5)
    run = trained(*TINY, "--epochs", 2, *options)
    assert run.config.quantise == QuantisedTraining(chip="loihi", bits=4, begin=0.5)
    answer, claimed = run.told["quantised"], run.told["test"]["accuracy"]
    wanted = {"chip": "loihi", "weight_bits": 4, "decay_bits": 12, "step_ms": 1.0}
    assert answer.items() >= wanted.items()
    assert "numbers of loihi, weights of 4 bits" in run.page
    found = told("evaluate", "r", "--chip", "loihi")
    assert found["accuracy"] == found["on_chip"]["accuracy"] == claimed
    assert found["on_chip"]["weight_bits"] == 4
    assert 0.0 <= found["on_chip"]["accuracy_in_steps"] <= 1.0
    other = told("evaluate", "r", "--chip", "truenorth")["on_chip"]  # whose bits are its own
    assert other["weight_bits"] == load_chip("truenorth").formats.weight_bits
    done("evaluate", "r", "--chip", "loihi").shows(
        "accuracy, numbers of loihi, weights of 4 bits, exact time",
        "accuracy, the same in steps of 1 ms",
    )
    # Memory is that of the bits that the weights have, of which all commands know.
    asked = {(): 4, ("--bits", 3): 3, ("--weight-bits", 8): 8}
    for options, bits in asked.items():
        counts = told("cost", "r", *options)["counts"]
        stored = sum(one["stored"] for one in counts["synapses"].values())
        assert counts["widths_bits"]["weight"] == bits
        assert counts["footprint_bytes"]["weights"] == stored * bits / 8
    done("cost", "r").shows("weights, 4 bits each")
    mapped = told("map", "r", "--chip", "loihi", "--bits", 4, "--method", "refined")
    scores = {row["bits"]: row["score"] for row in mapped["study"]}
    assert scores[4] == scores[None] == claimed
    more = told("train", "--resume", "--epochs", 3, "--out", "r")
    assert more["quantised"] == answer
    assert told("evaluate", "r")["accuracy"] == more["test"]["accuracy"]


@pytest.mark.thorough("trains for seconds")
def test_a_network_is_tuned_with_few_bits_from_a_run_in_float(digits, tmp_path):
    done("train", digits, *TINY, "--epochs", 1, "--out", "float")
    options = ("--batch-size", 6, "--backend", "cpu", "--epochs", 1)
    tuned = told("train", digits, *options, "--init", "float", "--quantise-bits", 3, "--out", "r")
    assert tuned["quantised"]["title"] == "weights of 3 bits"
    net = load_network(tmp_path / "r" / "last.npz")
    assert all(
        np.allclose(p.values, quantise(net, 3).net.projections[name].values)
        for name, p in net.projections.items()
    )
    plain = told("evaluate", "float", "--bits", 3)["on_chip"]
    assert (plain["chip"], plain["weight_bits"], plain["accuracy_in_steps"]) == (None, 3, None)
    steps = told("evaluate", "float", "--dt", 0.5)["on_chip"]
    assert (steps["weight_bits"], steps["step_ms"]) == (None, 0.5)


@pytest.mark.thorough("trains for seconds")
def test_a_run_starts_from_a_network_file_and_refuses_a_shape_beside(finished, tmp_path):
    data, folder, _ = finished
    tuned = ("train", data, "--init", folder / "selected.npz", "--epochs", 1, "--threads", 1)
    done(*tuned, "--lr", 0.001, "--out", "tuned")
    assert_same_net(load_run("tuned").initial, load_network(folder / "selected.npz"))
    assert load_run(tmp_path / "tuned").settings.network is None
    done("train", "--resume", "--out", "tuned")


def test_a_finished_run_is_extended_and_the_command_says_what_that_means(finished, tmp_path):
    folder = shutil.copytree(finished[1], tmp_path / "run")
    longer = done("train", "--resume", "--epochs", 3, "--out", folder, "--json").says(
        "is extended from 2 to 3 epochs", "not those of a run of 3 epochs from the start"
    )
    assert longer.json["epochs"] == 3
    assert load_run(folder).config.epochs == 3


def test_overwrite_replaces_a_run(finished, digits, tmp_path):
    folder = shutil.copytree(finished[1], tmp_path / "run")
    again = ("train", digits, *TINY, "--epochs", 1, "--out", folder)
    done(*again, "--overwrite")
    assert load_run(folder).config.epochs == len(load_run(folder).history) == 1


@pytest.mark.thorough("trains for seconds")
def test_values_of_a_loss_are_set_beside_its_name(digits, tmp_path):
    options = ("--epochs", 1, "--hidden", 4, "--loss", "cross_entropy_maximum")
    for given in ("loss.gain=3", "gain=3"):
        folder = "run-" + given.replace("=", "-")
        done("train", digits, *options, "--set", given, "--out", folder)
        settings = json.loads((tmp_path / folder / "run.json").read_text())
        assert settings["train"]["loss"] == {"kind": options[-1], "gain": 3.0, "dropout": 0.0}


@pytest.mark.thorough("trains for seconds")
def test_a_run_with_rounded_times_rounds_what_is_read_for_it(digits, tmp_path):
    done("train", digits, *TINY, "--epochs", 1, "--round-times", 2.5, "--out", "r")
    assert json.loads((tmp_path / "r/run.json").read_text())["data"]["round_times"] == 2.5
    assert (load_run("r").data("train").stream.times % 2.5 == 0.0).all()
    (tmp_path / "new.csv").write_text("# unit: ms\n1.1,3\n9.0,5\n")
    found = find_for(tmp_path / "r", "new.csv", Reading())
    assert found.stream[:].times.tolist() == [0.0, 7.5]
    done("evaluate", "r")
    done("train", "--resume", "--out", "r")
    refused("train", "--resume", "--out", "r", "--round-times", 5).says(
        "data.round_times is 2.5 there"
    )


def test_a_run_without_rounded_times_reads_times_as_they_are(finished, tmp_path):
    (tmp_path / "new.csv").write_text("# unit: ms\n1.1,3\n9.0,5\n")
    assert find_for(finished[1], str(tmp_path / "new.csv"), Reading()).stream[:].times[0] == 1.1


@pytest.mark.parametrize(("kind", "key"), [("adlif", "a"), ("resonator", "frequency")])
def test_linear_neurons_are_trained_and_evaluated_by_name(trained, kind, key):
    run = trained(*TINY, "--neuron", kind, "--backend", "cpu").run
    assert not np.array_equal(*(n.parameters()[f"hidden1.{key}"] for n in (run.initial, run.net)))
    assert run.config.bip[-1] == "neuron"
    done("evaluate", "r")
    done("cost", "r", "--json").shows("state_update")
    refused("map", "r").says("has neurons of kind")


def test_commands_stop_early_show_intervals_and_fail_under_an_accuracy(digits, tmp_path):
    run = tmp_path / "run"
    options = ("--hidden", 4, "--epochs", 30, "--patience", 1, "--lr", 0.3, "--threads", 1)
    result = told("train", digits, *options, "--validate", "recording", "--out", run)
    assert result["epochs"] < 30
    assert result["stopped_early"] == {"epochs": 30, "patience": 1, "by": "loss"}
    test = result["test"]
    assert test["accuracy_interval"] == list(wilson(test["accuracy"], test["samples"]))
    page = (run / "index.html").read_text()
    assert "stopped early: validation loss not better for 1 epochs" in page
    assert "Accuracy by class" in page
    done("train", "--resume", "--out", run).says("this run is finished").shows("stopped early")
    found = told("evaluate", run, "--fail-under", 0.0)
    assert [one["class"] for one in found["accuracy_by_class"]] == found["classes"]
    shown = call("evaluate", run, "--fail-under", 1.0)
    assert shown.code == (0 if found["accuracy"] == 1.0 else 1)
    assert "95 % interval" in shown.out
    assert "Accuracy by class" in shown.out
