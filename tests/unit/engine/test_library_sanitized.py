"""The library of the CPU's kernels under sanitizers: no overrun, no undefined value, no race."""

import pytest

from eventsim.engine.cpu import CpuBackend
from eventsim.plan import make_plan
from tests.support.sanitized import record, run_apart
from tests.support.simt import why_not
from tests.support.simt.exercise import results
from tests.support.simt.runs import RUNS

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.nightly("compiles a level, for a minute; CI does where a kernel changed"),
]


def has_loops(run):
    """Whether a stage is one of loops, which have no kernel in the library."""
    return any(stage.lateral for stage in make_plan(run.net()).stages)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("flavour", ["asan", "tsan"])
def test_calls_are_clean_and_give_the_same_bits(flavour, precision, tmp_path):
    layers = {name: run for name, run in RUNS.items() if not has_loops(run)}
    calls = record(lambda: results(CpuBackend(), precision, layers))
    assert len(calls) > 30
    done = run_apart(flavour, calls, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
