import json
import shutil

import numpy as np
import pytest

from eventsim import datasets
from eventsim.cli import demo
from eventsim.cli.events import find_for
from eventsim.cli.reading import Reading
from eventsim.mapping import quantise
from eventsim.runs.data import DataSettings
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.run import load_run
from eventsim.train import ActivityCost, QuantisedTraining, SparseTraining, load_network
from tests.unit.cli.conftest import TINY, call


def same_network(one, two):
    a, b = load_network(one).parameters(), load_network(two).parameters()
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def load_config(folder):
    return load_run(folder).config


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


def test_train_writes_run_report_and_result(finished):
    _, folder, outcome = finished
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "run.json",
        "metrics.jsonl",
        "checkpoint.npz",
        "initial.npz",
        "last.npz",
        "selected.npz",
        "result.json",
        "index.html",
        "raster.png",
    }
    assert all(path.stat().st_size > 10_000 for path in folder.glob("*.png"))
    stored = json.loads((folder / "result.json").read_text())
    assert outcome.json == stored | {"folder": str(folder), "report": str(folder / "index.html")}
    assert outcome.json["test"]["samples"] == 6
    assert outcome.json["test"]["epoch"] == 2
    assert outcome.json["selected_by_validation"] is not None
    assert outcome.json["guess_accuracy"] == 1 / 3
    assert f"{100 * outcome.json['test']['accuracy']:.1f} %" in (folder / "index.html").read_text()


def test_train_shows_a_table_and_where_the_report_is(digits, tmp_path):
    outcome = call("train", digits, *TINY, "--no-bip", "--no-skip", "--no-self-recurrent")
    assert outcome.code == 0, outcome.err
    assert "held-out accuracy, last epoch (2), 6 recordings" in outcome.out
    assert "Report: runs/digits/index.html" in outcome.out
    net = load_network(tmp_path / "runs" / "digits" / "last.npz")
    assert list(net.projections) == ["input->hidden1", "hidden1->output"]
    assert load_config(tmp_path / "runs" / "digits").bip == ()


@pytest.mark.thorough("trains for seconds")
def test_second_run_takes_a_folder_of_its_own(digits, tmp_path):
    for name in ("digits", "digits-2"):
        assert call("train", digits, *TINY, "--epochs", 1).code == 0
        assert (tmp_path / "runs" / name / "index.html").exists()


