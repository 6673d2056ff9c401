"""The scripts for a device, run on the host build of the CUDA text at small sizes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gpu import small
from bench.gpu.kernels import recorded
from bench.gpu.nets import CASES
from bench.gpu.place import place
from eventsim.engine.cuda.device import kernel_source, signatures
from tests.support.simt import why_not

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture(scope="module")
def rows():
    """Lines of all scripts, by the name in ``bench``: each runs once, in a process of its own."""
    words = [sys.executable, "-m", "bench.gpu.run_all", "--host", "--json", "--repeats", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = {}
    for row in map(json.loads, done.stdout.splitlines()):
        found.setdefault(row["bench"], []).append(row)
    return found


ON_THE_HOST = pytest.mark.nightly("runs all benchmarks for a card; CI does where one was changed")


@ON_THE_HOST
def test_check_passes_on_the_host_build(rows):
    rows = rows["gpu-check"]
    learnt = ("convolution, maximum", "maximum", "last", "CTC")
    quiet = [f"{case}, silences" for case in ("dense", "sparse", "loop")]
    assert {(row["case"], row["precision"]) for row in rows} == {
        *((case, precision) for case in (*CASES, *learnt) for precision in ("single", "double")),
        *((case, "single") for case in quiet),
    }
    assert all(row["passed"] and row["spikes"] > 20 for row in rows)
    assert all(row["other_times"] == 0 for row in rows if row["precision"] == "single")
    assert {"commit", "card", "processor"} <= set(rows[0])


@ON_THE_HOST
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpu-w1", {"shared_forward", "shared_backward"}),
        ("gpu-shd", {"shared_forward", "shared_backward"}),
        ("gpu-linear", {"linear_forward", "linear_backward", "linear_queue"}),
    ],
)
def test_timings_run_on_the_host_build(name, expected, rows):
    whole, kernels = rows[name], rows[f"{name}-kernels"]
    assert whole
    assert all(row["hidden_spikes"] > 0 and row["forward_ne_per_s"] > 0 for row in whole)
    assert expected | {"readout_forward"} <= {row["kernel"] for row in kernels}
    assert all(row["launches"] >= 1 for row in kernels)


@pytest.mark.crossed("every kernel on the host build; spans are asked above", test=0)
@pytest.mark.parametrize("words", [[], ["--profile"]])
def test_program_for_tools_runs_on_the_host_build(words):
    assert small.main(["--host", *words]) == 0


@pytest.mark.thorough("counts launches of whole runs; the program runs in make test")
def test_program_for_tools_launches_every_kernel():
    with place(host=True) as where, recorded(where) as device:
        small.every_kernel(where)
    launched = {kernel for kernel, _, _ in device.spans}
    texts = kernel_source("single"), kernel_source("single", states=3)
    assert launched == {kernel for text in texts for kernel in signatures(text)}
