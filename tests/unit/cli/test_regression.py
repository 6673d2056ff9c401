"""Regression by commands: a table of values in, R2 and values out, equal to arithmetic by hand."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets.made import Made
from eventsim.errors import DataError, ParameterError
from eventsim.events.begin import TimeZero, edges
from eventsim.events.targets import Values, targets_of
from eventsim.runs import settings
from eventsim.runs.execution import Execution, execute
from eventsim.runs.run import load_run
from eventsim.train import regression as fitting
from tests.unit.cli.conftest import done, refused, told
from tests.unit.train.task import assert_same_net

MEASURED = ("r2", "mean_squared_error")
MOST_READS = 4  # of run.json by a command
SAME = ("test", "selected_by_validation", "loss", "validation_loss", "epochs")
N, TIMES = 12, (15.0, 40.0)
TABLE = ("--targets", "targets.csv", "--group-column", "Speaker")
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


@pytest.fixture
def imported(values):
    """What was said when the values became the file m.h5."""
    return done("data", "import", *TABLE[:-1], "speaker", "--out", "m.h5", "--json")


def answers_of(*command):
    """Values of a CSV by file and time."""
    rows = list(csv.DictReader(done(*command, "--csv").out.splitlines()))
    found = {
        (row["file"], float(row["time_ms"])): (float(row["speed"]), float(row["Angle"]))
        for row in rows
    }
    assert len(found) == len(rows)  # a recording that ends before others ends once
    return found


def test_values_of_a_table_are_fitted_evaluated_and_predicted_as_by_hand(
    values, imported, places, monkeypatch
):
    assert imported.json["targets"]["speed"]["values"] == 2 * N
    assert imported.json["targets"]["Angle"]["values"] == 2 * N - 1
    assert f"{N} recordings last until their last target" in imported.err
    simulated = counted(monkeypatch, fitting, "evaluate_regression")
    trained = told("train", "m.h5", *TRAINED)
    assert len(simulated) <= 2  # the test part, once by each network that is asked
    test = trained["test"]
    assert test["samples"] == N // 4  # whole speakers
    assert (places / "run" / "index.html").read_text().count("R2 of") == 2

    again = told("evaluate", "run")
    assert [again[key] for key in MEASURED] == [test[key] for key in MEASURED]
    tested = set(load_run(places / "run").data("test").keys)
    files = [f"{k}.csv" for k in range(N) if f"{k}.csv" in tested]
    found = answers_of("predict", "run", *files, "--every", "0.5")
    ends = answers_of("predict", "run", *files)
    assert [*ends] == [(file, last(found, file)) for file in files]
    assert np.ptp([time for _, time in ends]) > 0.5
    for file, end in ends:  # the whole ms behind its last event
        assert end == np.ceil(np.genfromtxt(file, delimiter=",")[1:, 0].max() - 1000.0)
        grid = [0.5 * k for k in range(1, 100) if 0.5 * k < end]
        assert [time for name, time in found if name == file] == [*grid, end]
    lacks = told("predict", "run", *files, "none.csv", "--skip-damaged")
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
    assert trained["guess_mean_squared_error"] == pytest.approx(np.nanmean(guess))
    parts = json.loads((places / "run" / "run.json").read_text())["parts"]
    assert parts == trained["parts"]
    assert parts["test"]["recordings"] == len(files)


def test_a_report_of_a_run_that_kept_no_unit_of_errors_takes_it_from_the_settings(imported, places):
    done("train", "m.h5", *TRAINED, "--json")
    result = json.loads((places / "run" / "result.json").read_text())
    kept = result.pop("loss_scale")
    (places / "run" / "result.json").write_text(json.dumps(result))
    again = told("report", "run")
    assert again["loss_scale"] == kept


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


def test_a_run_of_values_is_resumed_to_the_same_bits_and_stopped_by_its_validation(
    imported, places
):
    whole = told("train", "m.h5", *TRAINED)
    assert whole["validation_loss"] > 0
    parts = json.loads((places / "run" / "run.json").read_text())["parts"]
    assert not parts["training"]["groups"].keys() & parts["validation"]["groups"].keys()

    def stop(event):
        if event.ends_epoch:
            raise KeyboardInterrupt

    halted = load_run(places / "run").settings
    with pytest.raises(KeyboardInterrupt):
        execute(halted, places / "half", Execution(callback=stop))
    assert len(load_run(places / "half").history) == 1
    refused("train", "m.h5", "--out", "half")
    resumed = told("train", "--resume", "--out", "half", "--threads", 1)
    assert {key: resumed[key] for key in SAME} == {key: whole[key] for key in SAME}
    for name in ("last", "selected", "initial"):
        one, other = (load_run(places / run).network(name) for run in ("run", "half"))
        assert_same_net(other, one, es.Network.to_arrays)
    stopped = told("train", "m.h5", *TRAINED[:-1], "still", "--epochs", 9, "--patience", 1, "--lr",
                   "0", "--no-bip", "--set", "silent_lift=0")  # fmt: skip
    assert stopped["stopped_early"]["patience"] == 1
    assert stopped["epochs"] == 2


def test_the_network_of_the_best_epoch_is_measured_beside_the_last(imported):
    # So fast that the first epoch is the best one.
    wild = told("train", "m.h5", *TRAINED[:-1], "wild", "--lr", "30")
    chosen = wild["selected_by_validation"]
    assert chosen["epoch"] == 1
    for which, said in (("last", wild["test"]), ("selected", chosen)):
        again = told("evaluate", "wild", "--network", which)
        assert [again[key] for key in MEASURED] == [said[key] for key in MEASURED]
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
    targets = Values(values, np.tile([5.0, 20.0], (3, 1)), ("speed",))
    begins = np.array([3.0, 4.0, 5.0])
    notes = Made().notes(TimeZero("first-event", "why", begins, edges(stream)))
    replace(data, targets=targets).save("v.h5", splits=SPLITS, begins=begins, notes=notes)
    es.scsr(4, (5,), 1, seed=1).save("n.npz")
    return targets


def test_part_and_network_of_values_are_those_that_were_named(divided):
    found = told("evaluate", "n.npz", "v.h5", "--split", "train")
    assert (found["split"], found["samples"], found["targets"]) == ("train", 2, 4)
    assert found["measured"]["part"] == "train"
    shown = told("data", "info", "v.h5")["splits"]
    assert {part: shown[part]["samples"] for part in shown} == {"train": 2, "test": 1}
    done("train", "v.h5", *TRAINED)
    (answer,) = told("predict", "run", "v.h5", "--split", "test")["answers"]
    assert answer["key"] == "b"
    every, first = (
        told("predict", "run", "v.h5", "--network", which)["answers"]
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
    done("train", "v.h5", *TRAINED)
    empty = es.EventStream.from_samples([([], [])] * 2, n_channels=4, duration=20.0)
    es.events.Dataset(empty, [0, 1], ["no", "yes"]).save("empty.h5", splits=("train", "test"))
    done("predict", "run", "empty.h5", "--split", "test").shows(
        "has no events", "only the test part (--split)"
    )
    refused("evaluate", "run", "empty.h5").says("holds no targets")
    reads = counted(monkeypatch, settings, "read_object")
    done("evaluate", "run")
    assert len(reads) <= MOST_READS
    about = json.loads((places / "run" / "run.json").read_text())
    (places / "run" / "run.json").write_text(json.dumps(about | {"version": 3}))
    refused("evaluate", "run").says("is of version 3, this eventsim reads")


def test_an_output_without_any_value_is_told_when_it_is_imported(values, places):
    rows = [(file, "", 1.0) for file in values]
    write_table(places / "targets.csv", ("file", "speed", "angle"), rows)
    done("data", "import", "--targets", "targets.csv", "--out", "m.h5").shows("0 values")


def test_a_file_of_values_is_written_again_with_all_that_it_says(divided):
    again = told("data", "import", "v.h5", "--out", "again.h5")
    assert again["targets"] == divided.summary()
    assert again["parts"] == {"train": 2, "test": 1}
    before, after = (es.events.StoredStream.open(name) for name in ("v.h5", "again.h5"))
    kept, found = ({k: v.tolist() for k, v in one.columns.items()} for one in (before, after))
    assert found == kept
    assert targets_of(after).names == divided.names
    done("data", "import", "v.h5", "--out", "again.npz").says(
        "not in an npz file: targets, groups, keys, splits"
    )


def test_outputs_are_those_of_their_names_in_another_file_too(values, places):
    header, *rows = csv.reader((places / "targets.csv").read_text().splitlines())
    orders = {"m": header, "swapped": [*header[:3], "Angle", "speed"]}
    for name, order in orders.items():
        table = [[row[header.index(column)] for column in order] for row in rows]
        write_table(places / "targets.csv", order, table)
        done("data", "import", *TABLE, "--out", f"{name}.h5")
    tested = []
    for name in orders:
        trained = told("train", "m.h5", "--test-data", f"{name}.h5", *TRAINED, "--overwrite")
        tested.append(trained["test"])
        for net in ("run", "run/last.npz"):
            again = told("evaluate", net, f"{name}.h5")
            assert all(again[key] == tested[0][key] for key in ("outputs", "r2"))
        own = es.load_run("run").evaluate(es.Dataset.open(f"{name}.h5", targets=True))
        assert own.r2.tolist() == tested[0]["r2"]
    assert tested[0] == tested[1]
    write_table(places / "targets.csv", [*header[:3], "Angle", "pace"], rows)
    done("data", "import", *TABLE, "--out", "other.h5")
    refused("evaluate", "run", "other.h5").says("expected those of speed, Angle")
    refused("train", "m.h5", "--test-data", "other.h5", *TRAINED[:-1], "new").says(
        "expected those of speed, Angle"
    )
    assert not (places / "new").exists()  # it is told before training


def test_outputs_of_a_network_that_has_left_its_run_are_taken_in_order_and_that_is_told(
    values, places
):
    done("data", "import", *TABLE, "--out", "m.h5")
    done("train", "m.h5", *TRAINED)
    assert told("evaluate", "run/last.npz", "m.h5")["outputs_assumed"] is False
    (places / "alone.npz").write_bytes((places / "run" / "last.npz").read_bytes())
    assert told("evaluate", "alone.npz", "m.h5")["outputs_assumed"] is True
    words = "taken in the order of the file, since nothing says the network's"
    done("evaluate", "alone.npz", "m.h5").shows(words)


def test_a_test_part_without_any_value_is_refused_and_an_output_without_one_is_shown(
    values, places
):
    header, *rows = csv.reader((places / "targets.csv").read_text().splitlines())
    half = [[*row[:3], row[3] if k else "", ""] for k, row in enumerate(rows)]
    write_table(places / "targets.csv", header, half)
    done("data", "import", *TABLE, "--out", "half.h5")
    write_table(places / "targets.csv", header, [[*row[:3], "", ""] for row in rows])
    done("data", "import", *TABLE, "--out", "none.h5")
    write_table(places / "targets.csv", header, rows)
    done("data", "import", *TABLE, "--out", "m.h5")
    refused("train", "m.h5", "--test-data", "none.h5", *TRAINED).says("the test part has no target")
    trained = told("train", "m.h5", "--test-data", "half.h5", *TRAINED)
    assert trained["test"]["r2"][1] is None
    given = sum(row[3] != "" for row in half)
    left = 2 * 2 * N - given  # two outputs at two times
    assert [trained["test"][key] for key in ("targets", "targets_left_out")] == [given, left]
    done("report", "run").shows(f"{given}; {left} left out (empty)")
    refused("evaluate", "run", "none.h5").says("all targets are empty")


def test_a_run_of_a_program_is_asked_and_goes_on_with_the_scale_that_it_has(divided, places):
    data = es.events.Dataset.open("v.h5", split="train", targets=True)
    asked = es.train.TrainConfig(loss="mean_squared_error", epochs=1, validation_fraction=0)
    es.train.train(es.Network.load("n.npz"), data, asked, "run")
    found = told("predict", "run", "v.h5", "--split", "test")
    assert [*found["answers"][0]["values"]] == ["output 0"]
    done("train", "v.h5", "--resume", "--out", "run", "--epochs", 2, "--json")
    assert load_run(places / "run").config.loss.scale == ()


def test_a_run_of_values_in_python_gives_what_the_commands_print(imported, places):
    trained = told("train", "m.h5", *TRAINED)
    run = es.load_run("run")
    (last, chosen), test = run.checked(run.data("test")), run.data("test")
    for one, key in ((last, "test"), (chosen, "selected_by_validation")):
        assert one.evaluation.mean_squared_error == trained[key]["mean_squared_error"]
        assert one.evaluation.r2.tolist() == trained[key]["r2"]
    evaluated = told("evaluate", "run")
    assert run.evaluate().mean_squared_error == evaluated["mean_squared_error"]
    assert run.evaluate(which="selected").r2.tolist() == chosen.evaluation.r2.tolist()
    assert run.predict(test).shape == (len(test), 1, 2)
    lasts = np.asarray(test.stream.duration)[:, None]  # until their last target
    np.testing.assert_array_equal(run.predict(test), run.predict(test.stream, times=lasts))
    rows = told("predict", "run", *test.keys, "--every", 10)["answers"]
    printed = [[*row["values"].values()] for row in rows if row["time_ms"] == 10.0]
    assert len(printed) == len(test)
    answered = run.predict(test, times=[10.0, 20.0])[:, 0]
    np.testing.assert_allclose(answered, printed, rtol=1e-6)
    record = run.record(test, (last, chosen))
    assert record.last.described() == trained["test"]
    assert run.outputs == ("speed", "Angle")


def test_recordings_of_classes_are_refused_by_a_run_of_values(divided):
    told("train", "v.h5", *TRAINED)
    stream = es.events.StoredStream.open("v.h5")[:]
    classes = es.Dataset(stream, [0, 1, 0], ["no", "yes"])
    with pytest.raises(DataError, match="asks for values, and the recordings have classes"):
        es.load_run("run").evaluate(classes)
    with pytest.raises(ParameterError, match="keys are given, of a run of values"):
        es.load_run("run").predict(stream, keys="abc")


def test_recordings_of_values_are_refused_by_what_tells_classes(divided, places):
    stream = es.events.StoredStream.open("v.h5")[:]
    es.events.Dataset(stream, [0, 1, 0], ["no", "yes"]).save("classes.h5", splits=SPLITS)
    two = Values(np.ones((3, 2, 2)), divided.times, ("speed", "angle"))
    es.events.Dataset(stream, [0, 0, 0], ["0"], targets=two).save("two.h5", splits=SPLITS)
    done("train", "classes.h5", "--hidden", 3, "--epochs", 1, "--batch-size", 2, "--out", "told")
    (places / "alone.npz").write_bytes((places / "told" / "last.npz").read_bytes())
    for network in ("told", "told/last.npz", "alone.npz"):
        refused("evaluate", network, "two.h5").says(
            "evaluate: the loss is 'cross_entropy', which asks for classes, and the recordings have"
        )
    np.savez("two.npz", targets=two.values, times=two.times[0])
    for network in ("told", "told/last.npz", "alone.npz"):
        refused("evaluate", network, "two.h5", "--targets", "two.npz").says("asks for classes")


def test_a_run_counts_errors_in_the_unit_that_was_typed_and_says_so(imported, places):
    still = ("--lr", 0, "--no-bip", "--epochs", 1, "--set", "silent_lift=0", "--set", "validation_"
             "fraction=0", "--set", "initial_logits=0")  # fmt: skip
    typed = done("train", "m.h5", *TRAINED, *still, "--set", "loss.scale=[2,0.25]")
    assert "variance" not in typed.shows(unit := "speed 2, Angle 0.25").out
    assert f"Errors count in the unit: {unit}." in (places / "run" / "index.html").read_text()
    run = load_run(places / "run")
    assert run.config.loss.scale == (2.0, 0.25)
    data = run.data("train")
    found = run.evaluate(data, which="initial")
    by_hand = np.nanmean(((found.predicted - data.targets.values) / (2.0, 0.25)) ** 2)
    np.testing.assert_allclose(run.result["loss"], by_hand, rtol=0.1)
    plain = told("train", "m.h5", *TRAINED, *still, "--overwrite")
    np.testing.assert_allclose(
        plain["loss_scale"], np.nanstd(data.targets.values, axis=(0, 1)), rtol=1e-12
    )


def test_a_run_whose_readout_was_named_among_several_is_asked(divided):
    both = es.Network.load("n.npz")
    both.add_readout("other", 1)
    both.connect("hidden1", "other", np.full((5, 1), 0.5))
    data = es.events.Dataset.open("v.h5", split="train", targets=True)
    asked = es.train.TrainConfig(
        loss="mean_squared_error", epochs=1, validation_fraction=0, output="other"
    )
    es.train.train(both, data, asked, "run")
    for place in ("run", "run/last.npz"):
        evaluated = told("evaluate", place, "v.h5")
        assert evaluated["readout"] == "other"
    found = told("predict", "run", "v.h5", "--split", "test")
    net, test = es.Network.load("run/last.npz"), es.events.StoredStream.open("v.h5")[[1]]
    by_hand = es.voltage(net, es.simulate(net, test, backend="reference"), "other", [20.0])
    answered = found["answers"][0]["values"]["output 0"]
    np.testing.assert_allclose(answered, by_hand.item(), rtol=1e-4)


def test_a_network_of_values_without_its_run_is_refused_with_what_works(divided):
    done("train", "v.h5", *TRAINED)
    for command in (
        ("predict", "run/last.npz", "v.h5"),
        ("listen", "run/last.npz", "v.h5"),
        ("export", "run/last.npz", "--to", "c", "--out", "c"),
    ):
        refused(*command).says("eventsim predict RUN")


def test_labelled_recordings_that_are_moved_keep_their_parts(divided):
    stream = es.events.StoredStream.open("v.h5")[:]
    es.events.Dataset(stream, [0, 1, 0], ["no", "yes"]).save("labelled.h5", splits=SPLITS)
    done("data", "import", "labelled.h5", "--begin", "first-event", "--out", "m.h5")
    assert es.events.StoredStream.open("m.h5").columns["splits"].tolist() == list(SPLITS)


def test_evaluate_with_targets_gives_r2():
    rng = np.random.default_rng(0)
    samples = [(np.sort(rng.uniform(0, 40, 30)), rng.integers(0, 4, 30)) for _ in range(3)]
    stream = es.EventStream.from_samples(samples, n_channels=4, duration=40.0)
    net = es.scsr(4, (6,), 2, seed=3)
    times = np.array([10.0, 20.0, 30.0])
    wanted = rng.normal(0.0, 1.0, (3, 3, 2))
    wanted[:, :, 1], wanted[0, 0, 0] = 0.5, np.nan
    net.save("net.npz")
    stream.save("events.npz")
    np.savez("wanted.npz", targets=wanted, times=times)
    command = ("evaluate", "net.npz", "events.npz", "--targets", "wanted.npz")
    found = told(*command)
    expected = es.train.evaluate_regression(net, stream, es.train.MeanSquaredError(wanted, times))
    assert found["r2"] == [expected.r2[0], None]
    assert found["mean_squared_error"] == expected.mean_squared_error
    assert (found["targets"], found["targets_left_out"]) == (17, 1)
    done(*command).shows("R2 of output 0", "1 left out (NaN)")
