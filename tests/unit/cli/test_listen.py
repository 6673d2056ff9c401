"""`eventsim listen`: lines in, answers out; recordings as evaluate and predict have them."""

import io
import json
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.made import Made
from eventsim.live import Packet, Size, WireForm
from tests.unit.cli.conftest import call, done, told


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A network and recordings with labels, as files; and the recordings as text."""
    folder = tmp_path_factory.mktemp("live")
    net = es.scsr(6, (8,), 3, mean=6.0, seed=1)
    net.set_answer(es.Answer(class_names=("a", "b", "c")))
    net.save(folder / "net.npz")
    rng, durations = np.random.default_rng(3), np.array([40.0, 33.5, 51.25])
    samples = [(np.sort(rng.uniform(0.0, d, 60)), rng.integers(0, 6, 60)) for d in durations]
    stream = es.EventStream.from_samples(samples, n_channels=6, duration=durations)
    stream.save(folder / "events.npz")
    es.events.Dataset(stream, [1, 0, 2], ("a", "b", "c")).save(folder / "labelled.h5")
    lines = ["time_ms,channel"]
    for (times, channels), duration in zip(stream, durations.tolist(), strict=True):
        lines += [f"{t!r},{c}" for t, c in zip(times.tolist(), channels.tolist(), strict=True)]
        lines.append(f"{duration!r},end")
    (folder / "lines.csv").write_text("\n".join(lines) + "\n")
    return SimpleNamespace(folder=folder, net=folder / "net.npz", events=folder / "events.npz")


def listened(outcome):
    assert outcome.code == 0, outcome.err
    *lines, last = map(json.loads, outcome.out.splitlines())
    return lines, last["summary"]


def answers(home):
    rows = told("predict", home.net, home.events)["answers"]
    return [(row["answer"], pytest.approx(row["score"], abs=1e-4)) for row in rows]


def found(lines):
    return [(line["answer"], line["score"]) for line in lines]


def test_file_and_standard_input_and_pipe_have_the_answers_of_predict(home, monkeypatch, tmp_path):
    wanted, text = answers(home), (home.folder / "lines.csv").read_bytes()
    lines, summary = listened(call("listen", home.net, home.events, "--speed", "max", "--json"))
    assert found(lines) == wanted
    assert summary["counters"]["events"] == 180
    monkeypatch.setattr("eventsim.live.sources._stdin", lambda: io.BytesIO(text))
    lines, _ = listened(call("listen", home.net, "-", "--recordings", "--json"))
    assert found(lines) == wanted
    monkeypatch.chdir(tmp_path)
    for pipe in Path("microphone.pipe"), Path("udp.pipe"):  # neither of the two
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(text,), daemon=True)
        writer.start()
        outcome = call("listen", home.net, pipe, "--recordings", "--json")
        lines, summary = listened(outcome)
        writer.join()
        assert "cochlea" not in outcome.err
        assert found(lines) == wanted
        assert summary["counters"]["rubbish"] == summary["counters"]["cut"] == 0


@pytest.mark.parametrize("again", [(), ("--again",)])
def test_time_is_up_also_where_nobody_writes_into_a_pipe(home, tmp_path, again):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = ("listen", home.net, pipe, "--for", 0.3, "--json", *again)
    outcome = []
    asked = threading.Thread(target=lambda: outcome.append(call(*command)), daemon=True)
    asked.start()
    asked.join(10.0)
    if asked.is_alive():
        pipe.write_bytes(b"")  # lets it go
    assert outcome, "it still waits for a writer"
    assert listened(outcome[0])[1]["counters"]["events"] == 0


def test_events_that_waited_when_the_time_was_up_are_counted(home, monkeypatch):
    """As where datagrams come faster than the network computes: the socket holds what is left."""
    clock, times = [100.0], np.arange(20, dtype=np.int64)
    monkeypatch.setattr("eventsim.cli.listen.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def flood():
        for arrived in (100.0, 100.4, 100.9, 101.1):
            clock[0] += 1.0  # of computing
            yield Packet(times, times % 6, per_ms=1000.0, arrived=arrived, lost=(("datagrams", 1),))

    monkeypatch.setattr("eventsim.live.sources.receive", lambda bound, _: bound.close() or flood())
    _, summary = listened(call("listen", home.net, "udp:0", "--for", 1, "--json"))
    assert summary["counters"]["events"] == 20
    lost = {"datagrams": 3, "events, that waited when the time was up": 40}
    assert summary["counters"]["lost"] == lost


def test_recording_of_what_was_heard_is_read_by_other_commands(home, tmp_path):
    heard = tmp_path / "heard.h5"
    done("listen", home.net, home.events, "--speed", "max", "--record", heard)
    rows = told("predict", home.net, heard)["answers"]
    assert [(row["answer"], row["score"]) for row in rows] == answers(home)
    stream = es.events.StoredStream.open(heard)[:]
    np.testing.assert_array_equal(stream.times, es.EventStream.load(home.events).times)


def test_labels_are_compared_with_answers_recording_by_recording(home):
    truth, given = ["b", "a", "c"], [answer for answer, _ in answers(home)]
    right = sum(map(str.__eq__, truth, given))
    assert 0 < right < 3
    command = ("listen", home.net, home.folder / "labelled.h5", "--speed", "max")
    lines, summary = listened(call(*command, "--json"))
    assert [(line["answer"], line["label"]) for line in lines] == [*zip(given, truth, strict=True)]
    assert (summary["accuracy"], summary["labelled"]) == (right / 3, 3)
    shown = call(*command).out
    words = [line.split() for line in shown.splitlines() if "ahead" in line]
    assert [(line[4], line[-1]) for line in words] == [
        (answer, f"{label})") for answer, label in zip(given, truth, strict=True)
    ]
    assert f"accuracy {right / 3:.2%} of 3 recordings with labels" in shown
    part = listened(call(*command, "--json", "--samples", "1"))[0]
    assert (part[0]["answer"], part[0]["label"]) in zip(given, truth, strict=True)


@pytest.mark.parametrize(
    ("divided", "n"),
    [(("--every", 10), 4 + 4 + 6), (("--end-channel", 3), None), (("--forward", 3), None)],
)
def test_recordings_that_end_elsewhere_than_in_their_file_have_no_label_of_another(
    home, divided, n
):
    command = ("listen", home.net, home.folder / "labelled.h5", "--speed", "max", *divided)
    outcome = call(*command, "--json")
    lines, summary = listened(outcome)
    assert len(lines) == n or (n is None and len(lines) > 3)
    if divided[0] == "--forward":  # of a jump in the last recording
        assert [line["label"] for line in lines] == ["b", "a", None, "c"]
        assert [line["end"] for line in lines] == ["told", "told", "restart", "told"]
        assert call(*command).out.count("(cut: its end was not told)") == 1
    else:
        assert {line["label"] for line in lines} == {None}
        assert (summary["accuracy"], summary["labelled"]) == (None, 0)
        assert "Labels are not compared" in outcome.err


def test_sliding_answers_are_told_where_they_change_or_all(home, monkeypatch):
    lines = (home.folder / "lines.csv").read_bytes().splitlines(keepends=True)
    text = b"".join(lines[-61:-1])  # the last recording, without its end
    monkeypatch.setattr("eventsim.live.sources._stdin", lambda: io.BytesIO(text))
    command = ("listen", home.net, "-", "--step", 2, "--memory", 3, "--margin", 0.9, "--json")
    every, _ = listened(call(*command, "--all"))
    times = [line["time_ms"] for line in every]
    assert times[:-1] == [2.0 * k for k in range(1, len(times))]
    given = [line["answer"] for line in every]
    changes = [k for k, one in enumerate(given) if k == 0 or one != given[k - 1]]
    assert len(every) > 20
    assert 2 < len(changes) < 10
    news, _ = listened(call(*command))
    assert news == [every[k] for k in changes]
    text += b"what is [this]\n"
    ended = (
        done("listen", home.net, "-", "--recordings")
        .shows("rubbish was such as 'what is [this]'")
        .out
    )
    assert ended.count("ahead  (cut: its end was not told)") == 1


def test_network_of_a_run_is_the_one_that_was_named(finished, tmp_path):
    _, run, _ = finished
    rng = np.random.default_rng(1)
    events = tmp_path / "events.npz"
    times = np.sort(rng.uniform(0.0, 40.0, 300))
    es.EventStream(times, rng.integers(0, 64, 300), [0, 300], n_channels=64, duration=40.0).save(
        events
    )
    scores = []
    for which in ("last", "initial"):
        named = ("--network", which, "--json")
        lines, _ = listened(call("listen", run, events, "--speed", "max", *named))
        row = call("predict", run, events, *named).json["answers"][0]
        assert [(one["answer"], one["score"]) for one in lines] == [
            (row["answer"], pytest.approx(row["score"], rel=1e-4, abs=1e-4))
        ]
        scores.append(row["score"])
    assert abs(scores[0] - scores[1]) > 1e-2


@pytest.mark.parametrize("streaming", [None, False, True])
def test_cochlea_of_a_microphone_is_that_of_the_network_or_it_is_said(home, monkeypatch, streaming):
    asked = []
    opened = "eventsim.cli.listen.open_source"
    monkeypatch.setattr(opened, lambda *_, form, **__: asked.append(form) or [])
    audio = AudioEncoding(CochleaEncoder(n_channels=6, streaming=bool(streaming)), 8000.0)
    known = None if streaming is None else (SimpleNamespace(title="spoken words"), audio)
    monkeypatch.setattr("eventsim.cli.listen.audio_of", lambda _: known)
    told = call("listen", home.net, "microphone", "--json").err
    assert asked[0].audio == (None if streaming is None else audio)
    assert ("It is not known which cochlea" in told) == (streaming is None)
    assert ("spoken words, whose cochlea hears whole recordings" in told) == (streaming is False)


def test_what_is_said_of_a_source_reaches_it(home, monkeypatch):
    asked, opened = [], "eventsim.cli.listen.open_source"
    monkeypatch.setattr(opened, lambda *place, **given: asked.append((place, given)) or [])
    said = ("--format", "evt3", "--unit", "us", "--sensor-size", "3,2,1", "--again", "--json")
    listened(call("listen", home.net, "a.pipe", *said))
    listened(call("listen", home.net, "a.pipe", "--json"))
    form = WireForm("evt3", "us", Size(3, 2, 1), again=True)
    assert asked == [
        (("a.pipe",), {"n_channels": 6, "form": form}),
        (("a.pipe",), {"n_channels": 6, "form": WireForm()}),
    ]


def test_unit_of_text_is_said_and_that_of_the_recordings_of_the_run(home, monkeypatch):
    asked, opened = [], "eventsim.cli.listen.open_source"
    monkeypatch.setattr(opened, lambda *_, form, **__: asked.append(form) or [])
    said = call("listen", home.net, "-", "--json").err
    assert "times are read as ms unless a first line of names or a remark says" in flat(said)
    data = SimpleNamespace(name="own", title="mine.h5", made=Made(unit="us"))
    run = SimpleNamespace(settings=SimpleNamespace(data=data))
    monkeypatch.setattr("eventsim.cli.listen.run_of", lambda _: run)
    said = call("listen", home.net, "-", "--json").err
    assert "times are read as us" in flat(said)
    assert "mine.h5 was made of times in us" in flat(said)
    assert "times are read as" not in call("listen", home.net, "-", "--unit", "s", "--json").err
    assert "times are read as" not in call("listen", home.net, "udp:0", "--json").err
    assert [form.otherwise for form in asked[:2]] == ["ms", "us"]


def flat(text):
    return " ".join(text.split())


def test_what_was_heard_before_it_was_stopped_is_summed_up(home, monkeypatch):
    def stopped():
        yield Packet(np.arange(20.0), np.arange(20) % 6)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "eventsim.live.sources.receive", lambda bound, _: bound.close() or stopped()
    )
    outcome = call("listen", home.net, "udp:0", "--json")
    assert listened(outcome)[1]["counters"]["packets"] == 1
    assert "Stopped listening." in outcome.err


def test_view_counts_all_that_was_lost(home, monkeypatch):
    def datagrams():
        first = np.arange(20.0), np.arange(20) % 6
        yield Packet(*first, lost=(("datagrams", 3),))
        yield Packet(np.array([1.0, 35.0]), np.array([0, 1]))  # of which one is late

    monkeypatch.setattr(
        "eventsim.live.sources.receive", lambda bound, _: bound.close() or datagrams()
    )
    done("listen", home.net, "udp:0", "--view", "--every", 25).shows("21 events, 4 lost or late")


def test_stream_without_an_end_tells_changes_and_a_summary_in_words(home):
    done("listen", home.net, home.events, "--speed", "max", "--view").shows(
        "99th percentile", "computing"
    )
