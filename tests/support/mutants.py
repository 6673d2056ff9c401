"""Faults that were put into the kernels on purpose, one at a time; the tests must find each.

    python -m tests.support.mutants [WORD...]

builds every mutant behind the SIMT stand-in and lets detectors look at it, the cheap ones first,
until one finds it:

``bits``   the runs of ``tests/support/simt/runs.py`` against the cpu backend, as the tests do:
           spikes bit for bit, gradients within their tolerance; a stand-in's error is a find too
``order``  the same with permuted threads and blocks
``asan``   overruns and undefined behaviour
``tsan``   races, in two orders

Words choose the mutants whose file, or reason, has one of them; a file that is part of all kernels
chooses all. The exit status is 1 if a mutant survives, if its text is no longer in the kernels
exactly once, or if a word chooses none.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eventsim.engine.cuda import device
from eventsim.engine.registry import get_backend
from tests.support.mutant_table import MUTANTS, Mutant
from tests.support.simt import build, why_not
from tests.support.simt.exercise import differences, read, results, run_apart, text_name

PRECISION = "single"
IN_ALL_KERNELS = ("device.py", "numbers.hpp", "prelude.cuh")
PATIENCE = 600.0  # seconds, after which a run counts as one that would never end

DETECTORS = (("bits", "plain", 0), ("order", "plain", 3), ("asan", "asan", 0), ("tsan", "tsan", 0),
             ("tsan", "tsan", 5))  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Which detector found a mutant, and by what; ``detector`` is None for a survivor."""

    mutant: Mutant
    detector: str | None
    evidence: str

    @property
    def good(self) -> bool:
        """Whether it was found."""
        return self.detector is not None


def stale(mutant: Mutant) -> str | None:
    """Why the mutant does not fit the kernels any more, or None."""
    path = device.path_of(mutant.file)
    n = path.read_text("utf-8").count(mutant.old) if path.exists() else 0
    return None if n == 1 else f"its text is {n} times in {mutant.file}, expected once"


def mutated(mutant: Mutant, precision, *, adaptive=False) -> str:
    """The CUDA text with the fault in it, if it has the file."""
    begin, text = f'#line 1 "{mutant.file}"\n', device.kernel_source(precision, adaptive)
    if begin not in text:
        return text
    before, after = text.split(begin)
    own, line, rest = after.partition("\n#line ")
    return before + begin + own.replace(mutant.old, mutant.new) + line + rest


def judge(mutant: Mutant, expected) -> Verdict:
    """Let the detectors look at a mutant until one finds it."""
    if (reason := stale(mutant)) is not None:
        return Verdict(mutant, None, reason)
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder)
        for precision, adaptive in product(("single", "double"), (False, True)):
            text = mutated(mutant, precision, adaptive=adaptive)
            (texts / text_name(precision, adaptive)).write_text(text, "utf-8")
        try:
            for adaptive in (False, True):
                build.library(mutated(mutant, PRECISION, adaptive=adaptive), folder=texts)
        except RuntimeError as error:
            return Verdict(mutant, None, f"it does not compile: {error}")
        for detector, flavour, seed in DETECTORS:
            evidence = _look(texts, flavour, seed, expected)
            if evidence is not None:
                return Verdict(mutant, detector, evidence)
    return Verdict(mutant, None, "no detector found it")


def _look(texts, flavour, seed, expected):
    """What is wrong with the kernels in a folder, or None."""
    file = texts / "found.npz"
    try:
        done = run_apart(flavour, seed, PRECISION, texts=texts, to=file, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"still runs after {PATIENCE:.0f} s"
    if done.returncode:
        return _summary(done)
    wrong = differences(read(file), expected, PRECISION)
    return wrong[0] if wrong else None


def _summary(done):
    """The line of a failed run that says most."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    for sign in ("SUMMARY: ", "runtime error: "):
        for line in lines:
            if sign in line:
                return line.partition(sign)[2]
    return lines[-1] if lines else f"ended by signal {-done.returncode}"


def chosen(word) -> list[Mutant]:
    """The mutants that one word of the command line names."""
    return [m for m in MUTANTS if word in IN_ALL_KERNELS or word in m.file + m.why]


def main(words) -> int:
    """Judge all mutants, or those that the words choose, and print what became of them."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    if (reason := why_not()) is not None:
        console.print(reason)
        return 1
    by_word = {word: chosen(word) for word in words}
    if empty := [word for word, mutants in by_word.items() if not mutants]:
        console.print(f"No mutant's file or reason has {', '.join(empty)}.", style="red")
        return 1
    some = [m for m in MUTANTS if not words or any(m in own for own in by_word.values())]
    expected = results(get_backend("cpu"), PRECISION)
    verdicts = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for verdict in pool.map(lambda mutant: judge(mutant, expected), some):
            verdicts.append(verdict)
            if not verdict.good:
                console.print(f"survived: {verdict.mutant.why} ({verdict.evidence})", style="red")
    console.print(_table(verdicts))
    found = sum(verdict.good for verdict in verdicts)
    console.print(f"{found} of {len(verdicts)} mutants found")
    return 0 if found == len(verdicts) else 1


def _table(verdicts):
    table = Table("", "file", "fault", "found by", "evidence", title="Mutants of the kernels")
    for number, verdict in enumerate(verdicts, start=1):
        table.add_row(
            str(number),
            verdict.mutant.file,
            verdict.mutant.why,
            verdict.detector or "nobody",
            verdict.evidence[:160],
            style=None if verdict.good else "red",
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
