"""The scripts for a device, run on the host build of the CUDA text at small sizes."""

import json

import pytest

from bench.gpu import check, run_all, shd, small, w1
from bench.gpu.kernels import recorded
from bench.gpu.nets import CASES
from bench.gpu.place import place
from eventsim.engine.cuda.device import kernel_source, signatures
from tests.support.simt import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


def lines_of(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
def test_check_passes_on_the_host_build(capsys):
    assert check.main(["--host", "--json"]) == 0
    rows = lines_of(capsys)
    learnt = ("convolution, maximum", "maximum", "last", "CTC")
    quiet = [f"{case}, silences" for case in ("dense", "sparse", "loop")]
    assert {(row["case"], row["precision"]) for row in rows} == {
        *((case, precision) for case in (*CASES, *learnt) for precision in ("single", "double")),
        *((case, "single") for case in quiet),
    }
    assert all(row["passed"] and row["spikes"] > 20 for row in rows)
    assert all(row["other_times"] == 0 for row in rows if row["precision"] == "single")
    assert {"commit", "card", "processor"} <= set(rows[0])


@pytest.mark.parametrize(("script", "name"), [(w1, "gpu-w1"), (shd, "gpu-shd")])
def test_timings_run_on_the_host_build(script, name, capsys):
    assert script.main(["--host", "--json", "--repeats", "1"]) == 0
    rows = lines_of(capsys)
    whole = [row for row in rows if row["bench"] == name]
    kernels = [row for row in rows if row["bench"] == f"{name}-kernels"]
    assert whole
    assert all(row["hidden_spikes"] > 0 and row["forward_ne_per_s"] > 0 for row in whole)
    assert {"shared_forward", "shared_backward", "readout_forward"} <= {
        row["kernel"] for row in kernels
    }
    assert all(row["launches"] >= 1 for row in kernels)


def test_all_of_it_runs_on_the_host_build(capfd):
    assert run_all.main(["--host", "--json", "--repeats", "1"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {"gpu-check", "gpu-w1", "gpu-shd"} <= {row["bench"] for row in rows}


@pytest.mark.parametrize("words", [[], ["--profile"]])
def test_program_for_tools_runs_on_the_host_build(words):
    assert small.main(["--host", *words]) == 0


def test_program_for_tools_launches_every_kernel():
    with place(host=True) as where, recorded(where) as device:
        small.every_kernel(where)
    launched = {kernel for kernel, _, _ in device.spans}
    assert launched == set(signatures(kernel_source("single")))
