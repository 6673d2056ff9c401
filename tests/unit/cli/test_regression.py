"""Regression by commands: a table of values in, R2 and values out, equal to arithmetic by hand."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.cli.begin import begin_note
from eventsim.events.begin import TimeZero, edges
from eventsim.events.targets import Targets, targets_of
from eventsim.runs import regression, settings
from eventsim.runs.execution import Execution
from eventsim.runs.run import load_any
from tests.unit.cli.conftest import call

MOST_READS = 4  # of run.json by a command
SAME = ("test", "selected_by_validation", "loss", "validation_loss", "epochs")
N, TIMES = 12, (15.0, 40.0)
TRAINED = ("--hidden", 6, "--epochs", 2, "--batch-size", 6, "--threads", 1, "--out", "run")


def write_table(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def values(places):
    """Recordings with two values at two times each, on a clock that begins at 1,000 ms."""
    rng, found = np.random.default_rng(0), {}
    for k in range(N):
        times = 1000.0 + np.sort(rng.uniform(0.0, 35.0, 30))
        times[0] = 1000.0
        channels = rng.integers(0, 8, 30)
        write_table(places / f"{k}.csv", ("time_ms", "channel"), zip(times, channels, strict=True))
        found[f"{k}.csv"] = rng.normal((50.0, -2.0), (10.0, 0.5), (2, 2))
    found["0.csv"][0, 1] = np.nan
    rows = [
        (file, f"s{int(file[:-4]) % 4}", 1000.0 + time, *("" if x != x else x for x in row))
        for file, each in found.items()
        for time, row in zip(TIMES, each, strict=True)
    ]
    write_table(places / "targets.csv", ("file", "Speaker", "time_ms", "speed", "Angle"), rows)
    return found


def answers_of(outcome):
    """Values of a CSV by file and time."""
    assert outcome.code == 0, outcome.err
    rows = list(csv.DictReader(outcome.out.splitlines()))
    found = {
        (row["file"], float(row["time_ms"])): (float(row["speed"]), float(row["Angle"]))
        for row in rows
    }
    assert len(found) == len(rows)  # a recording that ends before others ends once
    return found


def test_values_of_a_table_are_fitted_evaluated_and_predicted_as_by_hand(
    values, places, monkeypatch
):
    imported = call(
        "data", "import", "--targets", "targets.csv", "--group-column", "speaker", "--out", "m.h5",
        "--json",
    )  # fmt: skip
    assert imported.code == 0, imported.err
    assert imported.json["targets"]["speed"]["values"] == 2 * N
    assert imported.json["targets"]["Angle"]["values"] == 2 * N - 1
    assert f"{N} recordings last until their last target" in imported.err
    simulated = counted(monkeypatch, regression, "evaluate_regression")
    trained = call("train", "m.h5", *TRAINED, "--json")
    assert trained.code == 0, trained.err
    assert len(simulated) <= 2  # the test part, once by each network that is asked
    test = trained.json["test"]
    assert test["samples"] == N // 4  # whole speakers
    assert (places / "run" / "index.html").read_text().count("R2 of") == 2

    again = call("evaluate", "run", "--json").json
    assert [again[key] for key in ("r2", "mean_squared_error")] == [
        test["r2"], test["mean_squared_error"]
    ]  # fmt: skip
    files = [f"{k}.csv" for k in range(N) if str(k) in numbers_of_test_part(places)]
    found = answers_of(call("predict", "run", *files, "--every", "0.5", "--csv"))
    ends = answers_of(call("predict", "run", *files, "--csv"))
    assert [*ends] == [(file, last(found, file)) for file in files]
    assert np.ptp([time for _, time in ends]) > 0.5
    for file, end in ends:  # the whole ms behind its last event
        assert end == np.ceil(np.genfromtxt(file, delimiter=",")[1:, 0].max() - 1000.0)
        grid = [0.5 * k for k in range(1, 100) if 0.5 * k < end]
        assert [time for name, time in found if name == file] == [*grid, end]
    lacks = call("predict", "run", *files, "none.csv", "--skip-damaged", "--json").json
    assert [one["file"] for one in lacks["answers"]] == files
    assert [one["file"] for one in lacks["damaged"]] == ["none.csv"]
    for end, answer in ends.items():
        assert answer == pytest.approx(found[end], rel=1e-5)  # single precision
    asked = [(file, k) for file in files for k in (0, 1)]
    wanted = np.array([values[file][k] for file, k in asked])
    answered = np.array([found[file, min(TIMES[k], last(found, file))] for file, k in asked])
    # A target after the last event is met by a longer recording: predict reads the file alone.
    met = np.array([TIMES[k] <= last(found, file) for file, k in asked])
    net = es.Network.load(places / "run" / "last.npz")
    stored = es.events.StoredStream.open("m.h5")
    rows = [list(stored.columns["keys"]).index(file) for file in files]
    tape = es.simulate(net, stored[rows], backend="reference")
    voltages = es.voltage(net, tape, "output", np.array(TIMES))
    by_hand = voltages.reshape(-1, 2)
    np.testing.assert_allclose(answered[met], by_hand[met], rtol=1e-4)
    there = ~np.isnan(wanted)
    error = np.where(there, by_hand - wanted, 0.0) ** 2
    around = (wanted - np.nanmean(wanted, axis=0)) ** 2
    np.testing.assert_allclose(test["r2"], 1 - error.sum(0) / np.nansum(around, axis=0), rtol=1e-3)
    np.testing.assert_allclose(test["mean_squared_error"], error.sum() / there.sum(), rtol=1e-3)
    learned = [each for file, each in values.items() if file not in files]
    guess = (wanted - np.nanmean(learned, axis=(0, 1))) ** 2
    assert trained.json["guess_mean_squared_error"] == pytest.approx(np.nanmean(guess))
    parts = json.loads((places / "run" / "run.json").read_text())["parts"]
    assert parts == trained.json["parts"]
    assert parts["test"]["recordings"] == len(files)


def test_a_report_of_a_run_that_kept_no_unit_of_errors_takes_it_from_the_settings(values, places):
    call("data", "import", "--targets", "targets.csv", "--group-column", "speaker", "--out", "m.h5")
    whole = call("train", "m.h5", *TRAINED, "--json")
    assert whole.code == 0, whole.err
    result = json.loads((places / "run" / "result.json").read_text())
    kept = result.pop("loss_scale")
    (places / "run" / "result.json").write_text(json.dumps(result))
    again = call("report", "run", "--json")
    assert again.code == 0, again.err
    assert again.json["loss_scale"] == kept


def counted(monkeypatch, where, name):
    """Calls of a function of a module, as they come."""
    called, plain = [], getattr(where, name)

    def noting(*args, **kwargs):
        called.append(args)
        return plain(*args, **kwargs)

    monkeypatch.setattr(where, name, noting)
    return called


def last(found, file):
    return max(time for name, time in found if name == file)


def numbers_of_test_part(places):
    """Numbers of the files that the run tested."""
    return {key.removesuffix(".csv") for key in load_any(places / "run").data("test").keys}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("train", "m.h5", "--loss", "cross_entropy"), "holds values of its recordings"),
        (("train", "m.h5", "--fail-under", 0.9), "--fail-under: is an accuracy"),
        (("train", "m.h5", "--patience", 3, "--patience-by", "accuracy"), "patience_by is"),
        (("train", "fsdd", "--loss", "mean_squared_error"), "has no targets"),
        (("evaluate", "n.npz", "m.h5", "--latency"), "there are no classes"),
    ],
)
def test_what_regression_does_not_do_is_refused_by_name(values, places, command, said):
    assert call("data", "import", "--targets", "targets.csv", "--group-column", "Speaker",
                "--out", "m.h5").code == 0  # fmt: skip
    es.scsr(8, (5,), 2, seed=1).save("n.npz")
    refused = call(*command)
    assert refused.code == 2
    assert said in refused.err.replace("\n", " ")


def test_a_run_of_values_is_resumed_to_the_same_bits_and_stopped_by_its_validation(values, places):
    assert call("data", "import", "--targets", "targets.csv", "--group-column", "speaker",
                "--out", "m.h5").code == 0  # fmt: skip
    whole = call("train", "m.h5", *TRAINED, "--json").json
    assert whole["validation_loss"] > 0
    parts = json.loads((places / "run" / "run.json").read_text())["parts"]
    assert not parts["training"]["groups"].keys() & parts["validation"]["groups"].keys()

    def stop(event):
        if event.ends_epoch:
            raise KeyboardInterrupt

    halted = load_any(places / "run").settings
    with pytest.raises(KeyboardInterrupt):
        regression.execute_values(halted, places / "half", Execution(callback=stop))
    assert len(load_any(places / "half").history) == 1
    assert call("train", "m.h5", "--out", "half").code == 2
    resumed = call("train", "--resume", "--out", "half", "--threads", 1, "--json").json
    assert {key: resumed[key] for key in SAME} == {key: whole[key] for key in SAME}
    for name in ("last", "selected", "initial"):
        one, other = (load_any(places / run).network(name) for run in ("run", "half"))
        assert [*one.to_arrays()] == [*other.to_arrays()]
        for key, found in one.to_arrays().items():
            np.testing.assert_array_equal(found, other.to_arrays()[key])
    stopped = call("train", "m.h5", *TRAINED[:-1], "still", "--epochs", 9, "--patience", 1, "--lr",
                   "0", "--no-bip", "--set", "silent_lift=0", "--json")  # fmt: skip
    assert stopped.code == 0, stopped.err
    assert stopped.json["stopped_early"]["patience"] == 1
    assert stopped.json["epochs"] == 2


def test_the_network_of_the_best_epoch_is_measured_beside_the_last(values, places):
    assert call("data", "import", "--targets", "targets.csv", "--group-column", "speaker",
                "--out", "m.h5").code == 0  # fmt: skip
    # So fast that the first epoch is the best one.
    wild = call("train", "m.h5", *TRAINED[:-1], "wild", "--lr", "30", "--json").json
    chosen = wild["selected_by_validation"]
    assert chosen["epoch"] == 1
    for which, said in (("last", wild["test"]), ("selected", chosen)):
        again = call("evaluate", "wild", "--network", which, "--json").json
        assert (again["r2"], again["mean_squared_error"]) == (
            said["r2"],
            said["mean_squared_error"],
        )
    assert chosen["r2"] != wild["test"]["r2"]


SPLITS = ("train", "test", "train")


@pytest.fixture
def divided(places):
    """A file of three recordings with values and parts, and a network that answers them."""
    samples = [(np.arange(1.0, 6.0 + k), np.arange(5 + k) % 4) for k in range(len(SPLITS))]
    stream = es.EventStream.from_samples(samples, n_channels=4, duration=20.0)
    told = {"keys": list("abc"), "groups": ["x", "y", "x"]}
    data = es.events.Dataset(stream, [0, 0, 0], ["0"], **told)
    values = np.arange(6.0).reshape(3, 2, 1)
    targets = Targets(values, np.tile([5.0, 20.0], (3, 1)), ("speed",))
    begins = np.array([3.0, 4.0, 5.0])
    notes = begin_note(TimeZero("first-event", "why", begins, edges(stream)))
    replace(data, targets=targets).save("v.h5", splits=SPLITS, begins=begins, notes=notes)
    es.scsr(4, (5,), 1, seed=1).save("n.npz")
    return targets


def test_part_and_network_of_values_are_those_that_were_named(divided):
    evaluated = call("evaluate", "n.npz", "v.h5", "--split", "train", "--json")
    assert evaluated.code == 0, evaluated.err
    found = evaluated.json
    assert (found["split"], found["samples"], found["targets"]) == ("train", 2, 4)
    assert found["measured"]["part"] == "train"
    shown = call("data", "info", "v.h5", "--json").json["splits"]
    assert {part: shown[part]["samples"] for part in shown} == {"train": 2, "test": 1}
    assert call("train", "v.h5", *TRAINED).code == 0
    (answer,) = call("predict", "run", "v.h5", "--split", "test", "--json").json["answers"]
    assert answer["key"] == "b"
    every, first = (
        call("predict", "run", "v.h5", "--network", which, "--json").json["answers"]
        for which in ("last", "initial")
    )
    assert len(every) == len(SPLITS)
    stored = es.events.StoredStream.open("v.h5")
    net = es.Network.load("run/initial.npz")
    by_hand = es.voltage(net, es.simulate(net, stored[:], backend="reference"), "output", [20.0])
    answered = [row["values"]["speed"] for row in first]
    np.testing.assert_allclose(answered, by_hand.ravel(), rtol=1e-4)


def test_a_run_of_values_is_read_few_times_says_what_it_read_and_refuses_what_it_cannot(
    divided, places, monkeypatch
):
    assert call("train", "v.h5", *TRAINED).code == 0
    empty = es.EventStream.from_samples([([], [])] * 2, n_channels=4, duration=20.0)
    es.events.Dataset(empty, [0, 1], ["no", "yes"]).save("empty.h5", splits=("train", "test"))
    shown = " ".join(call("predict", "run", "empty.h5", "--split", "test").out.split())
    assert "has no events" in shown
    assert "only the test part (--split)" in shown
    said = call("evaluate", "run", "empty.h5").err
    assert "has no targets" in " ".join(said.split())
    reads = counted(monkeypatch, settings, "read_object")
    assert call("evaluate", "run").code == 0
    assert len(reads) <= MOST_READS
    about = json.loads((places / "run" / "run.json").read_text())
    (places / "run" / "run.json").write_text(json.dumps(about | {"version": 3}))
    assert "is of version 3, this eventsim reads" in " ".join(call("evaluate", "run").err.split())


def test_an_output_without_any_value_is_told_when_it_is_imported(values, places):
    rows = [(file, "", 1.0) for file in values]
    write_table(places / "targets.csv", ("file", "speed", "angle"), rows)
    imported = call("data", "import", "--targets", "targets.csv", "--out", "m.h5")
    assert imported.code == 0, imported.err
    assert "0 values" in imported.out


def test_a_file_of_values_is_written_again_with_all_that_it_says(divided):
    again = call("data", "import", "v.h5", "--out", "again.h5", "--json")
    assert again.code == 0, again.err
    assert again.json["targets"] == divided.summary()
    assert again.json["parts"] == {"train": 2, "test": 1}
    before, after = (es.events.StoredStream.open(name) for name in ("v.h5", "again.h5"))
    assert {name: column.tolist() for name, column in after.columns.items()} == {
        name: column.tolist() for name, column in before.columns.items()
    }
    assert targets_of(after).names == divided.names
    lost = call("data", "import", "v.h5", "--out", "again.npz").err
    assert "not in an npz file: targets, groups, keys, splits" in " ".join(lost.split())
    moved = call("data", "import", "v.h5", "--begin", "2", "--out", "moved.h5")
    assert (moved.code, "targets are wanted at times of their own" in moved.err) == (2, True)


TABLE = ("--targets", "targets.csv", "--group-column", "Speaker")


def test_outputs_are_those_of_their_names_in_another_file_too(values, places):
    header, *rows = csv.reader((places / "targets.csv").read_text().splitlines())
    orders = {"m": header, "swapped": [*header[:3], "Angle", "speed"]}
    for name, order in orders.items():
        table = [[row[header.index(column)] for column in order] for row in rows]
        write_table(places / "targets.csv", order, table)
        made = call("data", "import", *TABLE, "--out", f"{name}.h5")
        assert made.code == 0, made.err
    tested = []
    for name in orders:
        trained = call("train", "m.h5", "--test-data", f"{name}.h5", *TRAINED, "--overwrite",
                       "--json")  # fmt: skip
        assert trained.code == 0, trained.err
        tested.append(trained.json["test"])
        for net in ("run", "run/last.npz"):
            again = call("evaluate", net, f"{name}.h5", "--json").json
            assert {key: again[key] for key in ("outputs", "r2")} == {
                key: tested[0][key] for key in ("outputs", "r2")
            }
    assert tested[0] == tested[1]
    write_table(places / "targets.csv", [*header[:3], "Angle", "pace"], rows)
    assert call("data", "import", *TABLE, "--out", "other.h5").code == 0
    refused = call("evaluate", "run", "other.h5")
    assert (refused.code, "expected those of speed, Angle" in refused.err) == (2, True)
    refused = call("train", "m.h5", "--test-data", "other.h5", *TRAINED[:-1], "new")
    assert (refused.code, "expected those of speed, Angle" in refused.err) == (2, True)
    assert not (places / "new").exists()  # it is told before training


def test_a_test_part_without_any_value_is_refused_and_an_output_without_one_is_shown(
    values, places
):
    header, *rows = csv.reader((places / "targets.csv").read_text().splitlines())
    half = [[*row[:3], row[3] if k else "", ""] for k, row in enumerate(rows)]
    write_table(places / "targets.csv", header, half)
    assert call("data", "import", *TABLE, "--out", "half.h5").code == 0
    write_table(places / "targets.csv", header, [[*row[:3], "", ""] for row in rows])
    assert call("data", "import", *TABLE, "--out", "none.h5").code == 0
    write_table(places / "targets.csv", header, rows)
    assert call("data", "import", *TABLE, "--out", "m.h5").code == 0
    refused = call("train", "m.h5", "--test-data", "none.h5", *TRAINED)
    assert (refused.code, "the test part has no target" in refused.err) == (2, True)
    trained = call("train", "m.h5", "--test-data", "half.h5", *TRAINED, "--json")
    assert trained.code == 0, trained.err
    assert trained.json["test"]["r2"][1] is None
    given = sum(row[3] != "" for row in half)
    left = 2 * 2 * N - given  # two outputs at two times
    assert [trained.json["test"][key] for key in ("targets", "targets_left_out")] == [given, left]
    shown = call("report", "run").out
    assert f"{given}; {left} left out (empty)" in shown
    refused = call("evaluate", "run", "none.h5")
    assert (refused.code, "all targets are empty" in refused.err) == (2, True)


def test_a_run_of_a_program_is_asked_and_goes_on_with_the_scale_that_it_has(divided, places):
    data = es.events.Dataset.open("v.h5", split="train", targets=True)
    asked = es.train.TrainConfig(loss="mean_squared_error", epochs=1, validation_fraction=0)
    es.train.train(es.Network.load("n.npz"), data, asked, "run")
    found = call("predict", "run", "v.h5", "--split", "test", "--json")
    assert found.code == 0, found.err
    assert [*found.json["answers"][0]["values"]] == ["output 0"]
    extended = call("train", "v.h5", "--resume", "--out", "run", "--epochs", 2, "--json")
    assert extended.code == 0, extended.err
    assert load_any(places / "run").config.loss.scale == ()


def test_a_run_counts_errors_in_the_unit_that_was_typed_and_says_so(values, places):
    assert call("data", "import", *TABLE, "--out", "m.h5").code == 0
    refused = call("train", "m.h5", *TRAINED, "--set", "loss.scale=[2]")
    assert (refused.code, "has length 1, expected a unit of each output" in refused.err) == (
        2,
        True,
    )
    assert not (places / "run").exists()
    still = ("--lr", 0, "--no-bip", "--epochs", 1, "--set", "silent_lift=0", "--set", "validation_"
             "fraction=0", "--set", "initial_logits=0")  # fmt: skip
    typed = call("train", "m.h5", *TRAINED, *still, "--set", "loss.scale=[2,0.25]")
    assert typed.code == 0, typed.err
    assert "speed 2, Angle 0.25" in typed.out
    assert "variance" not in typed.out
    assert (
        "Errors count in the unit: speed 2, Angle 0.25."
        in (places / "run" / "index.html").read_text()
    )
    run = load_any(places / "run")
    assert run.config.loss.scale == (2.0, 0.25)
    data = run.data("train")
    found, _ = regression.evaluate_run(run.network("initial"), data, run.config)
    by_hand = np.nanmean(((found.predicted - data.targets.values) / (2.0, 0.25)) ** 2)
    np.testing.assert_allclose(run.result["loss"], by_hand, rtol=0.1)
    plain = call("train", "m.h5", *TRAINED, *still, "--overwrite", "--json").json
    np.testing.assert_allclose(
        plain["loss_scale"], np.nanstd(data.targets.values, axis=(0, 1)), rtol=1e-12
    )


def test_a_run_whose_readout_was_named_among_several_is_asked(divided):
    refused = call("train", "v.h5", *TRAINED, "--set", "output=other")
    assert (refused.code, "expected 'other'" in refused.err) == (2, True)
    both = es.Network.load("n.npz")
    both.add_readout("other", 1)
    both.connect("hidden1", "other", np.full((5, 1), 0.5))
    data = es.events.Dataset.open("v.h5", split="train", targets=True)
    asked = es.train.TrainConfig(
        loss="mean_squared_error", epochs=1, validation_fraction=0, output="other"
    )
    es.train.train(both, data, asked, "run")
    for place in ("run", "run/last.npz"):
        evaluated = call("evaluate", place, "v.h5", "--json")
        assert evaluated.code == 0, evaluated.err
        assert evaluated.json["readout"] == "other"
    found = call("predict", "run", "v.h5", "--split", "test", "--json")
    assert found.code == 0, found.err
    net, test = es.Network.load("run/last.npz"), es.events.StoredStream.open("v.h5")[[1]]
    by_hand = es.voltage(net, es.simulate(net, test, backend="reference"), "other", [20.0])
    answered = found.json["answers"][0]["values"]["output 0"]
    np.testing.assert_allclose(answered, by_hand.item(), rtol=1e-4)


def test_a_network_of_values_without_its_run_is_refused_with_what_works(divided):
    assert call("train", "v.h5", *TRAINED).code == 0
    for command in (
        ("predict", "run/last.npz", "v.h5"),
        ("listen", "run/last.npz", "v.h5"),
        ("export", "run/last.npz", "--to", "c", "--out", "c"),
    ):
        refused = call(*command)
        assert refused.code == 2
        assert "eventsim predict RUN" in " ".join(refused.err.split()), refused.err


def test_labelled_recordings_that_are_moved_keep_their_parts(divided):
    stream = es.events.StoredStream.open("v.h5")[:]
    es.events.Dataset(stream, [0, 1, 0], ["no", "yes"]).save("labelled.h5", splits=SPLITS)
    moved = call("data", "import", "labelled.h5", "--begin", "first-event", "--out", "m.h5")
    assert moved.code == 0, moved.err
    assert es.events.StoredStream.open("m.h5").columns["splits"].tolist() == list(SPLITS)
