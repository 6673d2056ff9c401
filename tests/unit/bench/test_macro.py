"""What the macro benchmarks set eventsim beside, and how they sum up."""

import importlib.util
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es
from bench import run_all
from bench.harness import in_turn
from bench.macro import epoch, large, naive, streams
from bench.macro.w1 import workload


@pytest.mark.thorough("a benchmark of seconds")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_naive_loop_has_the_spikes_of_the_reference():
    net, stream, _ = workload(n_samples=2, n_hidden=24)
    net.populations["hidden"].tau_mem[:] = naive.TAU_MEM
    net.populations["hidden"].tau_syn[:] = naive.TAU_MEM / 2
    tape = es.simulate(net, stream, backend="reference")
    found = naive.forward(net, stream)
    assert sum(times.size for times, _ in found) == len(tape["hidden"]) > 100
    for s, (times, neurons) in enumerate(found):
        expected, who = tape["hidden"].sample(s)
        assert np.array_equal(neurons, who)
        np.testing.assert_allclose(times, expected, atol=1e-9)


def test_all_benchmarks_run_though_one_fails_and_what_is_left_out_is_named(monkeypatch, capsys):
    called = []

    def run(words, **_):
        called.append(words[2:])
        return subprocess.CompletedProcess(words, 1 if "bench.macro.w2" in words else 0)

    monkeypatch.setattr(run_all.subprocess, "run", run)
    monkeypatch.setattr(run_all.sys, "argv", ["run_all", "--json", "--save"])
    monkeypatch.delenv("EVENTSIM_DATA", raising=False)
    with pytest.raises(SystemExit, match="ended in an error: w2"):
        run_all.main()
    expected = [[f"bench.macro.{n}", "--json", "--save", n] for n in run_all.BENCHES]
    assert called == expected
    assert "EVENTSIM_DATA is not set: threads, epoch" in capsys.readouterr().err
    monkeypatch.setenv("EVENTSIM_DATA", "here")
    with pytest.raises(SystemExit):
        run_all.main()
    assert [words[0] for words in called[len(expected) * 2 :]] == [
        "bench.macro.threads",
        "bench.macro.epoch",
    ]
    for name in run_all.BENCHES + run_all.WITH_RECORDINGS:
        assert importlib.util.find_spec(f"bench.macro.{name}") is not None


def test_calls_take_turns():
    seen = []
    found = in_turn({k: lambda k=k: seen.append(k) for k in "ab"}, repeats=2, warm_up=1)
    assert "".join(seen) == "abababab"
    assert found["a"].minimum <= found["a"].median <= found["a"].maximum


def test_events_are_counted_by_step_recording_and_channel():
    samples = [([0.5, 0.6, 3.0], [1, 1, 0]), ([2.9, 9.5], [0, 1])]
    stream = es.EventStream.from_samples(samples, n_channels=2, duration=10.0)
    data = es.Dataset(stream, np.array([0, 1]), ("a", "b"))
    counts = epoch.counted(data, np.array([1, 0]), 1.0, 9.0)
    assert counts.shape == (9, 2, 2)
    assert counts.sum() == 4  # the event at 9.5 ms is cut
    assert counts[0, 1, 1] == 2
    assert counts[2, 0, 0] == counts[3, 1, 0] == 1


def test_an_epoch_is_set_beside_the_fastest_of_each_step():
    rows = [
        {"program": "own", "epoch_cpu_s": 3.0},
        {"step_ms": 10.0, "epoch_cpu_s": 4.0, "epoch_cpu_s_bucketed": 2.0},
        {"step_ms": 10.0, "epoch_cpu_s": 5.0, "epoch_cpu_s_bucketed": 6.0},
        {"step_ms": 1.0, "epoch_cpu_s": 40.0, "epoch_cpu_s_bucketed": 30.0},
    ]
    epoch.ratios(rows)
    assert rows[0]["times_fastest_10_ms"] == 1.5
    assert rows[0]["times_fastest_1_ms"] == 0.1
    assert "times_fastest_10_ms" not in rows[1]


@pytest.mark.parametrize("shape", ["feedforward", "recurrent"])
def test_large_network_has_its_fan_out_and_is_alive(monkeypatch, shape):
    monkeypatch.setattr(large, "DRAWN", 70)
    monkeypatch.setattr(large, "FORWARD_HZ", 20.0)  # fewer targets, for there are fewer neurons
    net = large.network(shape, 150)
    for projection in net.projections.values():
        pattern = projection.pattern
        fan_out = np.diff(pattern.indptr)
        assert pattern.indices.dtype == np.int32
        assert 60 < fan_out.min() <= fan_out.max() <= large.FAN_OUT
        onto_itself = (pattern.indices == projection.sources()).any()
        assert onto_itself == (projection.source == "input")
    tape = es.simulate(net, large.events(shape, net, 40.0), backend="reference")
    assert len(tape["neurons"]) > 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_peak_of_memory_is_that_of_the_block():
    before = large.resident("VmRSS")
    with large.peak() as found:
        np.ones(20_000_000)
    assert 120e6 < found.bytes - before < 240e6
    with large.peak() as after:
        pass
    assert after.bytes < found.bytes - 100e6


def test_case_that_fails_is_a_row_that_says_with_what():
    options = SimpleNamespace(repeats=1, gib=0.5, forward_only=True)
    row = large.apart("feedforward", 1000, "no precision", "float64", options)
    assert row["case"] == "feedforward, 1000, no precision"
    assert "Error" in row["failed"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("case", "size", "steps"),
    [
        ("chunks", 20_000, 20),
        ("samples", 1300, 21),
        ("gradients", 20_000, 20),
        ("gradients, loop", 2_000, 20),
        ("cochlea", 428_635, 14),
    ],
)
@pytest.mark.crossed("the benchmarks at a tenth of their size", test=0, all=0)
def test_streams_meet_all_of_their_events(monkeypatch, case, size, steps):
    if case == "cochlea" and not streams.cochlea_file().is_file():
        pytest.skip("EVENTSIM_DATA has no recording of the cochlea")
    monkeypatch.setattr(streams, "CHUNK_EVENTS", 1000)
    monkeypatch.setattr(streams, "TENTHS", 2)  # each begins with a second of collecting garbage
    found = streams.CASES[case][0](size)
    assert found["steps"] == steps
    assert found.get("first_mb", -np.inf) <= found["most_mb"]
    assert found.get("spikes", 1) > 0


def test_chunks_of_a_stream_follow_each_other(monkeypatch):
    monkeypatch.setattr(streams, "CHUNK_EVENTS", 1000)
    ends = [0.0]
    for chunk in streams.Chunks(3):
        times, _ = chunk.sample(0)
        assert len(times) == 1000
        assert ends[-1] <= times[0] <= times[-1] < chunk.duration[0]
        ends.append(chunk.duration[0])
    assert np.diff(ends) == pytest.approx(1000 / (streams.N_INPUTS * streams.HZ) * 1e3)
