"""The runs of ``runs.py`` under sanitizers: no overrun, no undefined value, no race.

Each runs in a process of its own, in which Python itself is not instrumented.
"""

import pytest

from tests.support.simt import why_not
from tests.support.simt.exercise import run_apart

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.nightly("half a minute each; CI does where a kernel changed"),
]

# Seeds permute threads and blocks; 0 leaves their order.
CASES = [
    ("asan", 5, "double"),
    ("tsan", 3, "single"),
    ("asan", 0, "single"),
    ("tsan", 4, "double"),
]


@pytest.mark.parametrize(("flavour", "seed", "precision"), CASES)
def test_runs_are_clean(flavour, seed, precision):
    done = run_apart(flavour, seed, precision)
    assert (done.returncode, done.stderr) == (0, "")
