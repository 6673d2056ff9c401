"""The command; see :mod:`tests.support.hostile`."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from tests.support.hostile.kinds import KINDS
from tests.support.hostile.networks import SHAPES
from tests.support.hostile.networks import run_networks as use_networks
from tests.support.hostile.worker import (
    BAD,
    PATIENCE,
    PATIENCE_WITH_REFERENCE,
    Case,
    Worker,
    read_files,
    run_cases,
)


def make_all(names, folder):
    """A whole file of every kind, each in a folder of its own."""
    for name in names:
        home = folder / name
        home.mkdir(parents=True)
        path = KINDS[name].make(home)
        KINDS[name].use(path)  # a whole file is accepted
        (home / "PATH").write_text(str(path.relative_to(home)))


def cases_of(names, n, seed, first=0):
    """``n`` cases, kind by kind in turn."""
    return [Case(names[k % len(names)], first + k // len(names), seed) for k in range(n)]


def run_files(cases, told, *, jobs=2):
    """Run cases of files; ``told`` is called with every outcome."""
    names = list(dict.fromkeys(case.kind for case in cases))
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        make_all(names, Path(folder))
        _run(read_files, (folder,), cases, told, jobs, PATIENCE)


def run_networks(cases, told, *, jobs=2):
    """As :func:`run_files`, of networks."""
    _run(use_networks, (), cases, told, jobs, PATIENCE_WITH_REFERENCE)


def _run(target, arguments, cases, told, jobs, patience):
    workers = [Worker(target, arguments, patience) for _ in range(min(jobs, len(cases)))]
    try:
        run_cases(workers, cases, told)
    finally:
        for worker in workers:
            worker.end()


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.support.hostile", description=__doc__)
    parser.add_argument("--files", type=int, default=5000, help="cases; 0 for none")
    parser.add_argument("--networks", type=int, default=2000, help="cases; 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case of a kind")
    parser.add_argument("--kind", action="append", choices=[*KINDS, *SHAPES], default=[])
    parser.add_argument("--only", choices=("files", "networks"))
    parser.add_argument("--case", action="append", metavar="KIND:NUMBER", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="tell the outcome of every case")
    return parser.parse_args()


def _chosen(given):
    """Cases of files and of networks."""
    if given.case:
        pairs = [text.rsplit(":", 1) for text in given.case]
        cases = [Case(kind, int(number), given.seed) for kind, number in pairs]
        return [c for c in cases if c.kind in KINDS], [c for c in cases if c.kind in SHAPES]
    found = []
    for what, names, n in (("files", KINDS, given.files), ("networks", SHAPES, given.networks)):
        wanted = [name for name in names if not given.kind or name in given.kind]
        n = 0 if given.only not in (None, what) or not wanted else n
        found.append(cases_of(wanted, n, given.seed, given.first))
    return found


def main():
    """Run what was asked for; the exit status is 1 if a case failed."""
    given, width = _arguments(), None if sys.stdout.isatty() else 200
    console, counts, failed = Console(highlight=False, width=width), Counter(), []
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def told(outcome):
            counts[outcome.case.kind, outcome.what] += 1
            progress.advance(progress.task_ids[-1])
            if outcome.what in BAD:
                failed.append(outcome)
            if outcome.what in BAD or given.verbose or given.case:
                text = f"{outcome.what}  {outcome.case}  {outcome.seconds:.1f} s  {outcome.detail}"
                console.print(text, markup=False, soft_wrap=True)

        for what, run, cases in zip(
            ("files", "networks"), (run_files, run_networks), _chosen(given), strict=True
        ):
            progress.add_task(what, total=len(cases))
            if cases:
                run(cases, told, jobs=given.jobs)
    table = Table("kind", "accepted", "refused", *BAD)
    for kind in dict.fromkeys(kind for kind, _ in counts):
        table.add_row(kind, *(str(counts[kind, what]) for what in ("accepted", "refused", *BAD)))
    console.print(table)
    console.print(f"{counts.total()} cases, {len(failed)} failed, seed {given.seed}.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