def test_options_replace_the_config_file(digits, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('epochs = 1\ngain = 12.5\nbip = ["tau_mem"]\n[rates]\ntaus = 0.125\n')
    options = ("--config", file, "--hidden", 5, "--batch-size", 9, "--lr", 0.25, "--seed", 4)
    outcome = call("train", digits, *options, "--set", 'bip=["tau_syn", "v_leak"]', "--out", "r")
    assert outcome.code == 0, outcome.err
    config = load_config(tmp_path / "r")
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
    assert "not finished" in call("evaluate", folder).err

    resumed = call("train", "--resume", "--out", folder, "--json")
    assert resumed.code == 0, resumed.err
    for key in ("test", "selected_by_validation", "train_accuracy", "validation_accuracy"):
        assert resumed.json[key] == outcome.json[key]
    assert same_network(folder / "last.npz", whole / "last.npz")
    assert same_network(folder / "selected.npz", whole / "selected.npz")


def test_resume_with_the_options_of_the_start_is_accepted(finished):
    data, folder, _ = finished
    again = call("train", data, *TINY, "--out", folder, "--resume", "--json")
    assert again.code == 0, again.err


def test_resume_with_other_options_is_refused(finished):
    data, folder, _ = finished
    for options, what in (
        (("--hidden", 7), "network.hidden is [6] there, [7] now"),
        (("--epochs", 1), "epochs is 2 there, 1 now"),
        (("yinyang",), "data.name is 'ntidigits' there, 'yinyang' now"),
        ((data, "--no-bip"), "bip"),
    ):
        outcome = call("train", *options, "--resume", "--out", folder)
        assert outcome.code == 2
        assert what in outcome.err


def test_occupied_folder_is_refused(finished):
    data, folder, _ = finished
    outcome = call("train", data, "--out", folder)
    assert outcome.code == 2
    assert "holds a run already. Add --resume" in outcome.err


def test_missing_or_unknown_input_is_one_message_and_exit_code_2(digits, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text("epocs = 3\n")
    for arguments, what in (
        (("train",), "no DATA"),
        (("train", "fssd"), "Did you mean 'fsdd'?"),
        (("train", "fsdd"), "no recordings found"),
        (("train", "nowhere.hdf5"), "neither a data set"),
        (("train", digits, "--config", bad), "Did you mean 'epochs'?"),
        (("train", digits, "--config", "none.json"), "cannot be read as JSON"),
        (("train", digits, "--set", 'bip=["tau"]'), "bip[0] is 'tau'"),
        (("train", digits, "--backend", "gpu", *TINY), "'gpu' is unknown"),
        (("train", digits, "--threads", 4096), "threads is 4096"),
        (("train", "--resume", "--out", tmp_path), "no run of eventsim"),
        (("train", "--resume"), "--out"),
    ):
        outcome = call(*arguments)
        assert outcome.code == 2, arguments
        assert what in outcome.err, outcome.err
        assert "Traceback" not in outcome.err
        assert outcome.out == ""


def test_demo_resumes_a_stopped_one_and_leaves_a_finished_one_alone(digits, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "NETWORK", {"hidden": (5,)})
    source = DataSettings(name="ntidigits", file=str(digits))
    monkeypatch.setattr(demo, "source", lambda: source)
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        assert call("demo", "--epochs", 2, "--threads", 1).code == 130
    going_on = call("demo")
    assert going_on.code == 0, going_on.err
    assert "going on with it" in going_on.err
    assert "guess: always the commonest class" in going_on.out
    assert "Report: runs/demo/index.html" in going_on.out
    fresh = call("demo", "--epochs", 1, "--json")
    assert fresh.code == 0
    assert "holds a finished demo; this one goes to runs/demo-2" in fresh.err
    assert fresh.json["report"] == "runs/demo-2/index.html"


RSNN = ("--model", "rsnn", "--hidden", 8, "--tau-syn", 40, "--epochs", 1, "--batch-size", 9)


@pytest.mark.thorough("trains for seconds")
def test_lateral_gain_scales_the_lateral_weights_and_nothing_else(digits, tmp_path):
    nets = {}
    for gain in (1.0, 0.25):
        out = f"gain{gain}"
        done = call("train", digits, *RSNN, "--lateral-gain", gain, "--out", out)
        assert done.code == 0, done.err
        nets[gain] = load_network(tmp_path / out / "initial.npz")
    for name, one in nets[1.0].projections.items():
        scale = 0.25 if name == "hidden1->hidden1" else 1.0
        np.testing.assert_allclose(nets[0.25].projections[name].values, scale * one.values)
    refused = call("train", digits, "--lateral-gain", 0.1, "--out", "no")
    assert refused.code == 2
    assert "--lateral-gain: belongs to --model rsnn" in refused.err


def test_rsnn_is_trained_with_the_options_that_were_given_and_resumed(digits, tmp_path):
    lateral = ("--lateral", "random", "--in-degree", 3, "--inhibitory", 0.25, "--delays", "1:3")
    learning = ("--dale", "--train-delays", "--max-delay", 4, "--set", "rates.delays=0.5")
    outcome = call("train", digits, *RSNN, *lateral, *learning, "--out", "r")
    assert outcome.code == 0, outcome.err
    before, after = (load_network(tmp_path / "r" / f"{name}.npz") for name in ("initial", "last"))
    synapses = before.projections["hidden1->hidden1"]
    assert (np.diff(synapses.weights.tocsc().indptr) == 3).all()
    assert 1.0 <= synapses.delays.min() < synapses.delays.max() <= 3.0
    learned = after.projections["hidden1->hidden1"]
    assert (learned.values * synapses.values >= 0).all()
    assert not np.array_equal(learned.delays, synapses.delays)
    config = load_config(tmp_path / "r")
    assert (config.dale, config.max_delay, config.rates.delays) == (True, 4.0, 0.5)
    assert "RSNN" in (tmp_path / "r" / "index.html").read_text()
    assert call("train", "--resume", "--out", "r").code == 0
    refused = call("train", "--resume", "--out", "r", "--delays", "1:4")
    assert refused.code == 2
    assert "network.delays is [1.0, 3.0] there" in refused.err


def test_every_neuron_draws_its_time_constant_from_the_range(digits, tmp_path):
    outcome = call("train", digits, *TINY, "--tau-mem-range", "10:300", "--no-bip", "--out", "r")
    assert outcome.code == 0, outcome.err
    taus = load_network(tmp_path / "r" / "last.npz").population("hidden1").tau_mem
    assert np.unique(taus).size == taus.size
    assert ((taus >= 10.0) & (taus <= 300.0)).all()
    refused = call("train", digits, *TINY, "--tau-mem-range", "0:300", "--out", "w")
    assert refused.code == 2
    assert "tau_mem_range" in refused.err
    other = call("train", "--resume", "--out", "r", "--tau-mem-range", "10:200")
    assert other.code == 2
    assert "network.tau_mem_range is [10.0, 300.0] there" in other.err


def test_adaptive_threshold_is_trained_with_the_options_that_were_given(digits, tmp_path):
    options = ("--adaptation", 0.2, "--tau-adaptation", 80, "--backend", "cpu")
    outcome = call("train", digits, *TINY, *options, "--out", "r")
    assert outcome.code == 0, outcome.err
    before, after = (load_network(tmp_path / "r" / f"{name}.npz") for name in ("initial", "last"))
    first = before.population("hidden1")
    assert (first.adaptation == 0.2).all()
    assert (first.tau_adaptation == 80.0).all()
    assert not np.array_equal(after.population("hidden1").adaptation, first.adaptation)
    assert load_config(tmp_path / "r").bip[-2:] == ("adaptation", "tau_adaptation")
    assert call("evaluate", "r").code == 0
    assert call("train", "--resume", "--out", "r").code == 0
    assert call("train", digits, *TINY, *options, "--no-bip", "--out", "w").code == 0
    kept = load_network(tmp_path / "w" / "last.npz").population("hidden1")
    assert (kept.adaptation == 0.2).all()


def test_convolutional_network_is_trained_with_the_options_that_were_given(digits, tmp_path):
    shape = ("--model", "convolutional", "--hidden", 3, "--output-maps", 4)
    kernels = ("--kernel", 5, "--kernel", 3, "--stride", 4, "--stride", 2)
    learning = ("--loss", "cross_entropy_maximum", "--set", "decision_dropout=0.2", "--epochs", 1)
    outcome = call("train", digits, *shape, *kernels, *learning, "--out", "r")
    assert outcome.code == 0, outcome.err
    net = load_network(tmp_path / "r" / "last.npz")
    assert net.population("hidden1").size == 16 * 3
    assert net.population("output").size == 8 * 4
    assert load_config(tmp_path / "r").loss.dropout == 0.2
    assert "convolutional SNN" in (tmp_path / "r" / "index.html").read_text()
    assert call("evaluate", "r").code == 0
    assert call("train", "--resume", "--out", "r").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lateral", "ring"), "--lateral: belongs to --model rsnn"),
        (("--model", "rsnn", "--no-skip"), "--skip: belongs to --model scsr"),
        (("--kernel", 3, "--kernel", 3), "--kernel: belongs to --model convolutional"),
        (("--model", "convolutional", "--kernel", 3), "two sizes >= 1"),
        (("--model", "convolutional", "--lateral", "ring"), "--lateral: belongs to --model rsnn"),
        (("--model", "rsnn", "--in-degree", 3), "--in-degree: belongs to --lateral random"),
        (("--model", "rsnn", "--lateral", "random", "--scale", 3), "ring or sheet"),
        (("--model", "rsnn", "--delays", "soon"), "--delays soon"),
        (("--model", "rsnn", "--delays", "3:1"), "low <= high"),
        (("--model", "rsnn", "--dale"), "weights of both signs"),
    ],
)
def test_options_that_do_not_go_together_are_refused(digits, options, message):
    outcome = call("train", digits, *TINY, *options)
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())


