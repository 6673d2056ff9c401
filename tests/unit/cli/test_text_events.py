"""Text files in commands: the unit that is assumed and said, remembered, and the channels."""

import json

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets.made import Made
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.runs.data import DataSettings
from eventsim.runs.recordings import OWN
from tests.unit.cli.conftest import TINY, call, done, flat, told

SECONDS = [0.1, 0.25, 0.9]


def write(path, times, *, names="time,channel", channels=(0, 1, 2)):
    lines = [f"{t},{c}" for t, c in zip(times, channels, strict=True)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([names, *lines]) + "\n")
    return path


@pytest.fixture
def table(tmp_path):
    """Recordings in seconds, whose header names no unit, and the table of their classes."""
    rng, lines = np.random.default_rng(0), ["file,label"]
    for k in range(12):
        file = tmp_path / "files" / f"{k}.csv"
        half = 2 * (k % 2)
        write(file, np.sort(rng.uniform(0.1, 0.9, 6)), channels=[half, half + 1] * 3)
        lines.append(f"files/{k}.csv,{('no', 'yes')[k % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return "labels.csv"


@pytest.fixture
def net(tmp_path):
    es.scsr(4, [3], 2, seed=1).save(tmp_path / "net.npz")
    return "net.npz"


def test_import_says_the_assumed_unit_once_and_warns_of_what_is_absurd(table):
    outcome = done("data", "import", "--labels", table, "--out", "mine.h5", "--json")
    assert outcome.json["unit"] == "ms"
    said = "times of 12 files read as ms: the header names no unit; --unit s or us if they are not"
    assert flat(outcome.err).count(said) == 1
    assert flat(outcome.err).count("warning: no recording lasts longer than 0.") == 1
    assert "read them again with --unit s." in flat(outcome.err)
    assert [one for one in outcome.json["guesses"] if one in flat(outcome.err)][1:]
    assert "--unit s." in json.loads(StoredStream.open("mine.h5").notes["guesses"])[-1]


@pytest.mark.parametrize("names", ["time,channel", "time_s,channel", "seconds,channel"])
def test_import_with_a_unit_says_nothing_and_keeps_it(tmp_path, names):
    file = write(tmp_path / "one.csv", SECONDS, names=names)
    given = ("--unit", "s") if names == "time,channel" else ()
    outcome = done("data", "import", file, *given, "--out", "one.h5")
    assert outcome.err == ""
    assert "times read as" in outcome.out
    assert StoredStream.open("one.h5").notes["unit"] == "s"
    assert StoredStream.open("one.h5")[:].times.tolist() == [100.0, 250.0, 900.0]


def test_unit_of_other_formats_is_not_spoken_of(tmp_path):
    EventStream([1.0], [0], [0, 1], n_channels=1, duration=2.0).save(tmp_path / "short.npz")
    outcome = call("data", "import", "short.npz", "--out", "short.h5", "--json")
    assert (outcome.code, outcome.err, outcome.json["unit"]) == (0, "", None)
    assert "unit" not in StoredStream.open("short.h5").notes


def test_stated_unit_with_an_absurd_result_is_asked_about(tmp_path):
    stated = done("data", "info", write(tmp_path / "a.csv", SECONDS, names="t_ms,channel")).says(
        "Are the times really in ms?"
    )
    assert "read as" not in stated.err
    done("data", "info", write(tmp_path / "b.csv", [1e6, 2e6, 5e6])).says(
        "read them again with --unit us."
    )


@pytest.mark.parametrize(
    "words",
    [
        "simulate {net} new.csv",
        "cost {net} new.csv",
        "map {net} new.csv --method first-fit --no-compare",
        "report {net} new.csv --out page.html",
        "data info new.csv",
        "data plot new.csv",
    ],
)
def test_every_command_says_the_unit_and_takes_another(tmp_path, net, words):
    write(tmp_path / "new.csv", [0.1, 0.25, 15.0])
    command = words.format(net=net).split()
    assumed, given = call(*command, "--json"), call(*command, "--unit", "s", "--json")
    assert (assumed.code, given.code) == (0, 0), (assumed.err, given.err)
    said = "times read as ms: the header names no unit; --unit s or us if they are not"
    assert said in flat(assumed.err)
    assert "read as" not in given.err
    key = "seconds_of_input"
    if key in assumed.json:
        assert (assumed.json[key], given.json[key]) == (0.016, 15.001)


def test_export_takes_the_unit(tmp_path, net):
    pytest.importorskip("nir")
    write(tmp_path / "new.csv", SECONDS)
    done("export", net, "--out", "net.nir", "--events", "new.csv", "--unit", "s")


def test_run_remembers_the_unit_of_the_text_that_it_was_trained_on(tmp_path, table):
    done("data", "import", "--labels", table, "--unit", "s", "--out", "mine.h5")
    assert Dataset.open("mine.h5").stream.notes["unit"] == "s"
    done("train", "mine.h5", *TINY, "--out", "run", "--json")
    write(tmp_path / "new.csv", SECONDS)
    outcome = done("simulate", "run", "new.csv", "--json")
    assert outcome.json["seconds_of_input"] == 0.901
    said = (
        "times read as s: the header names no unit, and mine.h5 was made of times in s; "
        "--unit ms or us if they are not"
    )
    assert said in flat(outcome.err)
    write(tmp_path / "new.csv", SECONDS, names="time_ms,channel")
    assert told("simulate", "run", "new.csv")["seconds_of_input"] == 0.001
    assert repr(es.load_run("run")) == "Run('run': ScSr-SNN on mine.h5)"
    (tmp_path / "mine.h5").unlink()
    write(tmp_path / "new.csv", SECONDS)
    done("simulate", "run", "new.csv").says("read as ms: the header")


@pytest.mark.parametrize("files", [1, 12])
def test_unit_that_was_a_guess_is_no_evidence_for_the_next_one(tmp_path, files):
    (tmp_path / "a").mkdir()
    for k in range(files):
        rows = np.array([(500_000.0 + k, 0), (900_000.0, 1)], [("t", float), ("x", int)])
        np.save(tmp_path / "a" / f"{k}.npy", rows)
    done("data", "import", tmp_path, "--out", "mine.h5").says("read as us: nothing names a unit")
    notes = StoredStream.open("mine.h5").notes
    assert (notes["unit"], notes["guessed"]) == ("us", "unit")
    assert DataSettings(name=OWN, file="mine.h5").made.assumed("mine.h5") is None
    earlier = {name: note for name, note in notes.items() if name != "guessed"}
    assert Made.of_notes(earlier, "mine.h5").guessed == ("unit",)


def test_silent_last_channels_are_filled_up(tmp_path, net):
    write(tmp_path / "new.csv", SECONDS, names="time_s,channel", channels=[0, 1, 1])
    done("simulate", net, "new.csv", "--json")
    write(tmp_path / "new.csv", SECONDS, names="time_s,channel", channels=[0, 1, 3])
    done("simulate", net, "new.csv", "--json")


@pytest.mark.parametrize("name", ["one.npy", "one.mat"])
def test_text_by_the_name_of_another_format_is_said_to_be_text(tmp_path, name):
    said = f"{name} is text, although its name ends in .{name[4:]}: it begins with"
    write(tmp_path / name, SECONDS, names="time_s,channel")
    done("data", "import", name, "--out", "one.h5").says(f"{said} 'time_s,channel'")
    done("data", "info", "one.h5").shows(said)


def test_text_by_a_name_of_text_is_not_remarked(tmp_path):
    write(tmp_path / "one.dat", SECONDS, names="time_s,channel")
    assert call("data", "import", "one.dat", "--out", "one.h5").err == ""
