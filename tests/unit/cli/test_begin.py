"""Where the times of recordings begin: what an import, and commands on text, do, say and keep."""

import json
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import eventsim as es
from eventsim.cli.begin import begin_summary
from eventsim.cli.events import _find_beside
from eventsim.cli.readers import read
from eventsim.cli.reading import Reading
from eventsim.datasets import nir_events
from eventsim.datasets.made import Made
from eventsim.errors import DataError
from eventsim.events import Dataset, EventStream, StoredStream
from eventsim.events.begin import TimeZero, edges, put
from eventsim.runs.data import DataSettings
from tests.unit.cli.conftest import call, done, flat, refused, told

N = 6


def recordings(shift=0.0):
    """Times in ms, to the microsecond, and channels of recordings of some 700 ms."""
    rng = np.random.default_rng(0)
    for _ in range(N):
        times = np.sort(rng.integers(0, 700_000, 20)) / 1e3
        yield times - times[0] + shift, rng.integers(0, 4, 20)


def write(folder, shift=0.0, names="time_ms,channel"):
    for k, (times, channels) in enumerate(recordings(shift)):
        file = folder / ("no", "yes")[k % 2] / f"{k}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{t:.3f},{c}" for t, c in zip(times, channels, strict=True)]
        file.write_text("\n".join([names, *rows]) + "\n")
    return folder


def streams(shift):
    times, channels = zip(*recordings(shift), strict=True)
    return EventStream.from_samples(
        list(zip(times, channels, strict=True)), n_channels=4, duration=shift + 1000.0
    )


@pytest.mark.parametrize("shift", [1000.0, 2000.0, 37_250.0])
def test_import_puts_recordings_on_a_clock_to_their_first_event(tmp_path, shift):
    done("data", "import", write(tmp_path / "plain"), "--out", "plain.h5")
    outcome = done("data", "import", write(tmp_path / "late", shift), "--out", "late.h5", "--json")
    found, plain = Dataset.open("late.h5").stream, Dataset.open("plain.h5").stream
    np.testing.assert_allclose(found[:].times, plain[:].times, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found[:].channels, plain[:].channels)
    np.testing.assert_array_equal(found.duration, plain.duration)
    begin = outcome.json["begin"]
    assert (begin["rule"], begin["moved"], begin["recordings"]) == ("first-event", N, N)
    assert begin["moved_by_ms"] == {"smallest": shift, "median": shift, "largest": shift}
    assert f"{N} of {N} moved by {shift:,.6g} ms" in flat(outcome.err)
    assert "--begin zero keeps the times" in flat(outcome.err)
    assert found.columns["begins"].tolist() == [shift] * N
    info = told("data", "info", "late.h5")["splits"]["all"]
    assert info["begin"] == begin
    assert info["first_event_ms"]["median"] == 0.0
    done("data", "info", "late.h5").shows(f"moved by {shift:,.6g} ms")


def test_import_of_recordings_that_begin_at_zero_says_nothing(tmp_path):
    outcome = call("data", "import", write(tmp_path / "plain"), "--out", "plain.h5", "--json")
    assert outcome.err == ""
    assert outcome.json["begin"]["rule"] == "zero"
    assert "begins" not in StoredStream.open("plain.h5").columns


def test_recordings_that_begin_late_and_are_not_moved_are_spoken_of(tmp_path):
    write(tmp_path / "late", 300.0)
    done("data", "import", "late", "--out", "late.h5").says(
        "begin late and were not moved",
        "first event at 300 ms. If that is a clock: --begin first-event.",
    )
    done("data", "import", "late", "--begin", "zero", "--out", "late.h5").says(
        "were not moved (--begin): first event at 300 ms."
    )
    done("data", "import", "late", "--begin", "first-event", "--out", "late.h5").says(
        "moved by 300 ms"
    )
    assert StoredStream.open("late.h5")[:].times[0] == 0.0


