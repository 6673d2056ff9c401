"""What commands leave out, sort or guess of a file of events is said, and kept in the file."""

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets import nir_events
from eventsim.events import Dataset, EventStream, StoredStream
from tests.unit.cli.conftest import done, flat, refused, told


def imported(place, *options, out="some.h5"):
    outcome = done("data", "import", place, *options, "--out", out, "--json")
    kept = told("data", "info", out)["splits"]
    assert outcome.json["guesses"] == next(iter(kept.values()))["guesses"]
    return outcome


@pytest.mark.parametrize("command", ["data import FILE --out a.h5", "simulate net.npz FILE"])
@pytest.mark.parametrize("third", ["p", "ear"])
def test_third_column_is_an_error_that_says_how_to_take_or_drop_it(tmp_path, command, third):
    es.scsr(4, [3], 2, seed=1).save(tmp_path / "net.npz")
    (tmp_path / "some.csv").write_text(f"t_ms,channel,{third}\n1,0,1\n2,3,0\n50,1,1\n")
    words = command.replace("FILE", "some.csv").split()
    refused(*words).says("--columns t_ms,channel,-", "--sensor-size")
    done(*words, "--columns", "t_ms,channel,-")


def test_columns_that_were_dropped_are_kept_in_the_file(tmp_path):
    (tmp_path / "some.csv").write_text("t_ms,channel,p\n1,0,1\n2,3,0\n50,1,1\n")
    outcome = imported("some.csv", "--columns", "t_ms,channel,-")
    assert outcome.json["guesses"] == ["columns dropped: p"]
    done("data", "info", "some.h5").shows("columns dropped: p")
    taken = imported("some.csv", "--columns", "t_ms,x,p", "--sensor-size", "4,1,2")
    assert taken.json["channels"] == 8
    assert StoredStream.open("some.h5")[:].channels.tolist() == [4, 3, 5]


def test_columns_without_names_are_said_and_kept(tmp_path):
    (tmp_path / "some.csv").write_text("1,0,1\n2,3,0\n50,1,1\n")
    said = (
        "columns read as time,channel,sample: the first line has no names; 2 samples by the third "
        "column, which goes up and down, as a polarity or an ear would"
    )
    outcome = imported("some.csv")
    assert said in outcome.json["guesses"]
    assert f"{said}; --columns says what they are" in flat(outcome.err)
    done("data", "import", "some.csv", "--out", "some.h5").shows(said)


def test_events_out_of_order_are_said_and_kept(tmp_path):
    (tmp_path / "some.csv").write_text("t_ms,channel\n1,0\n30,3\n20,1\n25,1\n5,0\n")
    said = "events sorted by time: 2 came before the one above them; the largest step back is 20 ms"
    outcome = imported("some.csv")
    assert outcome.json["guesses"] == [said]
    assert said in flat(outcome.err)


def test_recordings_without_events_are_counted(tmp_path):
    (tmp_path / "some.csv").write_text("t_ms,channel,sample\n1,0,1\n30,3,1\n20,1,3\n")
    assert imported("some.csv").json["without_events"] == 2
    done("data", "info", "some.h5").shows("recordings without events")


def labelled(path, **more):
    stream = EventStream([1.0, 2.0, 1.0], [0, 1, 1], [0, 1, 2, 3], n_channels=2, duration=3.0)
    Dataset(stream, [0, 1, 0], ("no", "yes"), groups=["a", "b", "a"]).save(path, **more)


def test_import_of_a_file_with_parts_keeps_all_of_them(tmp_path):
    labelled(tmp_path / "mine.h5", splits=["train", "test", "train"])
    outcome = imported("mine.h5")
    assert outcome.json["samples"] == 3
    assert outcome.json["parts"] == {"train": 2, "test": 1}
    assert StoredStream.open("some.h5").columns["splits"].tolist() == ["train", "test", "train"]
    one = imported("mine.h5", "--split", "test")
    assert one.json["samples"] == 1
    assert one.json["guesses"] == ["part test; left out: train (--split)"]


