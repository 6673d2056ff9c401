"""Processes that read hostile files, watched from outside.

A worker lives for many cases. It tells, for each, what came out and the most memory that it held;
who waits for it kills it when it takes too long or too much.
"""

import multiprocessing
import os
import resource
import tempfile
import time
import traceback
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# s of a processor, of one case: the wall's clock tells what else the machine does. Networks run on
# the reference too, which is plain Python: a loop takes it some ten seconds to run away.
PATIENCE, PATIENCE_WITH_REFERENCE = 20.0, 120.0
WAITS = 20.0  # as many times as long by the wall's clock: who waits for ever takes no processor
MOST_BYTES = 1 << 30  # above what the process held before
ADDRESSES = 6 << 30  # bytes of address space above those at the start: an array beyond fails
LONGEST_MESSAGE = 20_000  # characters
BAD = ("crash", "hang", "memory", "traceback")


@dataclass(frozen=True)
class Case:
    """One case; all of it follows from these three."""

    kind: str
    number: int
    seed: int

    def rng(self):
        """Its own generator."""
        return np.random.default_rng([self.seed, zlib.crc32(self.kind.encode()), self.number])

    def __str__(self):
        return f"{self.kind}:{self.number}"


@dataclass(frozen=True)
class Outcome:
    """What came of a case: accepted, refused, or one of ``BAD``."""

    case: Case
    what: str
    detail: str = ""
    seconds: float = 0.0


class Worker:
    """A process of its own that takes one case at a time."""

    def __init__(self, target, arguments, patience):
        self._target, self._arguments, self._patience = target, arguments, patience
        self._start()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=self._target, args=(theirs, *self._arguments))
        self._process.daemon = True
        self._process.start()
        theirs.close()
        self._pipe.recv()  # ready

    def begin(self, case):
        """Hand over a case."""
        self.case, self._began = case, time.monotonic()
        self._busy = busy_seconds(self._process.pid)
        self._floor = resident(self._process.pid)
        self._pipe.send(case)

    def outcome(self):
        """What came of it, or None if it is not there yet."""
        seconds = time.monotonic() - self._began
        try:
            if self._pipe.poll(0.005):
                what, detail = self._pipe.recv()
                return Outcome(self.case, what, detail, seconds)
        except EOFError:
            self._process.join()
            return self._replaced("crash", f"exit code {self._process.exitcode}", seconds)
        if resident(self._process.pid) > self._floor + 2 * MOST_BYTES:
            return self._replaced("memory", "killed", seconds)
        busy = busy_seconds(self._process.pid) - self._busy
        if busy > self._patience or seconds > WAITS * self._patience:
            return self._replaced("hang", f"{busy:.0f} s of a processor", seconds)
        return None

    def _replaced(self, what, detail, seconds):
        self.end()
        self._start()
        return Outcome(self.case, what, detail, seconds)

    def end(self):
        """Kill the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def run_cases(workers, cases, told):
    """Run all cases on the workers; ``told`` is called with every outcome."""
    waiting, busy = iter(cases), set()
    idle = list(workers)
    while True:
        while idle:
            case = next(waiting, None)
            if case is None:
                break
            worker = idle.pop()
            worker.begin(case)
            busy.add(worker)
        if not busy:
            return
        for worker in list(busy):
            outcome = worker.outcome()
            if outcome is not None:
                told(outcome)
                busy.remove(worker)
                idle.append(worker)


def serve(pipe, attempt):
    """In the worker: take cases until the other end is closed."""
    limit_addresses()
    pipe.send("ready")
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        pipe.send(judged(attempt, case))


def judged(attempt, case):
    """(what, detail) of a case that came back."""
    from eventsim.errors import EventSimError

    floor = peak(reset=True)
    try:
        what, detail = "accepted", attempt(case) or ""
    except EventSimError as error:
        what, detail = "refused", f"{type(error).__name__}: {error}"
        try:
            detail.encode()
        except UnicodeError:
            what = "traceback"
        if len(detail) > LONGEST_MESSAGE:
            what, detail = "traceback", f"a message of {len(detail)} characters: {detail[:200]}"
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
        what, detail = "traceback", f"{type(error).__name__}: {str(error)[:300]} [{where}]"
    used = peak() - floor
    if used > MOST_BYTES and what != "traceback":
        what, detail = "memory", f"{used >> 20} MB; {detail[:300]}"
    return what, detail[:2000]


def limit_addresses():
    """Let arrays of many gigabytes fail at once, as they do on a small machine."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (now + ADDRESSES, hard))


def resident(pid):
    """Bytes that a process holds now; 0 if it has gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def busy_seconds(pid):
    """Seconds of processors that a process and its children that ended have taken."""
    try:
        behind_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return 0.0
    return sum(map(int, behind_name.split()[11:15])) / os.sysconf("SC_CLK_TCK")


def peak(*, reset=False):
    """Most bytes that this process has held, since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def read_files(pipe, pristine):
    """A worker that damages and reads files; ``pristine`` holds a whole one of every kind."""
    home = Path(tempfile.mkdtemp(prefix="hostile-"))
    os.environ.pop("EVENTSIM_DATA", None)
    os.chdir(home)
    from eventsim.datasets import cache, guarded
    from eventsim.datasets.formats import format_of
    from eventsim.errors import DataError, EventSimError
    from tests.support.hostile.kinds import KINDS, mutate, restore

    cache.cache_folder = lambda: home / "cache"
    guarded.SECONDS = 5  # in place of 60, for which nobody waits here

    places = {}

    def attempt(case):
        kind = KINDS[case.kind]
        source = Path(pristine) / case.kind
        relative = (source / "PATH").read_text()
        folder = home / case.kind
        if case.kind not in places:
            restore(folder, source)
            places[case.kind] = (folder / relative, (folder / relative).read_bytes())
        path, whole = places[case.kind]
        mutate(kind, path, whole, case.rng())
        try:
            with suppress(DataError):
                format_of(path)
            kind.use(path)
        except EventSimError as error:
            if kind.named and path.name not in str(error):
                raise AssertionError(f"the file is not named: {error}") from error
            raise
        finally:
            if kind.name in ("run.json", "result.json", "metrics"):
                restore(folder, source)

    serve(pipe, attempt)