@pytest.mark.parametrize("begin", ["zero", "100", "first-event"])
def test_info_says_whether_the_recordings_of_a_file_begin_late(tmp_path, begin):
    write(tmp_path / "late", 300.0)
    done("data", "import", "late", "--begin", begin, "--out", "late.h5")
    late = begin != "first-event"
    assert told("data", "info", "late.h5")["splits"]["all"]["begins_late"] == late
    shown = flat(call("data", "info", "late.h5").out)
    assert ("the recordings begin late" in shown) == late
    if begin == "zero":
        assert "median 300 ms; time 0 is that of the file (--begin)" in shown


def test_a_time_may_be_named_as_the_begin(tmp_path):
    write(tmp_path / "late", 300.0)
    outcome = told("data", "import", "late", "--begin", "250", "--out", "late.h5")
    assert outcome["begin"]["time_ms"] == 250.0
    assert StoredStream.open("late.h5")[:].times[0] == pytest.approx(50.0)


def test_negative_times_have_a_way_out(tmp_path):
    write(tmp_path / "early", -99.539)
    outcome = refused("data", "import", "early", "--out", "early.h5").says(
        "time in ms is -99.539, expected a finite number >= 0"
    )
    for begin, first in (("first-event", 0.0), ("-100", 0.461)):
        assert f"--begin {begin}, in Python begin=" in flat(outcome.err)
        done("data", "import", "early", "--begin", begin, "--out", "early.h5")
        assert StoredStream.open("early.h5")[:].times[0] == pytest.approx(first)


@pytest.mark.parametrize("kind", ["npz", "h5", "nir"])
def test_stated_durations_move_along_with_the_times(tmp_path, kind):
    late = tmp_path / f"late.{kind}"
    if kind == "npz":
        streams(5000.0).save(late)
    elif kind == "h5":
        Dataset(streams(5000.0), np.zeros(N, int), ("a",)).save(late)
    else:
        nir = pytest.importorskip("nir")
        data = nir.NIRNodeData({"spikes": nir_events.to_nir(streams(5000.0))})
        nir.write_data(late, nir.NIRGraphData({"input": data}))
    done("data", "import", late, "--out", "new.h5")
    found = StoredStream.open("new.h5")
    np.testing.assert_allclose(found[:].times, streams(0.0).times, atol=1e-9)
    np.testing.assert_array_equal(found[:].channels, streams(0.0).channels)
    np.testing.assert_allclose(found.duration, 1000.0)
    # What was moved once is known, and goes back.
    done("data", "import", "new.h5", "--out", "again.h5")
    assert StoredStream.open("again.h5").notes["begin"] == found.notes["begin"]
    done("data", "import", "again.h5", "--begin", "zero", "--out", "back.h5")
    np.testing.assert_allclose(StoredStream.open("back.h5")[:].times, streams(5000.0).times)


def test_npz_keeps_how_it_was_read(tmp_path):
    write(tmp_path, 5000.0, names="time,channel")
    done("data", "import", tmp_path / "no" / "0.csv", "--out", "one.npz")
    part = told("data", "info", "one.npz")["splits"]["all"]
    assert part["begin"]["moved_by_ms"]["median"] == 5000.0
    assert part["guesses"] == ["times read as ms: the header names no unit"]
    assert EventStream.load("one.npz").times[0] == 0.0


def test_npz_keeps_by_how_much_each_recording_was_moved(tmp_path):
    streams(5000.0).save(tmp_path / "late.npz")
    begin = told("data", "import", "late.npz", "--out", "once.npz")["begin"]
    assert begin["moved"] == N
    for name in ("again.npz", "again.h5"):
        assert told("data", "import", "once.npz", "--out", name)["begin"] == begin
        back = ("data", "import", name, "--begin", "zero", "--out", "back.npz")
        done(*back)
        np.testing.assert_allclose(EventStream.load("back.npz").times, streams(5000.0).times)