@pytest.mark.parametrize("lateral", ["dense", "random", "ring", "sheet"])
def test_every_lateral_choice_builds_a_network(lateral):
    settings = NetworkSettings.from_options({"model": "rsnn", "lateral": lateral, "hidden": (40,)})
    n = settings.build(3, 2, seed=0).projections["hidden1->hidden1"].weights.nnz
    assert n == 40 * 39 if lateral == "dense" else 0 < n < 40 * 39


def test_losses_train_the_network_that_they_need_from_the_command_line(digits, tmp_path):
    for loss, kind in (
        ("cross_entropy_maximum", "readout"),
        ("spike_count", "spiking"),
        ("ctc", "readout"),
    ):
        outcome = call(
            "train", digits, *TINY, "--epochs", 1, "--loss", loss, "--out", loss, "--json"
        )
        assert outcome.code == 0, outcome.err
        net = load_network(tmp_path / loss / "last.npz")
        assert net.populations["output"].kind == kind
        assert net.populations["output"].size == (12 if loss == "ctc" else 11)
        assert ("label_error_rate" in outcome.json["test"]) == (loss == "ctc")
        assert load_config(tmp_path / loss).loss.kind == loss


def test_end_of_a_run_by_ctc_tells_the_label_error_rate(digits):
    outcome = call("train", digits, *TINY, "--epochs", 1, "--loss", "ctc")
    assert outcome.code == 0, outcome.err
    assert "wrong words per word that was said" in outcome.out


