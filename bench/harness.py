"""The only timer: warm-up, repeats, one JSON line per case with commit and machine.

The first call, which compiles or loads kernels, is a number of its own. Machines are shared:
compare numbers of one run, and quote the minimum beside the median. Programs that are compared run
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
WIDE = 11  # columns of a table
PIPE_WIDTH = 120  # characters, where there is no terminal


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
    """CPU seconds of the process of several calls that take turns, on one thread of Numba."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(1 + warm_up + repeats):
        for name, call in calls.items():
            began = time.process_time()
            call()
            seconds[name].append(time.process_time() - began)
    numba.set_num_threads(before)
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
    import numba

    import eventsim

    return {
        "commit": _git("describe", "--always", "--dirty", "--abbrev=12"),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": _processor(),
        "threads": numba.get_num_threads(),
        "python": platform.python_version(),
        "numba": numba.__version__,
        "eventsim": eventsim.__version__,
    }


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
    rows: list[dict[str, Any]],
    options: argparse.Namespace,
    *,
    device: Mapping[str, Any] | None = None,
) -> None:
    """Print rows as a table or as JSON lines, and append them to a file if asked.

    ``device`` is what a number must carry besides :func:`machine`.
    """
    stamp = machine() | dict(device or {})
    lines = [json.dumps(stamp | row) for row in rows]
    if options.json:
        print("\n".join(lines))
    else:
        console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
        for bench in dict.fromkeys(row["bench"] for row in rows):
            console.print(_table(bench, [row for row in rows if row["bench"] == bench]))
        console.print(stamp)
    if options.save:
        save(rows, options.save, device=device)


def save(rows: list[dict[str, Any]], name: str, *, device: Mapping[str, Any] | None = None) -> None:
    """Append rows to bench/results/NAME.jsonl, each with what :func:`report` adds."""
    stamp = machine() | dict(device or {})
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{name}.jsonl", "a") as file:
        file.write("".join(json.dumps(stamp | row) + "\n" for row in rows))


def _table(bench: str, rows: list[dict[str, Any]]) -> Table:
    """A case per line, or, where that would be too wide, a number per line."""
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "bench"]
    lines = [names, *([_show(row.get(name)) for name in names] for row in rows)]
    if len(names) > WIDE and len(rows) <= WIDE:
        lines = [list(line) for line in zip(*lines, strict=True)]
    table = Table(title=bench, title_justify="left")
    for head in lines[0]:
        table.add_column(head, overflow="fold")
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _show(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