def test_begin_of_a_part_in_memory_says_nothing_of_other_recordings(tmp_path):
    """A run that rounds times has its part in memory, the notes are of the whole file."""
    splits = ["train"] * 4 + ["test"] * 2
    begins = np.array([5.0, 6.0, 7.0, 8.0, 0.0, 9.0])
    notes = Made().notes(TimeZero("first-event", "why", begins, edges(streams(0.0))))
    data = Dataset(streams(0.0), np.arange(N) % 2, ("no", "yes"))
    data.save("mine.h5", splits=splits, begins=begins, notes=notes)
    part = read("stored", "mine.h5", Reading(split="test"))
    said = {"recordings": 2, "moved": 1, "without_events": 0}
    rounded = part.rounded(DataSettings(file="mine.h5", round_times=1.0))
    for one in (part, rounded, part.fewer(2)):
        found = begin_summary(one)
        assert {name: found[name] for name in said} == said
        assert found["moved_by_ms"]["median"] == 9.0
    unknown = begin_summary(replace(rounded, begins=None))
    assert (unknown["recordings"], unknown["moved"], unknown["moved_by_ms"]) == (2, None, None)


def test_a_recording_without_events_that_is_over_at_its_time_0_is_refused():
    stream = EventStream.from_samples(
        [([600.0, 700.0], [0, 0]), ([], [])], n_channels=1, duration=[1000.0, 300.0]
    )
    with pytest.raises(DataError, match="recording 1: lasts to 300 ms, expected an end after 500"):
        put(stream, np.full(2, 500.0), stated=True, where="here")


def test_recordings_that_were_moved_are_moved_again_whatever_rounds(tmp_path):
    rng = np.random.default_rng(0)
    times = [np.sort(rng.uniform(0.1, 50.0, 9)) for _ in range(40)] + [np.zeros(0)]
    stream = EventStream.from_samples(
        [(t, np.zeros(t.size, int)) for t in times], n_channels=1, duration=60.0
    )
    begins = rng.uniform(1.0, 9.0, 41)
    Dataset(stream, np.zeros(41, int), ("a",)).save("m.h5", begins=begins)
    told("data", "import", "m.h5", "--begin", "first-event", "--out", "again.h5")
    found = StoredStream.open("again.h5")
    first = np.array([t[0] if t.size else 0.0 for t in times])
    assert found[:].times.tolist() == np.concatenate([t - t[:1] for t in times]).tolist()
    assert found[:].duration.tolist() == (60.0 - first).tolist()
    assert found.columns["begins"].tolist() == (begins + first).tolist()


def test_vote_is_of_recordings_that_have_a_span(tmp_path):
    """One event says nothing; where half of the others are a clock, all are put to their first."""

    def at(*samples):
        lines = [f"{t},0,{k}" for k, times in enumerate(samples) for t in times]
        (tmp_path / "some.csv").write_text("\n".join(["time_ms,channel,sample", *lines]) + "\n")
        outcome = told("data", "import", "some.csv", "--out", "some.h5")
        return outcome["begin"]["rule"], StoredStream.open("some.h5")[:].times.tolist()

    assert at([500.0], [900.0]) == ("zero", [500.0, 900.0])
    assert at([500.0], [900.0, 910.0]) == ("first-event", [0.0, 0.0, 10.0])
    assert at([1.0, 9.0], [90.0, 91.0]) == ("first-event", [0.0, 8.0, 0.0, 1.0])
    assert at([1.0, 9.0], [1.0, 5.0], [90.0, 91.0])[0] == "zero"
    assert at([5.0, 10.0])[0] == "zero"  # as long as the span: no clock


