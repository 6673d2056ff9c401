"""Runs the rows of ``rows.toml`` in an empty folder, and collects what they show."""

import os
import re
import resource
import shutil
import subprocess
import time
import tomllib
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.support.ledger import data
from tests.support.ledger.reading import Reader

HERE = Path(__file__).parent
PATIENCE = 120.0  # s for a command
LAST = 160  # characters of the last words of a command that failed


def table():
    return tomllib.loads((HERE / "rows.toml").read_text())


def selected(rows, names):
    """The named rows and those that they need, in the order of the table; all without a name."""
    wanted = set(names or rows)
    if unknown := wanted - set(rows):
        raise SystemExit(f"No such row: {', '.join(sorted(unknown))}. Rows: {', '.join(rows)}.")
    order = list(rows)
    for place in reversed(range(len(order))):  # a row needs earlier ones alone
        text = rows[order[place]] if order[place] in wanted else ""
        for name in order[:place]:
            made = re.findall(r"--out (\S+)", rows[name])
            if any(re.search(rf"(?<!\S){re.escape(out)}(?![\w.])", text) for out in made):
                wanted.add(name)
    return [name for name in rows if name in wanted]


def environment(python, folder):
    """Nothing of the caller's, so that any shell writes the same."""
    home = folder / "home"
    return {
        "PATH": f"{Path(python).absolute().parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "EVENTSIM_CACHE": str(home / "cache"),
        "EVENTSIM_DATA": str(home / "none"),
        "MPLCONFIGDIR": str(HERE.parents[2] / "build" / "matplotlib"),
        **{"COLUMNS": "200", "LC_ALL": "C.UTF-8", "TZ": "UTC", "NO_COLOR": "1"},
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def write(python, folder: Path, names=(), told=print):
    """The ledger of those rows: for each its command, how it ended, and its numbers."""
    spec = table()
    rows, found = spec["rows"], {}
    folder = folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "home").mkdir(parents=True)
    data.make(folder)
    env = environment(python, folder)
    for name in selected(rows, names):
        begin = cpu_seconds(), time.monotonic()
        found[name] = run(rows[name], spec["leave_out"], folder, env)
        seconds = cpu_seconds() - begin[0], time.monotonic() - begin[1]
        told(f"{name:24} {seconds[0]:5.1f} CPU s {seconds[1]:5.1f} s  {found[name]['state']}")
    return {"format": 1, "rows": found}


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(row, leave_out, folder, env):
    """One row: its commands one after the other, then every file that they wrote."""
    reader, before = Reader(leave_out, folder), written(folder, leave_out)
    state = "done"
    for label, line in labelled(row):
        command, both, _ = line.removeprefix("! ").partition(" [--json]")
        for kind in ("", " --json") if both else ("",):
            code, out, errors = call(command + kind, folder, env)
            source = f"{'json' if kind else 'terminal'} {label}"
            reader.values(source, {"exit": code})
            reader.output(source, out)
            reader.text(f"errors {label}", errors)
            if bool(code) != line.startswith("! "):
                state = "gone" if "No such command" in errors else "failed"
                state += f": {' '.join((errors or out).split())[-LAST:]}"
    for path, stamp in written(folder, leave_out).items():
        if before.get(path) != stamp:
            reader.file(str(path.relative_to(folder)), path)
    return {"run": row.strip(), "state": state, **asdict(reader.found)}


def labelled(row):
    """Each line, and its command: a line more does not move the numbers of the others."""
    seen = Counter()
    for line in row.strip().splitlines():
        words = [word for word in line.split() if word not in ("!", "eventsim", "script", "data")]
        seen[words[0]] += 1
        yield words[0] + (f" {seen[words[0]]}" if seen[words[0]] > 1 else ""), line


def call(command, folder, env):
    script = f'script() {{ python "{HERE}/scripts.py" "$@"; }}'
    try:
        ended = subprocess.run(
            ["bash", "-c", f"{script}; {command}"], cwd=folder, env=env, capture_output=True,
            timeout=PATIENCE, text=True, errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, "", f"stopped after {PATIENCE:.0f} s"
    return ended.returncode, ended.stdout, ended.stderr


def written(folder, leave_out):
    """Files of the folder, with what changes when they are written again."""
    unread = leave_out["files"]
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(path.relative_to(folder).match(glob) for glob in unread)
        and "home" not in path.relative_to(folder).parts[:1]
    }  # fmt: skip
