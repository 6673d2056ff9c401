"""The fixed runs of ``exercise.py`` under sanitizers: no overrun, no undefined value, no race.

Each runs in a process of its own, in which Python itself is not instrumented.
"""

import subprocess
import sys

import pytest

from tests.support.simt import build, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

# Seeds permute threads and blocks; 0 leaves their order.
CASES = [
    ("asan", 0, "single"),
    ("asan", 5, "double"),
    ("tsan", 0, "single"),
    ("tsan", 3, "single"),
    ("tsan", 4, "double"),
]


@pytest.mark.parametrize(("flavour", "seed", "precision"), CASES)
def test_runs_are_clean(flavour, seed, precision):
    for each in ("single", "double"):  # sums by group are double in both
        build.library(each, flavour)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.simt.exercise", flavour, str(seed), precision],
        env=build.sanitized_environment(flavour),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
