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
from eventsim.live import Packet
from tests.unit.cli.conftest import call


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
    rows = call("predict", home.net, home.events, "--json").json["answers"]
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
    call("listen", home.net, home.events, "--speed", "max", "--record", heard)
    rows = call("predict", home.net, heard, "--json").json["answers"]
    assert [(row["answer"], row["score"]) for row in rows] == answers(home)
    stream = es.events.StoredStream.open(heard)[:]
    np.testing.assert_array_equal(stream.times, es.EventStream.load(home.events).times)


def test_stream_without_an_end_tells_changes_and_a_summary_in_words(home):
    outcome = call("listen", home.net, home.events, "--speed", "max", "--view")
    assert outcome.code == 0, outcome.err
    assert "99th percentile" in outcome.out
    assert "computing" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "is no source"),
        (["udp:abc"], "expected udp:PORT"),
        (["udp:0", "--format", "evt2"], "expected of datagrams"),
        (["-", "--format", "spif"], "expected of bytes"),
        (["-", "--sensor", "dvs128"], "is only for a file that is replayed"),
        (["-", "--unit", "years"], "expected s, ms, us"),
    ],
)
def test_source_that_cannot_be_is_refused_in_words(home, arguments, words):
    outcome = call("listen", home.net, *arguments)
    assert outcome.code == 2
    assert words in outcome.err
