"""Faults of the CPU's kernels, in ``kernels/cpu``, and of formulas of linear neurons.

Faults of all other formulas are in :mod:`tests.support.mutants_cuda`. Kernels that a mutant's file
is part of are built at one level, and take the place of the product's; the library goes through
the runs of :mod:`tests.support.cpu_runs`. Detectors:

``single``, ``double``   spikes bit for bit and gradients within their tolerance, in that precision:
                         as the tests hold this backend against the CUDA text behind its stand-in
``threads``              as those two, on three threads, which share whatever can be shared
``asan``                 overruns and undefined behaviour

Or the test that a fault names.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from eventsim.kernels.build import KERNELS
from tests.support import mutants_python
from tests.support.built import build_changed, product_objects
from tests.support.cpu_runs import PRECISIONS, run_apart, write_results
from tests.support.mutant import Verdict, find, found_by, read_faults, stale
from tests.support.simt import why_not
from tests.support.simt.build import FLAVOURS

__all__ = ["CHOOSES_ALL", "MUTANTS", "expected_results", "judge", "path_of", "why_not"]

MUTANTS = read_faults(Path(__file__).with_suffix(".diff"))

# Files of which none has faults of its own; of those the formulas have theirs in the CUDA text.
CHOOSES_ALL = tuple(
    {path.name for path in KERNELS.rglob("*.?pp")} - {Path(each.file).name for each in MUTANTS}
    - {path.name for path in (KERNELS / "neuron").iterdir()} | {"backend.py", "build.py"}
)  # fmt: skip
REALS = ("float", "double")
DETECTORS = (
    ("single", "plain", REALS[:1], PRECISIONS[:1], 1),
    ("double", "plain", REALS[1:], PRECISIONS[1:], 1),
    ("threads", "plain", REALS, PRECISIONS, 3),
    ("asan", "asan", REALS, PRECISIONS, 1),
)
LIMIT = {"plain": 30, "asan": 300}  # seconds of a processor, after which a run would never end
QUICK = ("-O1",)  # behind the product's -O3, in whose place it comes


@cache
def expected_results():
    """What all mutants are held against: a folder, which goes with the process."""
    product_objects()  # once, in front of all threads
    folder = tempfile.TemporaryDirectory()
    write_results(Path(folder.name))
    return folder


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
        if mutant.test:
            try:
                library = build_changed(
                    Path(folder), kernels, kernels / mutant.file, REALS, options=QUICK
                )
            except RuntimeError as error:
                return Verdict(mutant, None, f"it does not compile: {error}")
            return mutants_python.by_test(mutant, library=library)
        for detector, flavour, types, precisions, threads in DETECTORS:
            options = QUICK if flavour == "plain" else FLAVOURS[flavour].kernels
            try:
                library = build_changed(
                    Path(folder),
                    kernels,
                    kernels / mutant.file,
                    types,
                    options=options,
                    link=FLAVOURS[flavour].link,
                )
            except RuntimeError as error:
                return Verdict(mutant, None, f"it does not compile: {error}")
            done = run_apart(
                library,
                expected.name,
                flavour=flavour,
                threads=threads,
                precisions=precisions,
                limit=LIMIT[flavour],
            )
            if evidence := found_by(done):
                unchanged = _unchanged(flavour, precisions, threads, expected.name)
                return find(mutant, detector, evidence, unchanged)
    return Verdict(mutant, None, "no detector found it")


@cache
def _unchanged(flavour, precisions, threads, folder) -> str | None:
    """What is found in the product's objects without a fault, which should be nothing."""
    with tempfile.TemporaryDirectory() as own:
        none, link = KERNELS / "none.hpp", FLAVOURS[flavour].link
        library = build_changed(Path(own), KERNELS, none, (), link=link)
        done = run_apart(
            library, folder, flavour=flavour, threads=threads, precisions=precisions,
            limit=LIMIT[flavour],
        )  # fmt: skip
        return found_by(done)
