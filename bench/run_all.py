"""Run every benchmark: ``python -m bench.run_all [--json] [--save]``."""

import subprocess
import sys

BENCHES = ("w1", "w2", "windows", "filling", "scaling", "large")


def main() -> None:
    """Each in a process of its own; ``--save`` appends to bench/results."""
    save = "--save" in sys.argv
    passed = [word for word in sys.argv[1:] if word != "--save"]
    for name in BENCHES:
        words = [sys.executable, "-m", f"bench.macro.{name}", *passed]
        subprocess.run([*words, *(["--save", name] if save else [])], check=True)


if __name__ == "__main__":
    main()
