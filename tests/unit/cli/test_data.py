"""``eventsim data``: what there is, what is in it, import, pictures."""

import json
import shutil

import numpy as np
import pytest

from eventsim import datasets
from eventsim.events import Dataset, EventStream, StoredStream
from tests.support.aedat import jaer
from tests.unit.cli.conftest import WORDS, done, told


@pytest.fixture
def cochlea(tmp_path):
    """A stereo cochlea of 16 channels: a sweep in the left ear, one channel in the right."""
    sweep = [(2 * k + 1, 100_000 + 2000 * k) for k in range(16)]
    tone = [(32 + 2 * 5 + k % 2, 100_500 + 1000 * k) for k in range(40)]
    path = tmp_path / "sweep.aedat"
    path.write_bytes(jaer(sorted(sweep + tone, key=lambda event: event[1])))
    return path


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("time_us,channel,sample\n1000,3,0\n2000,1,0\n500,2,1\n")
    return path


def test_data_list_names_licences():
    found = told("data", "list")
    assert set(found) == set(datasets.DATASETS)
    assert "CC BY-SA" in found["fsdd"]["licence"]
    shown = done("data", "list").shows("spoken_digits").out
    assert "…" not in shown


def test_data_make_and_info_count_what_is_in_the_file(digits):
    made = told("data", "make", digits)
    assert made["samples"] == {"train": 18, "test": 6}
    done("data", "make", digits).shows("ready after")
    found = told("data", "info", digits)
    assert list(found["splits"]) == ["train", "test"]
    part = found["splits"]["test"]
    assert part["events"] == 240
    assert part["speakers"] == 1
    assert part["channels"] == 64
    assert part["active_channels"] <= 60
    assert part["classes"]["oh"] == part["classes"]["two"] == 2
    assert part["classes"]["zero"] == 0
    assert len(WORDS) * 2 == part["samples"] == part["samples_counted"]
    assert part["events_per_sample"]["median"] == 40
    assert 0 < part["interval_ms"]["low"] < part["interval_ms"]["median"]
    assert sum(part["profile"]) == pytest.approx(40)
    shown = (
        done("data", "info", digits, "--split", "train")
        .shows("N-TIDIGITS18", "about 2800 /s", "active channels", "│ groups", "by channel, train")
        .out
    )
    assert " test " not in shown


def test_info_of_a_large_set_counts_a_part_of_it_and_says_so(digits, monkeypatch):
    monkeypatch.setattr("eventsim.cli.data.MOST_EVENTS", 100)
    found = told("data", "info", digits, "--split", "test")["splits"]["test"]
    assert (found["samples"], found["samples_counted"]) == (6, 2)
    done("data", "info", digits).shows("counted, evenly spread")


def test_info_of_a_file_says_what_the_file_says(cochlea):
    outcome = told("data", "info", cochlea, "--sensor", "nas_16_stereo")
    part = outcome["splits"]["all"]
    assert part["details"]["counts"] == {
        "ear": [16, 40],
        "channel": [1, 1, 1, 1, 1, 41, *[1] * 10],
        "polarity": [20, 36],
    }
    done("data", "info", cochlea, "--sensor", "nas_16_stereo").shows(
        "ear × channel × polarity", "0: 16, 1: 40"
    )


