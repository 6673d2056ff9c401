"""Faults of the CUDA text, and of the formulas that it shares with the CPU's.

Every mutant is built behind the SIMT stand-in. Detectors:

``bits``   the runs of ``tests/support/simt/runs.py`` against the cpu backend, as the tests do:
           spikes bit for bit, gradients within their tolerance; a stand-in's error is a find too
``order``  the same with permuted threads and blocks
``asan``   overruns and undefined behaviour
``tsan``   races, in two orders
"""

import tempfile
from functools import cache
from itertools import product
from pathlib import Path

from eventsim.engine.contract.registry import get_backend
from eventsim.engine.cuda import device
from tests.support.mutant import Verdict, find, found_by, read_faults, stale
from tests.support.simt import build, why_not
from tests.support.simt.exercise import results, run_apart, text_name, write
from tests.support.simt.runs import LINEAR_STATES

__all__ = ["CHOOSES_ALL", "MUTANTS", "expected_results", "judge", "path_of", "why_not"]

MUTANTS = read_faults(Path(__file__).with_suffix(".diff"))

PRECISION = "single"
TEXTS = [
    *((*key, 0) for key in product(("single", "double"), (False, True))),
    *(("double", False, states) for states in LINEAR_STATES),
]
EXPECTED = "expected.npz"
CHOOSES_ALL = ("device.py", "numbers.hpp", "prelude.cuh")
DETECTORS = (("bits", "quick", 0), ("order", "quick", 3), ("asan", "asan", 0), ("tsan", "tsan", 0),
             ("tsan", "tsan", 5))  # fmt: skip
LIMIT = {"quick": 60, "asan": 300, "tsan": 600}  # s of a processor: a run that would never end


@cache
def expected_results():
    """What all mutants are held against: in a folder, which goes with the process, and has builds.

    A text that does not have the fault is built there once.
    """
    folder = tempfile.TemporaryDirectory()
    write(Path(folder.name, EXPECTED), results(get_backend("cpu"), PRECISION))
    return folder


def path_of(mutant) -> Path:
    """The file that has the fault."""
    return device.path_of(mutant.file)


def mutated(mutant, *key) -> str:
    """The CUDA text of that ``key`` with the fault in it, if it has the file."""
    begin, text = f'#line 1 "{mutant.file}"\n', device.kernel_source(*key)
    if begin not in text:
        return text
    before, after = text.split(begin)
    own, line, rest = after.partition("\n#line ")
    return before + begin + own.replace(mutant.old, mutant.new) + line + rest


def judge(mutant, expected) -> Verdict:
    """Let the detectors look at a mutant until one finds it."""
    if (reason := stale(mutant, path_of(mutant))) is not None:
        return Verdict(mutant, None, reason)
    with tempfile.TemporaryDirectory(dir=expected.name) as folder:
        texts = Path(folder)
        for key in TEXTS:
            (texts / text_name(*key)).write_text(mutated(mutant, *key), "utf-8")
        try:
            for key in TEXTS:
                if key[0] == PRECISION or key[2]:
                    build.library(mutated(mutant, *key), "quick", folder=texts.parent)
        except RuntimeError as error:
            return Verdict(mutant, None, f"it does not compile: {error}")
        against = texts.parent / EXPECTED
        for detector, flavour, seed in DETECTORS:
            limit = LIMIT[flavour]
            done = run_apart(flavour, seed, PRECISION, texts=texts, against=against, limit=limit)
            if evidence := found_by(done):
                return find(mutant, detector, evidence, _unchanged(flavour, seed, expected.name))
    return Verdict(mutant, None, "no detector found it")


@cache
def _unchanged(flavour, seed, folder) -> str | None:
    """What that detector finds in the text without a fault, which should be nothing."""
    with tempfile.TemporaryDirectory(dir=folder) as texts:
        for key in TEXTS:
            Path(texts, text_name(*key)).write_text(device.kernel_source(*key), "utf-8")
        against, limit = Path(folder, EXPECTED), LIMIT[flavour]
        return found_by(
            run_apart(flavour, seed, PRECISION, texts=Path(texts), against=against, limit=limit)
        )
