"""Faults of the CPU's kernels: what loops over samples, neurons and events, in ``kernels/cpu``.

The formulas' are among those of :mod:`tests.support.mutants_cuda`. Every mutant is built at one
level, and goes through the runs of :mod:`tests.support.cpu_runs`. Detectors:

``bits``   spikes bit for bit and gradients within their tolerance, in both precisions: as the tests
           hold this backend against the CUDA text behind its stand-in
``asan``   overruns and undefined behaviour
"""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from eventsim.kernels.build import KERNELS
from tests.support.built import build_library
from tests.support.cpu_runs import PRECISIONS, all_results, first_difference, run_apart
from tests.support.mutant import Verdict, read_faults, stale, summary
from tests.support.simt import why_not
from tests.support.simt.build import FLAVOURS

__all__ = ["IN_ALL_KERNELS", "MUTANTS", "expected_results", "judge", "path_of", "why_not"]

MUTANTS = read_faults(Path(__file__).with_suffix(".diff"))

# Files of which none has faults of its own; of those the formulas have theirs in the CUDA text.
IN_ALL_KERNELS = tuple(
    {path.name for path in KERNELS.rglob("*.?pp")} - {Path(each.file).name for each in MUTANTS}
    - {path.name for path in (KERNELS / "neuron").iterdir()} | {"backend.py", "build.py"}
)  # fmt: skip
PATIENCE = 300.0  # seconds, after which a run counts as one that would never end
QUICK = ("-O1",)  # behind the product's -O3, in whose place it comes


@cache
def expected_results():
    """What all mutants are held against, by precision."""
    return {precision: all_results(precision) for precision in PRECISIONS}


def path_of(mutant) -> Path:
    """The file that has the fault."""
    return KERNELS / mutant.file


def judge(mutant, expected) -> Verdict:
    """Let the detectors look at a mutant until one finds it."""
    if (reason := stale(mutant, path_of(mutant))) is not None:
        return Verdict(mutant, None, reason)
    with tempfile.TemporaryDirectory() as folder:
        kernels = Path(folder, "kernels")
        shutil.copytree(KERNELS, kernels, ignore=shutil.ignore_patterns("libeventsim.*"))
        text = path_of(mutant).read_text("utf-8").replace(mutant.old, mutant.new)
        (kernels / mutant.file).write_text(text, "utf-8")
        for detector, flavour in (("bits", "plain"), ("asan", "asan")):
            try:
                evidence = _look(Path(folder), kernels, flavour, expected)
            except RuntimeError as error:
                return Verdict(mutant, None, f"it does not compile: {error}")
            except subprocess.TimeoutExpired:
                evidence = f"still runs after {PATIENCE:.0f} s"
            if evidence is not None:
                return Verdict(mutant, detector, evidence)
    return Verdict(mutant, None, "no detector found it")


def _look(folder, kernels, flavour, expected):
    """What is wrong with the runs, or None."""
    options = QUICK if flavour == "plain" else FLAVOURS[flavour].kernels
    link = () if flavour == "plain" else FLAVOURS[flavour].link
    library = build_library(folder, "mutant", kernels=kernels, options=options, link=link)
    done = run_apart(library, folder, flavour=flavour, timeout=PATIENCE)
    return summary(done) if done.returncode else first_difference(folder, expected)
