"""The library of the CPU's kernels under sanitizers: no overrun, no undefined value, no race."""

import pytest

from tests.support.cpu_runs import PRECISIONS, all_results, first_difference, run_apart
from tests.support.sanitized import sanitized_library
from tests.support.simt import why_not

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.nightly("compiles a level, for a minute; CI does where a kernel changed"),
]


@pytest.fixture(scope="module")
def expected():
    return {precision: all_results(precision) for precision in PRECISIONS}


@pytest.mark.parametrize(("flavour", "threads"), [("asan", 1), ("tsan", 2)])
def test_runs_are_clean_and_give_the_same_bits(flavour, threads, expected, tmp_path):
    done = run_apart(sanitized_library(flavour), tmp_path, flavour=flavour, threads=threads)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert first_difference(tmp_path, expected) is None
