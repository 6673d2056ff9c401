"""Faults of the product's Python, where a wrong number would go without a word.

Gradients, losses, units, labels, statistics, import, resume, answers, explanations and tables of C.
Each fault names the test that finds it. The product stands once more in a folder of its own, with
the fault in it, and the test runs there. A detector has the name of the test.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.support.built import LEVEL
from tests.support.checkout import ROOT
from tests.support.mutant import Verdict, find, read_faults, stale

__all__ = ["CHOOSES_ALL", "MUTANTS", "expected_results", "judge", "path_of", "why_not"]

MUTANTS = read_faults(Path(__file__).with_suffix(".diff"))

CHOOSES_ALL = ("python",)
LIMIT = 600  # s, after which a test would never end


def why_not() -> None:
    """Python is there."""


def expected_results() -> None:
    """Tests know what they expect."""


def path_of(mutant) -> Path:
    """The file that has the fault."""
    return ROOT / mutant.file


def judge(mutant, expected) -> Verdict:
    """Let the test of a mutant look at it."""
    if (reason := stale(mutant, path_of(mutant))) is not None:
        return Verdict(mutant, None, reason)
    return by_test(mutant, fault=mutant)


def by_test(mutant, **product) -> Verdict:
    """Let its test look at the product as :func:`run_apart` changes it."""
    try:
        done = run_apart(mutant.test, **product)
    except subprocess.TimeoutExpired:
        return find(mutant, mutant.test, "it would not end", _unchanged(mutant.test))
    if done.returncode == 1:
        return find(mutant, mutant.test, _said(done), _unchanged(mutant.test))
    what = "its test finds nothing" if not done.returncode else f"no test ran: {_said(done)}"
    return Verdict(mutant, None, what)


@cache
def _unchanged(test) -> str | None:
    """What the test finds without a fault, which should be nothing."""
    done = run_apart(test)
    return _said(done) if done.returncode else None


def run_apart(test, fault=None, library=None) -> subprocess.CompletedProcess:
    """Run a test on a product of its own, with the fault in it, or that library of kernels."""
    with tempfile.TemporaryDirectory() as folder:
        product = Path(folder, "eventsim")
        # Where datasets are installed.
        for name, place in (("eventsim", product), ("datasets", product / "datasets")):
            shutil.copytree(ROOT / name, place, copy_function=os.symlink)
        if library is not None:
            # Which library is loaded follows from where its loader lies, behind all links.
            for file, other in ((library.name, library), ("../compiled/library.py", None)):
                own = product / "kernels" / file
                text = (other or own).read_bytes()
                own.unlink()
                own.write_bytes(text)
        if fault is not None:
            text = path_of(fault).read_text("utf-8").replace(fault.old, fault.new)
            file = Path(folder, fault.file)
            if fault.file.startswith("datasets/"):
                file = product / fault.file
            for old in (file, *(file.parent / "__pycache__").glob(f"{file.stem}.*")):
                old.unlink()
            file.write_text(text, "utf-8")
        # -P: the checkout, which has the tests, comes behind the folder.
        environment = {"PYTHONPATH": os.pathsep.join([folder, str(ROOT)])}
        if library is not None:
            environment["EVENTSIM_LEVEL"] = LEVEL  # that which has the fault
        command = ["-P", "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
        return subprocess.run(
            [sys.executable, *command, "-o", "pythonpath=", test],
            cwd=ROOT, env=os.environ | environment, timeout=LIMIT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip


def _said(done) -> str:
    """The line of pytest's summary that says most."""
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return (failed or lines or done.stderr.splitlines() or ["nothing"])[-1]
