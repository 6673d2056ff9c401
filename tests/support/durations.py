"""What each test costs: tables by folder, file, function and kind, in ``build/durations.md``.

    python -m pytest -p tests.support.durations -n 2

A plugin of pytest. Columns, in seconds of the wall's clock of a worker:

``fixtures``   set-ups and tear-downs
``processes``  waiting for processes that a test started, other than compilers
``compiling``  waiting for C++ compilers and NVRTC
``calls``      the rest of the tests' own code
``all``        the sum of the four

``cpu`` are seconds of processors, of the worker and of its children that ended. On a machine that
does other work beside, they alone can be compared.
"""

import os
import resource
import subprocess
import time
from collections import defaultdict
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import pytest

COMPILERS = ("g++", "clang", "c++", "nvcc")
KINDS = ("calls", "fixtures", "processes", "compiling")
LONGEST = 60  # rows of a table
TO = Path("build/durations.md")


class Clock:
    """Seconds that this process has spent waiting, by kind; what is nested counts once."""

    def __init__(self):
        self.spent = dict.fromkeys(("processes", "compiling"), 0.0)
        self._busy = False

    @contextmanager
    def __call__(self, kind):
        if self._busy:
            yield
            return
        self._busy, begin = True, time.perf_counter()
        try:
            yield
        finally:
            self._busy = False
            self.spent[kind] += time.perf_counter() - begin

    def wrap(self, owner, name, kind_of):
        known = getattr(owner, name)

        @wraps(known)
        def timed(*args, **kwargs):
            with self(kind_of(*args, **kwargs)):
                return known(*args, **kwargs)

        setattr(owner, name, timed)


def kind_of_process(process, command=None, *_, **given):
    """Kind of a call of a method of ``Popen``, which knows its command as soon as it has begun."""
    command = getattr(process, "args", given.get("args", command)) or ()
    if isinstance(command, str | bytes | os.PathLike):
        command = os.fsdecode(command).split()
    name = Path(os.fsdecode(next(iter(command), ""))).name
    return "compiling" if name.startswith(COMPILERS) else "processes"


class Worker:
    """Measures the phases of tests in the process that runs them."""

    def __init__(self):
        self.clock, self.begin = Clock(), None
        for name in ("__init__", "wait", "communicate"):
            self.clock.wrap(subprocess.Popen, name, kind_of_process)
        self._watch_compilers()

    def _watch_compilers(self):
        from multiprocessing.process import BaseProcess

        self.clock.wrap(BaseProcess, "join", lambda *_, **__: "processes")
        try:
            from cupy_backends.cuda.libs import nvrtc
        except ImportError:
            return
        self.clock.wrap(nvrtc, "compileProgram", lambda *_, **__: "compiling")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        report.spent = {k: v - self.begin[k] for k, v in self._now().items()}
        self.begin = self._now()
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item, nextitem):
        self.begin = self._now()

    def _now(self):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = time.process_time() + children.ru_utime + children.ru_stime
        return self.clock.spent | {"cpu": cpu}


class Table:
    """Collects the reports of all workers, and writes the tables at the end."""

    def __init__(self):
        self.rows = defaultdict(lambda: defaultdict(float))
        self.begin = time.time()

    def pytest_runtest_logreport(self, report):
        row, spent = self.rows[report.nodeid], getattr(report, "spent", {})
        waited = spent.get("processes", 0.0) + spent.get("compiling", 0.0)
        row["calls" if report.when == "call" else "fixtures"] += max(report.duration - waited, 0.0)
        for kind, seconds in spent.items():
            row[kind] += seconds

    def pytest_sessionfinish(self, session):
        TO.parent.mkdir(exist_ok=True)
        cpu = sum(row["cpu"] for row in self.rows.values())
        parts = [
            "# What each test costs\n\n"
            f"{len(self.rows)} tests, {time.time() - self.begin:.0f} s by the wall's clock, "
            f"{cpu:.0f} s of processors. Seconds; the columns are described in "
            "tests/support/durations.py.\n"
        ]
        for title, of in GROUPS.items():
            parts.append(self._table(title, of))
        TO.write_text("\n".join(parts), "utf-8")

    def _table(self, title, of):
        groups = defaultdict(lambda: defaultdict(float))
        for nodeid, row in self.rows.items():
            group = groups[of(nodeid)]
            group["n"] += 1
            for kind, seconds in row.items():
                group[kind] += seconds
        ordered = sorted(groups.items(), key=lambda one: -_all(one[1]))
        head = f"| {title} | tests | all | {' | '.join(KINDS)} | cpu |"
        lines = [f"\n## By {title}\n", head, "|---" * 8 + "|"]
        for name, row in ordered[:LONGEST]:
            seconds = [_all(row), *(row[kind] for kind in KINDS), row["cpu"]]
            cells = [str(int(row["n"])), *(f"{value:.1f}" for value in seconds)]
            lines.append(f"| {name.replace('|', '/')} | {' | '.join(cells)} |")
        rest = [_all(row) for _, row in ordered[LONGEST:]]
        if rest:
            lines.append(f"| {len(rest)} others, together | | {sum(rest):.1f} | | | | | |")
        return "\n".join(lines) + "\n"


def _all(row):
    return sum(row[kind] for kind in KINDS)


def _folder(nodeid):
    parts = nodeid.partition("::")[0].split("/")
    return "/".join(parts[: 3 if parts[1:2] == ["unit"] else 2])


GROUPS = {
    "folder": _folder,
    "file": lambda nodeid: nodeid.partition("::")[0],
    "function": lambda nodeid: nodeid.partition("[")[0],
    "test": lambda nodeid: nodeid,
}


def pytest_configure(config):
    """Measure in the processes that run tests, write in that which started them."""
    is_worker = hasattr(config, "workerinput")
    if is_worker or not getattr(config.option, "numprocesses", None):
        config.pluginmanager.register(Worker(), "durations-worker")
    if not is_worker:
        config.pluginmanager.register(Table(), "durations-table")
