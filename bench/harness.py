"""The only timer: warm-up, repeats, one JSON line per case with commit and machine.

The first call, which loads kernels, is a number of its own. Machines are shared: compare numbers of
one run, and quote the minimum beside the median. Programs that are compared run
in turn, on one thread, by the CPU time of the process (:func:`in_turn`). A device works while the
host goes on: with its clock every measured call ends when the device has ended, and the time
between two of its own events is told beside the wall's.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console

from bench.table import WIDTH, table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated calls; ``device_*`` between events on the device, where there is one."""

    first: float
    minimum: float
    median: float
    maximum: float
    device_minimum: float | None = None
    device_median: float | None = None


class Clock(Protocol):
    """Of a device that works while the host goes on."""

    def wait(self) -> None:
        """Until the device has done all it was given."""

    def mark(self) -> Any:
        """An event among the device's work."""

    def seconds(self, begin: Any, end: Any) -> float:
        """Between two events that have passed."""


def timed(
    call: Callable[[], Any], *, repeats: int = 9, warm_up: int = 2, clock: Clock | None = None
) -> Timing:
    """Time ``call`` after its first call and ``warm_up`` more."""
    first, _ = _once(call, clock)
    for _ in range(warm_up):
        call()
    both = [_once(call, clock) for _ in range(repeats)]
    wall, device = [w for w, _ in both], [d for _, d in both if d is not None]
    on_device = (min(device), float(np.median(device))) if device else ()
    return Timing(first, min(wall), float(np.median(wall)), max(wall), *on_device)


def in_turn(
    calls: Mapping[str, Callable[[], Any]], *, repeats: int = 9, warm_up: int = 1
) -> dict[str, Timing]:
    """CPU seconds of the process of several calls that take turns, on one thread."""
    from eventsim.processors import n_threads, set_threads

    before = n_threads()
    set_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(1 + warm_up + repeats):
        for name, call in calls.items():
            began = time.process_time()
            call()
            seconds[name].append(time.process_time() - began)
    set_threads(before)
    kept = {name: found[1 + warm_up :] for name, found in seconds.items()}
    return {
        name: Timing(seconds[name][0], min(found), float(np.median(found)), max(found))
        for name, found in kept.items()
    }


def _once(call: Callable[[], Any], clock: Clock | None) -> tuple[float, float | None]:
    """Seconds of one call, by the wall's clock and by the device's."""
    if clock is None:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began, None
    clock.wait()
    began, begin = time.perf_counter(), clock.mark()
    call()
    end = clock.mark()
    clock.wait()
    return time.perf_counter() - began, clock.seconds(begin, end)


def machine() -> dict[str, Any]:
    """What a number must carry: commit, processor, cores, versions."""
    import eventsim
    from eventsim.processors import n_threads

    return {
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": _processor(),
        "threads": n_threads(),
        "python": platform.python_version(),
        "eventsim": eventsim.__version__,
    }


def _commit() -> str:
    """Of the tree, and whether anything but results differs from it: those come as a bench runs."""
    others = ("--untracked-files=no", "--", ":/", ":(exclude,top)bench/results")
    dirty = "-dirty" if _git("status", "--porcelain", *others) else ""
    return _git("describe", "--always", "--abbrev=12") + dirty


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def parser(description: str, *, repeats: int = 9) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON lines only")
    parser.add_argument(
        "--save", metavar="NAME", help="append the lines to bench/results/NAME.jsonl"
    )
    parser.add_argument("--repeats", type=int, default=repeats)
    return parser


def arguments(description: str) -> argparse.Namespace:
    """As :func:`parser`, read from the command line."""
    return parser(description).parse_args()


def report(
    rows: Iterable[dict[str, Any]],
    options: argparse.Namespace,
    *,
    device: Mapping[str, Any] | None = None,
    first: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Print rows as they come, and append them to a file if asked: a run that ends keeps its rows.

    Rows are JSON lines, or one table per benchmark at the end; before it rows of an iterator are
    told on standard error, each when it is there.

    Parameters
    ----------
    device
        What a number must carry besides :func:`machine`.
    first
        Columns of the table that come first. Those that do not fit are named below it.

    Returns
    -------
    list[dict[str, Any]]
        The rows.
    """
    stamp, found = machine() | dict(device or {}), list[dict[str, Any]]()
    for row in rows:
        found.append(row)
        if options.save:
            save([row], options.save, stamp)
        if options.json:
            print(json.dumps(stamp | row), flush=True)
        elif not isinstance(rows, Sequence):
            print(told(row), file=sys.stderr, flush=True)
    if not options.json:
        console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
        for bench in dict.fromkeys(row["bench"] for row in found):
            mine = [row for row in found if row["bench"] == bench]
            console.print(table(bench, mine, first=first, width=console.width))
        console.print(stamp)
    return found


def told(row: Mapping[str, Any]) -> str:
    """A row in one line."""
    parts = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in row.items()
        if name != "bench" and value is not None
    )
    return f"{row['bench']}: {', '.join(parts)}"


def save(rows: list[dict[str, Any]], name: str, stamp: Mapping[str, Any] | None = None) -> None:
    """Append rows to bench/results/NAME.jsonl, each with :func:`machine` or another ``stamp``."""
    stamp = machine() if stamp is None else stamp
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{name}.jsonl", "a") as file:
        file.write("".join(json.dumps({**stamp, **row}) + "\n" for row in rows))
