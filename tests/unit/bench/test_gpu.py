"""The scripts for a device: what they do without one, and what they make of what tools say."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from bench.gpu import (
    check,
    extra,
    linear,
    place,
    run_all,
    sanitize,
    shd,
    small,
    tools,
    w1,
)
from bench.gpu import profile as ncu
from bench.gpu.nets import CASES, scsr_net, stream_of, with_silences
from bench.harness import timed
from eventsim.engine.contract import registry
from eventsim.engine.cuda import probe

ROOT = Path(check.__file__).parents[2]
NOTHING = probe.Obstacle("no-device", "there is no CUDA device", "Run: nvidia-smi -L.")


@pytest.fixture
def no_device(monkeypatch):
    monkeypatch.setattr(registry, "_cuda", lambda: (None, NOTHING))
    registry._load.cache_clear()


@pytest.mark.parametrize("script", [check, w1, shd, linear, small, place])
def test_script_without_a_device_says_why_and_ends_with_status_2(script, no_device, capsys):
    with pytest.raises(SystemExit) as end:
        script.main([])
    assert end.value.code == 2
    assert "there is no CUDA device" in capsys.readouterr().err


@pytest.mark.parametrize("script", [run_all, sanitize, ncu])
def test_script_that_runs_others_asks_for_the_device_in_a_child(script, monkeypatch, capfd):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(registry, "_cuda", lambda: pytest.fail("the card was asked from here"))
    with pytest.raises(SystemExit) as end:
        script.main([])
    assert end.value.code == 2
    assert "Backend 'cuda' cannot run here" in capfd.readouterr().err


def test_facts_of_a_place_come_from_a_child():
    assert place.facts_of(host=True) == {"card": "host"}


def test_nets_of_the_check_fire_enough_for_a_hundred_thousand_spikes():
    stream = stream_of(2, 1000.0)
    for about in CASES.values():
        tape = es.simulate(scsr_net(128, **about), stream, backend="cpu", precision="single")
        assert 16 * sum(len(tape[name]) for name in tape.names) > check.LEAST_SPIKES


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("targets", [[".cuda"], [".dev", ".cuda"], [".cuda", ".dev"]])
def test_make_leaves_one_cupy_that_for_the_driver(targets, tmp_path):
    """The Makefile with a Python that only notes what it is asked."""
    python, log = tmp_path / "bin" / "python", tmp_path / "log"
    python.parent.mkdir()
    answer = 'case "$*" in *bench.gpu.extra) echo cuda12;; esac'
    python.write_text(f'#!/bin/sh\necho "$@" >> {log}\n{answer}\n')
    python.chmod(0o755)
    (tmp_path / ".created").touch()
    for target in targets:
        words = ["make", f"VENV={tmp_path}", str(tmp_path / target)]
        subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    # What was told to pip of CuPy, in order; dev brings the one for CUDA 13.
    cupy = [line for line in log.read_text().splitlines() if "cupy" in line or "-m pip" in line]
    assert "[demo,cuda12]" in cupy[-1]
    assert "uninstall" in cupy[-2]
    assert "cupy-cuda12x cupy-cuda13x" in cupy[-2]


def test_silences_of_the_check_lie_after_the_first_half_and_at_the_end():
    stream = stream_of(2, 100.0)
    quiet = with_silences(stream, 4000.0)
    assert quiet.duration.tolist() == [8100.0, 8100.0]
    for (times, channels), (later, there) in zip(stream, quiet, strict=True):
        assert (channels == there).all()
        assert (later == np.where(times < 50.0, times, times + 4000.0)).all()
        assert 0 < (later > 4000.0).sum() < later.size


def test_row_of_the_check_fails_for_each_thing_that_must_hold():
    row = {
        "precision": "single",
        "spikes": 200_000,
        "other_counts": 0,
        "worst_ms": 0.0,
        "gradient_error": 1e-6,
        "repeats_to_the_bit": True,
    }
    least = check.LEAST_SPIKES
    assert check.passed(row, least=least)
    for worse in (
        {"spikes": 99_999},
        {"other_counts": 1, "worst_ms": None},
        {"worst_ms": 1e-12},
        {"gradient_error": 1e-2},
        {"repeats_to_the_bit": False},
    ):
        assert not check.passed(row | worse, least=least)


def test_run_all_stops_at_the_first_script_that_fails(monkeypatch, capsys):
    called = []

    def run(words, **_):
        called.append(words[2:])
        return subprocess.CompletedProcess(words, 1 if "bench.gpu.w1" in words else 0)

    monkeypatch.setattr(run_all, "facts_of", lambda **_: FACTS)
    monkeypatch.setattr(run_all.subprocess, "run", run)
    assert run_all.main(["--repeats", "2"]) == 1
    passed = ["--repeats", "2", "--save", "gpu-nvidia-h100-80gb-hbm3"]
    assert called == [["bench.gpu.check", *passed], ["bench.gpu.w1", *passed]]
    assert "bench.gpu.w1 ended with status 1" in capsys.readouterr().err


FACTS = {"card": "NVIDIA H100 80GB HBM3"}


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the tool")
@pytest.mark.parametrize(("errors", "status"), [(0, 0), (3, 86)])
def test_sanitizer_is_run_once_per_check_and_its_errors_counted(
    errors, status, tmp_path, monkeypatch, capsys
):
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        f'echo "========= ERROR SUMMARY: {errors} errors"\nexit {status}\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(sanitize, "facts_of", lambda **_: FACTS)
    assert sanitize.main(["--json"]) == int(errors > 0)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["check"], row["errors"]) for row in rows] == [
        (check, errors) for check in ("memcheck", "racecheck", "initcheck", "synccheck")
    ]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[1].startswith("--tool racecheck --racecheck-report all --error-exitcode 86")
    assert calls[0].endswith("-m bench.gpu.small")


def test_tool_that_is_missing_is_named_with_its_package(monkeypatch, tmp_path, capsys):
    for name in ("PATH", "CUDA_PATH", "CUDA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(SystemExit) as end:
        tools.find("no-such-tool", package="some-package")
    assert end.value.code == 2
    assert "no-such-tool is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("driver", "expected"), [(None, ""), (12080, "cuda12"), (13000, "cuda13"), (13020, "cuda13")]
)
def test_extra_goes_by_the_driver(driver, expected):
    assert extra.extra(driver) == expected


def test_timing_with_a_clock_waits_for_the_device():
    class Slow:
        """A device that is done a tick after it was asked."""

        now, waits = 0.0, 0

        def wait(self):
            self.waits += 1

        def mark(self):
            self.now += 1.0
            return self.now

        def seconds(self, begin, end):
            return end - begin

    clock, calls = Slow(), []
    timing = timed(lambda: calls.append(1), repeats=3, warm_up=1, clock=clock)
    assert len(calls) == 5
    assert clock.waits == 2 * 4
    assert (timing.device_minimum, timing.device_median) == (1.0, 1.0)
    assert timed(lambda: None, repeats=1, warm_up=0).device_minimum is None


class Gradients:
    """Of one array."""

    def __init__(self, **arrays):
        self.arrays = {key: np.array(values) for key, values in arrays.items()}
        self.input_times = np.zeros(0)

    def flat(self):
        return self.arrays


def test_gradients_of_another_size_are_compared_relative_to_their_largest_entry():
    one, other = Gradients(weights=[1.0, 100.0]), Gradients(weights=[2.0, 100.0])
    assert check.compare_gradients(one, other, {}) == (0.01, "weights")


def test_sum_that_cancels_is_compared_relative_to_the_sizes_of_its_terms():
    one, other = Gradients(delays=1.0, weights=[1.0]), Gradients(delays=1.5, weights=[1.0])
    assert check.compare_gradients(one, other, {}) == (1 / 3, "delays")
    assert check.compare_gradients(one, other, {"delays": 50.0}) == (0.01, "delays")


def test_sizes_of_terms_are_those_of_the_gradients_by_delays_per_synapse():
    case = check.cases_of(host=True)["dense"]
    sizes = check.term_sizes(case)
    assert set(sizes) == {f"{name}.delays" for name in case.net.projections}
    found = check.run(case, "cpu", "double")[1].flat()
    # With one synapse there is one term.
    arrays = case.net.to_arrays()
    for key, size in sizes.items():
        assert abs(float(found[key])) <= size * (1.0 + 1e-12)
        projection = case.net.projections[key.removesuffix(".delays")]
        per_synapse = np.full(projection.values.shape, float(projection.delays))
        net = es.Network.from_arrays(arrays | {key: per_synapse})
        terms = check.run(check.Case(net, case.stream, case.loss), "cpu", "double")[1].flat()[key]
        assert np.abs(terms).sum() == pytest.approx(size, rel=1e-9)
        assert terms.sum() == pytest.approx(float(found[key]), abs=1e-9 * size)
    assert check.term_sizes(check.cases_of(host=True)["delays"]) == {}


@pytest.fixture
def three_cases(monkeypatch, host_cuda):
    """The check on the host build, whose second case raises and whose third differs."""
    cases = check.cases_of(host=True)
    chosen = {name: replace(cases[name], precisions=("single",)) for name in ("dense", "sparse")}
    monkeypatch.setattr(check, "cases_of", lambda **_: chosen | {"last": chosen["dense"]})
    real, asked = check.compared, []

    def compared(case, precision):
        asked.append(case)
        if len(asked) == 2:
            raise MemoryError("the card is full")
        return real(case, precision) | ({"other_counts": 1} if len(asked) == 3 else {})

    monkeypatch.setattr(check, "compared", compared)


def test_check_goes_on_after_a_case_that_fails_and_says_which(three_cases, capsys):
    assert check.main(["--host", "--json"]) == 1
    told = capsys.readouterr()
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [(row["case"], row["passed"]) for row in rows] == [
        ("dense", True), ("sparse", False), ("last", False),
    ]  # fmt: skip
    assert rows[1]["error"] == "MemoryError: the card is full"
    assert "FAILED: sparse, single: MemoryError: the card is full" in told.err
    assert "FAILED: last, single: is not as the cpu backend has it" in told.err
    assert told.err.endswith("1 of 3 passed.\n")


def test_check_tells_each_row_before_the_next_is_asked_for(three_cases, monkeypatch, capsys):
    rows = check.rows_of(place.Place(True, place.HostClock()))
    seen = []
    for row in rows:
        seen.append(row["case"])
        if len(seen) == 1:
            break
    assert seen == ["dense"]
    assert check.main(["--host"]) == 1
    err = capsys.readouterr().err
    assert err.index("gpu-check: case dense") < err.index("gpu-check: case sparse")
