"""The library of the CPU's kernels under sanitizers: no overrun, no undefined value, no race."""

import pytest

from tests.support.cpu_runs import run_apart, write_results
from tests.support.sanitized import sanitized_library
from tests.support.simt import why_not

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.nightly("compiles a level, for a minute; CI does where a kernel changed"),
]


@pytest.mark.parametrize(("flavour", "threads"), [("asan", 1), ("tsan", 2)])
def test_runs_are_clean_and_give_the_same_bits(flavour, threads, tmp_path):
    write_results(tmp_path)
    done = run_apart(sanitized_library(flavour), tmp_path, flavour=flavour, threads=threads)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