@pytest.mark.thorough("trains for seconds")
def test_connected_digits_are_learned_with_delays_and_a_tail(digits, tmp_path):
    given = ("--loss", "ctc", "--forward-delays", "0:20", "--set", "tail=20", "--epochs", 1)
    outcome = call(
        "train", "ntidigits_strings", "--file", digits, *TINY, *given, "--out", "s", "--json"
    )
    assert outcome.code == 0, outcome.err
    net = load_network(tmp_path / "s" / "last.npz")
    assert net.projections["input->hidden1"].delays.shape == (64,)
    assert net.populations["output"].size == 12
    tested = call("evaluate", "s", "--json")
    assert tested.json["label_error_rate"] == outcome.json["test"]["label_error_rate"]
    assert "wrong words per word that was said" in call("evaluate", "s").out

    short = datasets.load("ntidigits_strings", split="test", root=digits).stream
    seconds = (short.duration.sum() + 20.0 * short.n_samples) / 1000.0
    events = "events.npz"
    short.save(tmp_path / events)
    heard = call("simulate", "s", events, "--json").json["seconds_of_input"]
    assert heard == pytest.approx(seconds)
    from_file = call("simulate", "s/last.npz", events, "--json").json
    assert from_file["seconds_of_input"] == pytest.approx(seconds)
    assert len(from_file["answers"]) == short.n_samples
    counts = call("cost", "s", "--json").json["counts"]
    assert counts["milliseconds_per_sample"] == pytest.approx(1000 * seconds / short.n_samples)


def test_set_reaches_every_key_of_the_settings(digits, tmp_path):
    given = (
        "near_miss_strength=0.5", "clip_norm=inf", "augmentation.jitter=3", "augmentation.mix=0.2",
        'bip=["tau_mem"]', "rates.taus=0.125", "label_smoothing=0.1",
    )  # fmt: skip
    options = [word for text in given for word in ("--set", text)]
    outcome = call("train", digits, *TINY, "--epochs", 1, "--lr", 0.25, *options, "--out", "r")
    assert outcome.code == 0, outcome.err
    config = load_config(tmp_path / "r")
    assert (config.near_miss_strength, config.clip_norm, config.bip) == (0.5, np.inf, ("tau_mem",))
    assert (config.augmentation.jitter, config.augmentation.mix) == (3, 0.2)
    assert (config.rates.taus, config.rates.weights, config.label_smoothing) == (0.125, 0.25, 0.1)


def test_costs_are_given_by_options_and_shown_in_result_and_report(digits, tmp_path):
    options = ("--activity-target", 0.5, "--activity-chip", "loihi", "--sparsity", 0.5)
    options += ("--rewire", 0.1, "--set", "sparse.interval=1", "--set", "sparse.scope=projection")
    outcome = call("train", digits, *TINY, "--epochs", 2, *options, "--out", "r", "--json")
    assert outcome.code == 0, outcome.err
    config = load_config(tmp_path / "r")
    assert config.activity == ActivityCost(target=0.5, chip="loihi")
    assert config.sparse == SparseTraining(sparsity=0.5, rewire=0.1, interval=1, scope="projection")
    assert 0.4 < outcome.json["connection_sparsity"] < 0.6
    run = load_run(tmp_path / "r")
    sizes = [n.projections["input->hidden1"].values.size for n in (run.initial, run.net)]
    assert sizes[1] == sizes[0] // 2
    page = (tmp_path / "r" / "index.html").read_text()
    assert "energy per recording on loihi in training" in page
    assert "connection sparsity" in page
    again = call("evaluate", tmp_path / "r", "--json")
    assert again.json["accuracy"] == outcome.json["test"]["accuracy"]


