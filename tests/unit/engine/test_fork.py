"""Processes that are forked after kernels ran: an error that says what to do, and no waiting."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
    import multiprocessing
    import sys
    import eventsim as es
    from tests.support.nets import random_net, random_stream

    def run(seed):
        tape = es.simulate(random_net(1), random_stream(seed), backend="cpu")
        return len(tape["hidden1"])

    if __name__ == "__main__":
        method, first = sys.argv[1:]
        if first == "run":
            run(0)
        with multiprocessing.get_context(method).Pool(1) as pool:
            try:
                print("spikes", pool.map(run, [1]))
            except es.errors.BackendError as error:
                print("refused", error)
"""


@pytest.mark.crossed("starts processes that simulate", test=0)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    ("method", "first", "expected"),
    [
        ("fork", "run", r"refused Backend 'cpu': .*get_context('spawn')"),
        ("spawn", "run", "spikes ["),
        ("fork", "not", "spikes ["),
    ],
)
def test_process_after_a_run_works_or_is_told_what_to_do(method, first, expected, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, str(program), method, first],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_THREADING_LAYER": "omp"},
    )
    start, _, rest = expected.partition(".*")
    assert done.stdout.startswith(start), done.stderr
    assert rest in done.stdout