def test_polarities_that_share_channels_are_said_with_their_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("t_ms,x,y,p\n10,2,1,0\n20,0,3,1\n30,2,1,1\n")
    both = imported("a.csv", "--sensor-size", "4,4,2")
    assert both.json["guesses"] == []
    merged = imported("a.csv", "--sensor-size", "4,4,1")
    (said,) = merged.json["guesses"]
    assert said.startswith("polarities merged, as the sensor's size has 1 value of p")
    assert "2 of p 1, 1 of p 0 events share channels" in said
    assert said in flat(merged.err)


@pytest.mark.nightly("makes a data set of 7,000 recordings; a file with parts is above")
def test_part_of_a_data_set_that_is_taken_is_said():
    outcome = imported("yinyang")
    assert outcome.json["guesses"] == ["part test; left out: train, valid (--split)"]
    assert "part test; left out: train, valid" in flat(outcome.err)


def test_labels_that_an_npz_file_does_not_keep_are_said(tmp_path):
    labelled(tmp_path / "mine.h5", splits=["train", "test", "train"])
    outcome = imported("mine.h5", out="some.npz")
    said = "not in an npz file: labels, groups, splits; --out some.h5 keeps them"
    assert outcome.json["guesses"] == [said]
    assert said in flat(outcome.err)


def test_what_a_file_keeps_of_its_import_stays_beside_what_is_new(tmp_path):
    (tmp_path / "all" / "no").mkdir(parents=True)
    (tmp_path / "all" / "no" / "1.csv").write_text("t,c\n1,0\n50,1\n")
    (first,) = imported("all", out="mine.h5").json["guesses"]
    assert first == "times read as ms: the header names no unit"
    again = imported("mine.h5", out="some.npz").json["guesses"]
    assert again == [first, "not in an npz file: labels, keys; --out some.h5 keeps them"]
    assert EventStream.read_notes("some.npz")["guessed"] == "unit"


def test_files_of_a_folder_and_groups_that_are_left_out_are_said(tmp_path):
    for name in ("no/1.csv", "no/deep/2.csv", "yes/3.csv"):
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).write_text("t_ms,channel\n1,0\n50,1\n")
    (tmp_path / "labels.csv").write_text("file,label,group\nno/1.csv,a,ann\nyes/3.csv,b,\n")
    outcome = imported("all", "--labels", "labels.csv")
    left, group = outcome.json["guesses"]
    assert left == "1 files of the folder left out: all/no/deep/2.csv"
    assert group == "1 lines without a group count as one group; first labels.csv, line 3"
    assert left in flat(outcome.err)


def test_nodes_of_nir_that_are_not_read_are_said(tmp_path):
    nir = pytest.importorskip("nir")
    stream = EventStream([1.0, 2.0], [0, 1], [0, 2], n_channels=2, duration=3.0)
    one, two = (nir.NIRNodeData({"spikes": nir_events.to_nir(stream)}) for _ in range(2))
    nir.write_data(tmp_path / "two.nir", nir.NIRGraphData({"input": one, "hidden": two}))
    assert imported("two.nir").json["guesses"] == ["nodes not read: hidden"]


def test_channels_that_are_filled_up_for_a_network_are_said(tmp_path):
    es.scsr(4, [3], 2, seed=1).save(tmp_path / "net.npz")
    (tmp_path / "some.csv").write_text("t_ms,channel\n1,0\n50,1\n")
    found = told("simulate", "net.npz", "some.csv")
    assert found["measured"]["read"]["guesses"] == [
        "channels 0 to 1 of the network's 4 occur in the text"
    ]
    assert np.isfinite(found["seconds_of_input"])


def test_ties_of_a_simulation_are_said_once(caplog):
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("copies", 2, tau_mem=27.0, tau_syn=13.0)
    net.connect("input", "copies", np.full((1, 2), 12.0))
    net.connect("copies", "copies", -1.0 + np.eye(2))
    net.save("net.npz")
    EventStream([1.0], [0], [0, 1], n_channels=1, duration=30.0).save("some.npz")
    (tie,) = told("simulate", "net.npz", "some.npz")["ties"]
    shown = done("simulate", "net.npz", "some.npz").out
    assert shown.count(tie["text"]) == 1
    assert not caplog.records  # which are lines of stderr