def test_address_events_may_keep_their_clock(tmp_path):
    from tests.support.aedat import jaer

    (tmp_path / "one.aedat").write_bytes(jaer([(k % 32, 5_000_000 + 1000 * k) for k in range(60)]))
    options = ("data", "import", "one.aedat", "--sensor", "nas_16_mono", "--json", "--out")
    begin, details = (call(*options, "one.h5").json[name] for name in ("begin", "details"))
    moved_by = 5_000_000 * details["tick_us"] / 1e3
    assert begin["moved_by_ms"]["median"] == pytest.approx(moved_by)
    assert StoredStream.open("one.h5")[:].times[0] == 0.0
    done(*options, "kept.h5", "--begin", "zero")
    assert StoredStream.open("kept.h5")[:].times[0] == pytest.approx(moved_by)


def test_text_of_a_clock_is_read_as_the_recordings_of_the_run(tmp_path):
    late = str(write(tmp_path, 5000.0) / "no" / "0.csv")
    found = read("csv", late, Reading(begin="4000"))
    assert found.stream.times[0] == 1000.0
    assert found.begun.summary()["time_ms"] == 4000.0


def test_files_that_are_read_for_a_run_begin_as_its_own(tmp_path):
    write(tmp_path / "late", 300.0)
    for options, begin in (
        (("--begin", "first-event"), "first-event"),
        (("--begin", "250"), 250.0),
        ((), "zero"),
    ):
        done("data", "import", "late", *options, "--out", "late.h5")
        assert DataSettings(file=str(tmp_path / "late.h5")).made.begin == begin
    Dataset(streams(0.0), np.zeros(N, int), ("a",)).save(tmp_path / "old.h5")
    assert DataSettings(file=str(tmp_path / "old.h5")).made.begin is None
    assert DataSettings(name="yinyang").made.begin is None


def test_a_file_that_its_import_has_moved_is_not_moved_again_beside_a_run(tmp_path):
    write(tmp_path / "late", 600.0)
    done("data", "import", "late", "--begin", "500", "--out", "late.h5")
    run = SimpleNamespace(settings=SimpleNamespace(data=DataSettings(file="late.h5")))
    own = "late/no/0.csv"
    for options, first in ((("--begin", "500"), 100.0), (("--begin", "zero"), 100.0)):
        done("data", "import", own, *options, "--out", "one.npz")
        found = _find_beside(tmp_path, run, "one.npz", Reading())
        assert found.stream[:].times[0] == pytest.approx(first)


def test_files_of_earlier_versions_say_nothing_of_their_begin(tmp_path):
    Dataset(streams(0.0), np.zeros(N, int), ("a",)).save(tmp_path / "old.h5")
    found = told("data", "info", "old.h5")["splits"]["all"]
    assert (found["begin"], found["guesses"], found["unit"]) == (None, [], None)


def test_column_of_begins_is_one_that_earlier_versions_pass_over(tmp_path):
    done("data", "import", write(tmp_path / "late", 5000.0), "--out", "late.h5")
    with h5py.File("late.h5") as file:
        assert int(file.attrs["version"]) == 1
        assert file["columns/begins"].shape == (N,)
        notes = json.loads(file["notes"][...].tobytes())
    assert all(isinstance(value, str) for value in notes.values())


@pytest.mark.parametrize("command", ["simulate", "cost", "map", "report"])
def test_every_command_keeps_in_json_and_shows_that_recordings_begin_late(command, tmp_path):
    es.scsr(4, (3,), 2).save(tmp_path / "net.npz")
    options = {"map": ("--chip", "loihi", "--method", "first-fit")}.get(command, ())
    found = {}
    for shift in (0.0, 5000.0):
        streams(shift).save(tmp_path / "mine.npz")
        run = (command, "net.npz", "mine.npz", "--begin", "zero", "--backend", "cpu")
        outcome = told(*run, *options)
        found[shift] = outcome["late_begin"]
    assert found[0.0] is None
    assert found[5000.0]["first_event_ms"] == 5000.0
    said = "first event, median 5,000 ms of 6,000 ms; spikes per neuron and second: over all of it"
    done(*run, *options).shows(said)
