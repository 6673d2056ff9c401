"""The runs of ``runs.py`` go through the lines of the kernels."""

import pytest

from eventsim.engine.cuda import device
from tests.support.simt import coverage

LEAST = 0.95

pytestmark = pytest.mark.skipif(coverage.why_not() is not None, reason=str(coverage.why_not()))


@pytest.mark.nightly("compiles the text again, to count its lines; CI does where a kernel changed")
def test_runs_cover_the_lines_of_the_kernels(tmp_path):
    counts = coverage.covered_lines(tmp_path)
    texts = {*device.FORMULAS, *device.SOURCES, *device.LINEAR_FORMULAS, *device.LINEAR_SOURCES}
    kernels = {name: lines for name, lines in counts.items() if name in texts}
    n_lines = sum(len(lines) for lines in kernels.values())
    missed = [
        f"{name}:{line}"
        for name, lines in kernels.items()
        for line, count in sorted(lines.items())
        if count == 0
    ]
    share = 1.0 - len(missed) / n_lines
    print(f"{n_lines} lines, {100.0 * share:.2f} % run; not run: {missed}")
    assert len(kernels) > 4
    assert share >= LEAST, f"{100.0 * share:.1f} % of {n_lines} lines ran, not these: {missed}"
