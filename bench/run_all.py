"""Run the benchmarks of speed, one after the other: ``python -m bench.run_all [--json] [--save]``.

Those of :data:`BENCHES` need nothing but a checkout; programs that they compare with are left out
where they are not installed. Those of :data:`WITH_RECORDINGS` need recordings under EVENTSIM_DATA.
One that ends in an error does not keep the others from running.
"""

import os
import subprocess
import sys

BENCHES = (
    "w1",
    "w2",
    "readout",
    "cliffs",
    "balanced",
    "windows",
    "filling",
    "blocks",
    "scaling",
    "large",
    "start",
)
WITH_RECORDINGS = ("threads", "epoch")


def main() -> None:
    """Each in a process of its own; ``--save`` appends to bench/results."""
    save = "--save" in sys.argv
    passed = [word for word in sys.argv[1:] if word != "--save"]
    recordings = "EVENTSIM_DATA" in os.environ
    failed = []
    for name in (*BENCHES, *(WITH_RECORDINGS if recordings else ())):
        words = [sys.executable, "-m", f"bench.macro.{name}", *passed]
        if subprocess.run([*words, *(["--save", name] if save else [])], check=False).returncode:
            failed.append(name)
    if not recordings:
        print(f"left out, EVENTSIM_DATA is not set: {', '.join(WITH_RECORDINGS)}", file=sys.stderr)
    if failed:
        raise SystemExit(f"ended in an error: {', '.join(failed)}")


if __name__ == "__main__":
    main()
