"""The runs of ``runs.py`` under sanitizers: no overrun, no undefined value, no race.

Each runs in a process of its own, in which Python itself is not instrumented.
"""

import pytest

from tests.support.simt import why_not
from tests.support.simt.exercise import run_apart

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

SECONDS = pytest.mark.thorough("compiles with a sanitizer, and runs for half a minute")
RACES = pytest.mark.nightly("a minute; CI looks for races wherever a kernel was changed")
AGAIN = pytest.mark.nightly("the other precision of a text that differs in a type alone")
# Seeds permute threads and blocks; 0 leaves their order.
CASES = [
    pytest.param("asan", 5, "double", marks=SECONDS),
    pytest.param("tsan", 3, "single", marks=RACES),
    pytest.param("asan", 0, "single", marks=AGAIN),
    pytest.param("tsan", 4, "double", marks=AGAIN),
]


@pytest.mark.parametrize(("flavour", "seed", "precision"), CASES)
def test_runs_are_clean(flavour, seed, precision):
    done = run_apart(flavour, seed, precision)
    assert (done.returncode, done.stderr) == (0, "")