def test_numbers_of_a_chip_are_trained_with_and_every_command_reads_them(digits, tmp_path):
    options = ("--quantise-chip", "loihi", "--quantise-bits", 4, "--quantise-begin", 0.5)
    outcome = call("train", digits, *TINY, "--epochs", 2, *options, "--out", "r", "--json")
    assert outcome.code == 0, outcome.err
    config = load_config(tmp_path / "r")
    assert config.quantise == QuantisedTraining(chip="loihi", bits=4, begin=0.5)
    told = outcome.json["quantised"]
    assert (told["chip"], told["weight_bits"], told["decay_bits"], told["step_ms"]) == (
        "loihi", 4, 12, 1.0,
    )  # fmt: skip
    assert "numbers of loihi, weights of 4 bits" in (tmp_path / "r" / "index.html").read_text()
    claimed = outcome.json["test"]["accuracy"]
    found = call("evaluate", "r", "--chip", "loihi", "--json").json
    assert found["accuracy"] == found["on_chip"]["accuracy"] == claimed
    assert found["on_chip"]["weight_bits"] == 4
    assert 0.0 <= found["on_chip"]["accuracy_in_steps"] <= 1.0
    shown = call("evaluate", "r", "--chip", "loihi").out
    assert "accuracy, numbers of loihi, weights of 4 bits, exact time" in shown
    assert "accuracy, the same in steps of 1 ms" in shown
    # Memory is that of the bits that the weights have, of which all commands know.
    asked = {(): 4, ("--bits", 3): 3, ("--weight-bits", 8): 8}
    for options, bits in asked.items():
        counts = call("cost", "r", *options, "--json").json["counts"]
        stored = sum(one["stored"] for one in counts["synapses"].values())
        assert counts["widths_bits"]["weight"] == bits
        assert counts["footprint_bytes"]["weights"] == stored * bits / 8
    assert "weights, 4 bits each" in call("cost", "r").out
    mapped = call("map", "r", "--chip", "loihi", "--bits", 4, "--method", "refined", "--json")
    scores = {row["bits"]: row["score"] for row in mapped.json["study"]}
    assert scores[4] == scores[None] == claimed
    more = call("train", "--resume", "--epochs", 3, "--out", "r", "--json")
    assert more.json["quantised"] == told
    assert call("evaluate", "r", "--json").json["accuracy"] == more.json["test"]["accuracy"]


@pytest.mark.thorough("trains for seconds")
def test_a_network_is_tuned_with_few_bits_from_a_run_in_float(digits, tmp_path):
    assert call("train", digits, *TINY, "--epochs", 1, "--out", "float").code == 0
    options = ("--batch-size", 6, "--backend", "cpu", "--epochs", 1)
    tuned = call("train", digits, *options, "--init", "float", "--quantise-bits", 3, "--out", "r",
                 "--json")  # fmt: skip
    assert tuned.code == 0, tuned.err
    assert tuned.json["quantised"]["title"] == "weights of 3 bits"
    net = load_network(tmp_path / "r" / "last.npz")
    assert all(
        np.allclose(p.values, quantise(net, 3).net.projections[name].values)
        for name, p in net.projections.items()
    )
    plain = call("evaluate", "float", "--bits", 3, "--json").json["on_chip"]
    assert (plain["chip"], plain["weight_bits"], plain["accuracy_in_steps"]) == (None, 3, None)
    steps = call("evaluate", "float", "--dt", 0.5, "--json").json["on_chip"]
    assert (steps["weight_bits"], steps["step_ms"]) == (None, 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dt", 2), "dt is 2.0"),
        (("--dt", 0), "step_ms is 0.0"),
        (("--chip", "nochip"), "nochip"),
        (("--chip", "45nm"), "has no formats"),
    ],
)
def test_chips_in_which_no_network_can_be_evaluated_are_refused(finished, options, message):
    outcome = call("evaluate", finished[1], *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--loss", "hinge"), "loss is 'hinge'"),
        (("--activity-chip", "nochip"), "nochip"),
        (("--activity-chip", "loihi2"), "has no energy of a synaptic operation"),
        (("--sparsity", "1"), "sparsity is 1"),
        (("--quantise-chip", "45nm"), "has no formats"),
        (("--quantise-bits", "4", "--set", "quantise.begin=1"), "begin is 1"),
        (("--set", 'sparse.projections=["a->b"]', "--sparsity", "0.5"), "no projection 'a->b'"),
        (("--set", "gain"), "expected KEY=VALUE"),
        (("--set", "loss.gane=3"), "Did you mean 'gain'?"),
        (("--set", "gain.x=3"), "'gain' is no group of keys"),
        (("--set", "rate.weights=3"), "Did you mean 'rates'?"),
        (("--set", "tale=3"), "Did you mean 'tail'?"),
        (("--set", "augmentation.jiter=3"), "Did you mean 'jitter'?"),
        (("--loss", "van_rossum", "--set", "label_smoothing=0.1"), "takes no shares"),
    ],
)
def test_settings_that_cannot_be_are_refused(digits, options, message):
    outcome = call("train", digits, *TINY, *options)
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())


