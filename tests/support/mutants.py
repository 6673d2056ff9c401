"""Faults that were put into the product on purpose, one at a time; the tests must find each.

    python -m tests.support.mutants [WORD...]

builds every mutant and lets detectors look at it, the cheap ones first, until one finds it:
:mod:`tests.support.mutants_cuda` has those of the CUDA text and the formulas,
:mod:`tests.support.mutants_cpu` those of the CPU's, :mod:`tests.support.mutants_python` those of
the host, whose detectors are tests.

Words choose the mutants whose file, or reason, has one of them; a file that is part of all kernels
chooses all of its text, ``python`` all of the host. The exit status is 1 if a mutant survives, if
its text is no longer in its file exactly once, or if a word chooses none.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from tests.support import mutants_cpu, mutants_cuda, mutants_python

TEXTS = (mutants_cuda, mutants_cpu, mutants_python)


def chosen(text, word) -> list:
    """The mutants of a text that one word of the command line names."""
    return [m for m in text.MUTANTS if word in text.CHOOSES_ALL or word in m.file + m.why]


def main(words) -> int:
    """Judge all mutants, or those that the words choose, and print what became of them."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    empty = [word for word in words if not any(chosen(text, word) for text in TEXTS)]
    if empty:
        console.print(f"No mutant's file or reason has {', '.join(empty)}.", style="red")
        return 1
    verdicts = []
    for text in TEXTS:
        named = [mutant for word in words for mutant in chosen(text, word)]
        some = [mutant for mutant in text.MUTANTS if not words or mutant in named]
        if some and (reason := text.why_not()) is not None:
            console.print(reason)
            return 1
        expected = text.expected_results() if some else None
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for verdict in pool.map(lambda mutant: text.judge(mutant, expected), some):  # noqa: B023
                verdicts.append(verdict)
                style = None if verdict.good else "red"
                console.print(_line(verdict), style=style, markup=False, soft_wrap=True)
    found = sum(verdict.good for verdict in verdicts)
    console.print(f"{found} of {len(verdicts)} mutants found")
    return 0 if found == len(verdicts) else 1


def _line(verdict):
    who = verdict.detector or "nobody"
    return f"{verdict.mutant.file}: {verdict.mutant.why}: found by {who}: {verdict.evidence[:160]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