def test_info_of_events_without_intervals_is_valid_json(tmp_path):
    stream = EventStream([1.0], [0], [0, 1], n_channels=1, duration=2.0)
    stream.save(tmp_path / "one.npz")
    outcome = done("data", "info", "one.npz", "--json")
    json.loads(outcome.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert outcome.json["splits"]["all"]["interval_ms"]["median"] is None
    done("data", "info", "one.npz").shows("none")


def test_import_of_an_address_event_file(cochlea, tmp_path):
    options = ("--sensor", "nas_16_stereo", "--by", "ear, channel", "--out", "sweep.npz")
    outcome = told("data", "import", cochlea, *options)
    assert outcome["format"] == "aedat"
    stream = EventStream.load(tmp_path / "sweep.npz")
    assert (stream.n_channels, stream.n_events) == (32, 56) == (outcome["channels"], 56)
    assert np.bincount(stream.channels, minlength=32)[21] == 40
    done("data", "import", cochlea, *options).shows("ear × channel", "Events: sweep.npz")


def test_import_with_a_selection_and_another_clock(cochlea, tmp_path):
    options = ("--sensor", "nas_16_stereo", "--where", "ear=1", "--by", "channel")
    clock = ("--tick-us", "0.5", "--address-bytes", "4", "--format", "nas")
    outcome = told("data", "import", cochlea, *options, *clock, "--out", "a.npz")
    stream = EventStream.load(tmp_path / "a.npz")
    np.testing.assert_allclose(stream.times[:3], [0.25, 0.75, 1.25])
    assert outcome["details"]["skipped"] == {"not selected": 16}


def test_import_of_text_and_of_events(table, tmp_path):
    done("data", "import", table, "--channels", 8, "--out", "table.npz", "--json")
    stream = EventStream.load(tmp_path / "table.npz")
    assert (stream.n_samples, stream.n_channels, stream.times.tolist()) == (2, 8, [1.0, 2.0, 0.5])
    done("data", "import", "table.npz", "--out", "again.npz")
    np.testing.assert_array_equal(EventStream.load(tmp_path / "again.npz").times, stream.times)


def test_import_of_a_set_keeps_labels_in_h5(digits, tmp_path):
    outcome = told("data", "import", digits, "--split", "train", "--out", "set.h5")
    assert outcome["labels"] is True
    stored = StoredStream.open(tmp_path / "set.h5")
    assert stored.n_samples == 18
    assert np.bincount(stored.columns["labels"]).tolist() == [6, 6, 6]
    assert json.loads(stored.notes["class_names"])[1] == "one"


def test_plot_draws_a_recording_of_a_set(digits, tmp_path):
    outcome = told("data", "plot", digits, "--sample", 2)
    assert outcome["out"] == "digits-2.png"
    assert "“two”" in outcome["title"]
    assert (tmp_path / "digits-2.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["picture.png", "picture.svg"])
def test_plot_draws_a_window_of_a_file(cochlea, tmp_path, name):
    options = ("--sensor", "nas_16_stereo", "--begin", 10, "--end", 20, "--out", name)
    done("data", "plot", cochlea, *options).shows(
        "events in 10 ms, 64 channels", f"Picture: {name}"
    )
    first = (tmp_path / name).read_bytes()
    assert first.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    done("data", "plot", cochlea, *options)
    assert (tmp_path / name).read_bytes() == first


def test_plot_of_many_events_and_of_none(tmp_path):
    rng = np.random.default_rng(0)
    many = np.sort(rng.uniform(0.0, 100.0, 30_000)), rng.integers(0, 2000, 30_000)
    EventStream.from_samples([many, ([], [])], n_channels=2000, duration=100.0).save("many.npz")
    for sample in (0, 1):
        done("data", "plot", "many.npz", "--sample", sample)


@pytest.mark.parametrize("split", datasets.DATASETS["yinyang"].parts)
def test_set_that_is_made_here_is_measured_and_drawn(split):
    measured = told("data", "info", "yinyang", "--split", split)
    assert measured["splits"][split]["channels"] == 5
    done("data", "plot", "yinyang", "--split", split, "--sample", 1)


@pytest.fixture
def words(tmp_path):
    """Recordings as text in a folder per class, and a table of them."""
    lines = ["file,label,group"]
    for k in range(6):
        label = ("no", "yes")[k % 2]
        (tmp_path / "words" / label).mkdir(parents=True, exist_ok=True)
        file = tmp_path / "words" / label / f"{k}.csv"
        file.write_text(f"time_us,channel\n{1000 * k + 500},{k % 2}\n")
        lines.append(f"{label}/{k}.csv,{label},speaker{k % 3}")
    (tmp_path / "words" / "labels.csv").write_text("\n".join(lines))
    return tmp_path / "words"


def test_import_with_a_table_gives_a_labelled_file(words):
    options = ("--labels", words / "labels.csv", "--out", "mine.h5", "--channels", 4)
    outcome = told("data", "import", *options)
    assert (outcome["classes"], outcome["parts"]) == ({"no": 3, "yes": 3}, {})
    data = Dataset.open("mine.h5")
    assert (data.class_names, data.labels.tolist()) == (("no", "yes"), [0, 1, 0, 1, 0, 1])
    assert (data.stream.n_channels, np.unique(data.groups).size) == (4, 3)
    done("data", "import", *sorted(words.glob("*/*.csv")), *options).shows("class yes")
    assert len(Dataset.open("mine.h5")) == 6


def test_import_of_a_folder_per_class(words):
    (words / "labels.csv").unlink()
    done("data", "import", words, "--out", "mine.h5", "--json")
    assert Dataset.open("mine.h5").class_names == ("no", "yes")
    words.rename("train")
    for folder in ("both/train", "both/test"):
        shutil.copytree("train", folder)
    outcome = told("data", "import", "both", "--out", "mine.h5")
    assert outcome["parts"] == {"test": 6, "train": 6}
    assert Dataset.open("mine.h5").info.parts == ("train", "test")


def test_import_of_labels_for_the_recordings_of_one_file(table):
    done("data", "import", table, "--out", "plain.h5")
    (table.parent / "labels.csv").write_text("file,label,sample\nplain.h5,b,0\nplain.h5,a,1\n")
    done("data", "import", "plain.h5", "--labels", "labels.csv", "--out", "mine.h5")
    assert Dataset.open("mine.h5").labels.tolist() == [1, 0]