@pytest.mark.thorough("trains for seconds")
def test_a_run_starts_from_a_network_file_and_refuses_a_shape_beside(finished, tmp_path):
    data, folder, _ = finished
    tuned = ("train", data, "--init", folder / "selected.npz", "--epochs", 1, "--threads", 1)
    assert call(*tuned, "--lr", 0.001, "--out", "tuned").code == 0
    assert same_network(tmp_path / "tuned" / "initial.npz", folder / "selected.npz")
    assert load_run(tmp_path / "tuned").settings.network is None
    assert call("train", "--resume", "--out", "tuned").code == 0
    refused = call(*tuned, "--hidden", 5)
    assert refused.code == 2
    assert "--init and --hidden contradict each other" in refused.err


def test_a_finished_run_is_extended_and_the_command_says_what_that_means(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[1], folder)
    longer = call("train", "--resume", "--epochs", 3, "--out", folder, "--json")
    assert longer.code == 0, longer.err
    assert longer.json["epochs"] == 3
    told = " ".join(longer.err.split())
    assert "is extended from 2 to 3 epochs" in told
    assert "not those of a run of 3 epochs from the start" in told
    assert load_config(folder).epochs == 3


def test_overwrite_replaces_a_run(finished, digits, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[1], folder)
    again = ("train", digits, *TINY, "--epochs", 1, "--out", folder)
    assert "--overwrite to replace it" in " ".join(call(*again).err.split())
    assert call(*again, "--overwrite", "--resume").code == 2
    assert call(*again, "--overwrite").code == 0
    assert load_run(folder).config.epochs == len(load_run(folder).history) == 1


@pytest.mark.thorough("trains for seconds")
def test_values_of_a_loss_are_set_beside_its_name(digits, tmp_path):
    options = ("--epochs", 1, "--hidden", 4, "--loss", "cross_entropy_maximum")
    for given in ("loss.gain=3", "gain=3"):
        folder = "run-" + given.replace("=", "-")
        assert call("train", digits, *options, "--set", given, "--out", folder).code == 0
        settings = json.loads((tmp_path / folder / "run.json").read_text())
        assert settings["train"]["loss"] == {
            "kind": "cross_entropy_maximum",
            "gain": 3.0,
            "dropout": 0.0,
        }
    wrong = call("train", digits, *options, "--set", "loss.time_constant=3", "--out", "wrong")
    assert wrong.code == 2
    assert "time_constant" in wrong.err


@pytest.mark.thorough("trains for seconds")
def test_a_run_with_rounded_times_rounds_what_is_read_for_it(digits, tmp_path):
    coarse = call("train", digits, *TINY, "--epochs", 1, "--round-times", 2.5, "--out", "r")
    assert coarse.code == 0, coarse.err
    assert json.loads((tmp_path / "r/run.json").read_text())["data"]["round_times"] == 2.5
    assert (load_run("r").data("train").stream.times % 2.5 == 0.0).all()
    (tmp_path / "new.csv").write_text("# unit: ms\n1.1,3\n9.0,5\n")
    found = find_for(tmp_path / "r", "new.csv", Reading())
    assert found.stream[:].times.tolist() == [0.0, 7.5]
    assert call("evaluate", "r").code == 0
    assert call("train", "--resume", "--out", "r").code == 0
    refused = call("train", "--resume", "--out", "r", "--round-times", 5)
    assert refused.code == 2
    assert "data.round_times is 2.5 there" in refused.err


def test_a_run_without_rounded_times_reads_times_as_they_are(finished, tmp_path):
    (tmp_path / "new.csv").write_text("# unit: ms\n1.1,3\n9.0,5\n")
    assert find_for(finished[1], str(tmp_path / "new.csv"), Reading()).stream[:].times[0] == 1.1
