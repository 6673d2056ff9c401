"""eventsim predict: a table of answers for files without labels, of which some may be damaged."""

import csv
import io
import json

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ShapeError
from eventsim.events import Dataset, EventStream
from tests.unit.cli.conftest import call, done, refused, told

DAMAGED = "time_ms,channel\n1.0,not a channel\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A network that answers, three files of events, and three that cannot be read."""
    folder = tmp_path_factory.mktemp("predict")
    net = es.scsr(8, (6,), 3, seed=1)
    net.set_answer(es.Answer(class_names=("no", "yes", "perhaps")))
    net.save(folder / "net.npz")
    rng = np.random.default_rng(2)
    for name in "abc":
        times = np.sort(rng.uniform(0.0, 40.0, 30))
        rows = [f"{t:.3f},{c}" for t, c in zip(times, rng.integers(0, 7, 30), strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(["time_ms,channel", *rows]))
    (folder / "damaged.csv").write_text(DAMAGED)
    (folder / "high.csv").write_text("time_ms,channel\n1.0,8\n")
    return folder


@pytest.fixture
def inside(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


FILES = ("a.csv", "b.csv", "c.csv")
BAD = ("damaged.csv", "high.csv", "missing.csv")


def expected():
    """Answers of the network asked in Python, file by file."""
    net = es.Network.load("net.npz")
    streams = [es.datasets.text.load(name, n_channels=8) for name in FILES]
    return es.predict(net, es.concatenate(streams), keys=FILES)


def test_predict_gives_answer_score_and_second_answer_of_every_file(inside):
    outcome = told("predict", "net.npz", *FILES)
    for row, wanted in zip(outcome["answers"], expected().table(), strict=True):
        assert list(row)[:3] == ["file", "sample", "key"]
        assert row["file"] == wanted["key"]
        assert {k: row[k] for k in wanted if k != "key"} == {
            k: v for k, v in wanted.items() if k != "key"
        }


def test_predict_names_all_bad_files_at_once_and_answers_the_rest_on_request(inside):
    refused("predict", "net.npz", *FILES, *BAD).says(
        "3 of 6 files: are missing or damaged", *(f"{name}: " for name in BAD)
    )
    outcome = told("predict", "net.npz", *FILES, *BAD, "--skip-damaged")
    assert [row["file"] for row in outcome["answers"]] == [*FILES]
    assert [one["file"] for one in outcome["damaged"]] == [*BAD]
    done("predict", "net.npz", *FILES, *BAD, "--skip-damaged").shows(
        *FILES, *BAD, "3 recordings; 3 files left out, missing or damaged"
    )
    done("predict", "net.npz", "a.csv", BAD[0], "--skip-damaged").shows(
        "1 recordings; 1 file left out, missing or damaged"
    )
    refused("predict", "net.npz", *BAD, "--skip-damaged")


def test_one_reason_of_several_files_stands_once(inside):
    missing = [f"missing{k}.csv" for k in range(3)]
    said = refused("predict", "net.npz", "a.csv", *missing, "damaged.csv").err
    assert said.count("there is no such file") == 1
    assert all(name in said for name in (*missing, "damaged.csv"))
    alike = refused("predict", "net.npz", *missing).says(
        "3 files: cannot be read, all for one reason. missing0.csv: there is"
    )
    assert "--skip-damaged" not in alike.err


def test_predict_as_csv_has_a_row_also_for_what_could_not_be_read(inside):
    outcome = call("predict", "net.npz", *BAD[:1], *FILES, "--skip-damaged", "--csv")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [row["file"] for row in rows] == [*FILES, BAD[0]]
    assert [row["answer"] for row in rows] == [*expected().names, ""]
    assert "not a channel" in rows[-1]["note"]


def test_predict_says_which_recordings_have_no_events(inside):
    recordings = EventStream([5.0], [1], [0, 1, 1], n_channels=8, duration=50.0)
    Dataset(recordings, [0, 1], ("x", "y"), keys=["one", "none"]).save("two.h5")
    shown = done("predict", "net.npz", "two.h5").shows("has no events")
    words = [line.split() for line in shown.out.splitlines()]
    assert sum({"two.h5", "0", "one"} <= set(line) for line in words) == 1
    assert sum({"two.h5", "1", "none"} <= set(line) for line in words) == 1
    assert "sample" not in done("predict", "net.npz", "a.csv").out  # a recording a file
    found = told("predict", "net.npz", "two.h5")["answers"]
    assert [(row["key"], row["events"]) for row in found] == [("one", 1), ("none", 0)]


def test_prediction_with_keys_orders_answers_by_score(inside):
    answers = expected()
    for row, scores in zip(answers.table(), answers.scores, strict=True):
        by_hand = sorted(zip(scores, ("no", "yes", "perhaps"), strict=True), reverse=True)
        assert (row["score"], row["answer"]) == by_hand[0]
        assert (row["second_score"], row["second"]) == by_hand[1]
    net, stream = es.Network.load("net.npz"), es.datasets.text.load("a.csv", n_channels=8)
    data = Dataset(stream, [0], ("no",), keys=["a"])
    assert es.predict(net, data).keys == ("a",)
    with pytest.raises(ShapeError, match="2 keys were given for 1 recordings"):
        es.predict(net, stream, keys=("a", "b"))


def test_import_names_all_bad_files_at_once_and_leaves_them_out_on_request(inside, tmp_path):
    lines = ["file,label", "a.csv,x", "missing.csv,x", "b.csv,y", "damaged.csv,z"]
    (inside / "labels.csv").write_text("\n".join(lines))
    out = tmp_path / "mine.h5"
    refused("data", "import", "--labels", "labels.csv", "--out", out).says(
        "2 of 4 files: are missing or damaged",
        "missing.csv (labels.csv, line 3): there is no such file.",
    )
    assert not out.exists()
    command = ("data", "import", "--labels", "labels.csv", "--skip-damaged", "--out", out)
    outcome = done(*command, "--json")
    assert [one["file"] for one in outcome.json["damaged"]] == ["missing.csv", "damaged.csv"]
    assert "no recording is left of the classes z" in outcome.err
    data = Dataset.open(out)
    assert (len(data), data.class_names) == (2, ("x", "y"))
    kept = json.loads(data.stream.notes["guesses"])
    assert any("damaged.csv" in words for words in kept)


def test_predict_takes_columns_and_sensor_from_the_recordings_of_the_run(inside, tmp_path):
    rng = np.random.default_rng(3)
    for name in ("left", "right"):
        folder = tmp_path / "camera" / name
        folder.mkdir(parents=True)
        for k in range(6):
            events = rng.integers(0, 2, (40, 3)) * [1, 1, 1]
            times = np.sort(rng.integers(0, 50_000, 40))
            np.save(folder / f"{k}.npy", np.column_stack([times, events]))
    file, run = tmp_path / "camera.h5", tmp_path / "run"
    one = str(tmp_path / "camera" / "left" / "0.npy")
    named = ("--columns", "t,x,y,p", "--sensor-size", "2,2,2")
    done("data", "import", tmp_path / "camera", *named, "--out", file)
    done("train", file, "--hidden", "4", "--epochs", "1", "--out", run)
    as_named = told("predict", run, one, *named)
    found = done("predict", run, one, "--json")
    printed = "columns t,x,y,p of a sensor of 2,2,2, as those of camera.h5"
    assert printed in found.err
    answer, expected_answer = found.json["answers"][0], as_named["answers"][0]
    assert printed in answer.pop("read")
    del expected_answer["read"]
    assert answer == expected_answer
