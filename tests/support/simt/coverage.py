"""Line coverage of the CUDA text, by gcov over the runs of ``runs.py``."""

import gzip
import json
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from eventsim.engine.cuda.device import kernel_source
from tests.support.simt import build
from tests.support.simt.exercise import run_apart
from tests.support.simt.runs import LINEAR_STATES


def why_not() -> str | None:
    """Why coverage cannot be measured here, or None."""
    if (reason := build.why_not()) is not None:
        return reason
    return None if shutil.which("gcov") else "gcov was not found; it comes with g++"


def covered_lines(folder: Path, precisions=("single", "double")) -> dict[str, dict[int, int]]:
    """How often every line of every file of the CUDA text ran, in all precisions together."""
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for precision in precisions:
        place = folder / precision
        _run(precision, place)
        for name, lines in _gcov(place).items():
            for line, count in lines.items():
                counts[name][line] += count
    return counts


def _run(precision, place):
    """Leave gcov's two files in ``place``."""
    place.mkdir()
    texts = [kernel_source(precision, adaptive) for adaptive in (False, True)]
    texts += [kernel_source("double", states=states) for states in LINEAR_STATES]
    for text in texts:
        library = build.library(text, "gcov")
        shutil.copy(library.parent / f"{library.parent.name}.gcno", place)
    # The counts go to the folder of the object file; take all of it off but the name.
    redirected = {"GCOV_PREFIX": str(place), "GCOV_PREFIX_STRIP": "99"}
    done = run_apart("gcov", 0, precision, environment=redirected)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])


def _gcov(place):
    units = [path.with_suffix(".gcda").name for path in place.glob("*.gcno")]
    subprocess.run(["gcov", "--json-format", *units], cwd=place, check=True, capture_output=True)
    reports = [json.loads(gzip.decompress(p.read_bytes())) for p in place.glob("*.gcov.json.gz")]
    lines: dict[str, dict[int, int]] = {}
    for file in (file for report in reports for file in report["files"]):
        own = lines.setdefault(file["file"], {})
        for line in file["lines"]:
            number = line["line_number"]
            # A template's line is listed once per instance.
            own[number] = own.get(number, 0) + line["count"]
    return lines
