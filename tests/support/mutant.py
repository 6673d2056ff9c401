"""A fault in a text of kernels, and what became of it."""

import signal
from dataclasses import dataclass
from typing import NamedTuple


class Mutant(NamedTuple):
    """One fault: in ``file`` stands ``new`` in place of ``old``, which occurs in it once.

    ``test`` is the one that finds it, as pytest knows it; "" where other detectors look.
    """

    file: str
    old: str
    new: str
    why: str
    test: str = ""


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


def read_faults(path) -> tuple[Mutant, ...]:
    """The faults of a file.

    Behind ``=== FILE`` come the faults of that file, one a paragraph: what is wrong then, lines
    with ``-`` that the file has once, and those with ``+`` that stand there instead. A line with
    ``@`` names the test that finds it.
    """
    found, file = [], ""
    for paragraph in path.read_text("utf-8").rstrip().split("\n\n"):
        if paragraph.startswith("=== "):
            file = paragraph.removeprefix("=== ")
            continue
        why, *lines = paragraph.split("\n")
        old, new, test = ("\n".join(one[1:] for one in lines if one[0] == sign) for sign in "-+@")
        found.append(Mutant(file, old, new, why, test))
    return tuple(found)


def stale(mutant, path) -> str | None:
    """Why the mutant does not fit the file at ``path``, its own, any more; or None."""
    n = path.read_text("utf-8").count(mutant.old) if path.exists() else 0
    return None if n == 1 else f"its text is {n} times in {mutant.file}, expected once"


def find(mutant, detector, evidence, unchanged) -> Verdict:
    """What was found; no find if the same detector finds something without the fault as well."""
    if unchanged is None:
        return Verdict(mutant, detector, evidence)
    return Verdict(mutant, None, f"{detector} finds something without a fault, too: {unchanged}")


def found_by(done) -> str | None:
    """What is wrong with a process of runs: what it printed, or what says most; or None."""
    if not done.returncode:
        return done.stdout.strip() or None
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return "it would not end"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    for sign in ("SUMMARY: ", "runtime error: "):
        for line in lines:
            if sign in line:
                return line.partition(sign)[2]
    return lines[-1] if lines else f"ended by signal {-done.returncode}"
