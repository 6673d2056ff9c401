"""Is there an access out of bounds, a race, an uninitialised read or a divergent barrier.

Method   compute-sanitizer over ``python -m bench.gpu.small``: memcheck (with leaks off: a process
         ends with its pool), racecheck (shared memory), initcheck and synccheck.
Answer   see results/gpu-*.jsonl; ``errors`` must be 0 for all four.
"""

import re
import subprocess
import sys
from typing import Any

from bench.gpu import tools
from bench.gpu.place import facts_of, options_of
from bench.harness import report

# The sanitizer takes over the program's status, except where it finds something.
FOUND = 86
CHECKS = ("memcheck", "racecheck", "initcheck", "synccheck")
OPTIONS = {"racecheck": ["--racecheck-report", "all"]}
_SUMMARY = re.compile(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)")
SHOWN = 40  # lines of a report


def sanitize(tool: str, check: str, program: list[str]) -> dict[str, Any]:
    """Run the program under one of the checks."""
    words = [tool, "--tool", check, *OPTIONS.get(check, []), "--error-exitcode", str(FOUND)]
    done = subprocess.run(
        [*words, *program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    summary = _SUMMARY.findall(done.stdout)
    if done.returncode or not summary:
        print("\n".join(done.stdout.splitlines()[-SHOWN:]), file=sys.stderr)
    return {
        "bench": "gpu-sanitize",
        "check": check,
        "status": done.returncode,
        "errors": int(summary[-1]) if summary else None,
    }


def main(words: list[str] | None = None) -> int:
    """Exit status: 0 clean, 1 something was found, 2 no device or no tool."""
    options = options_of(__doc__.splitlines()[0]).parse_args(words)
    facts = facts_of(host=options.host)
    tool = tools.find("compute-sanitizer", package="cuda-sanitizer")
    program = [sys.executable, "-m", "bench.gpu.small", *(["--host"] if options.host else [])]
    rows = report((sanitize(tool, check, program) for check in CHECKS), options, device=facts)
    return int(any(row["status"] or row["errors"] != 0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
