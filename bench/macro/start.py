"""What a process spends before it computes: imports, the first run, the command line.

Method   each case in a new process of Python, in turn with the others: user and system time of the
         process, the least of all repeats, with what Python compiles kept on disk. The network is
         trained for one epoch on yinyang before, and the first run is of ten of its recordings.
Answer   results/start.jsonl.
"""

import os
import sys
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from typing import Any

import eventsim as es
from bench.harness import arguments, report

SIMULATE = (
    "import eventsim as es\n"
    "net, stream = es.Network.load('run/last.npz'), es.EventStream.load('ten.npz')\n"
    "es.simulate(net, stream, backend='cpu')"
)
RUN = (
    "import eventsim as es\n"
    "net, stream = es.load_run('run').net, es.EventStream.load('ten.npz')\n"
    "es.simulate(net, stream, backend='cpu')"
)
CASES = {
    "python": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import eventsim": ["-c", "import eventsim"],
    "first simulate": ["-c", SIMULATE],
    "first simulate of a run": ["-c", RUN],
    "eventsim --help": ["-m", "eventsim", "--help"],
    "eventsim train --help": ["-m", "eventsim", "train", "--help"],
    "eventsim evaluate": ["-m", "eventsim", "evaluate", "run", "--json"],
}


def prepare(folder: Path) -> None:
    """A trained network, and recordings for it."""
    spent(["-m", "eventsim", "train", "yinyang", "--epochs", "1", "--out", "run"], folder)
    es.datasets.load("yinyang", split="test").subset(range(10)).stream.save(folder / "ten.npz")


def spent(words: list[str], folder: Path) -> float:
    """CPU seconds of a new process, which must succeed."""
    kept = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    process = Popen([sys.executable, *words], cwd=folder, env=kept, stdout=DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} left with {process.returncode}.")
    return usage.ru_utime + usage.ru_stime


def rows(repeats: int) -> list[dict[str, Any]]:
    """One for each case."""
    with TemporaryDirectory() as name:
        prepare(Path(name))
        found: dict[str, list[float]] = {case: [] for case in CASES}
        for _ in range(1 + repeats):
            for case, words in CASES.items():
                found[case].append(spent(words, Path(name)))
    return [
        {"bench": "start", "case": case, "cpu_s": min(seconds[1:])}
        for case, seconds in found.items()
    ]


if __name__ == "__main__":
    options = arguments(__doc__.splitlines()[0])
    report(rows(options.repeats), options)
