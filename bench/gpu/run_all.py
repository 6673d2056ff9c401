"""Correctness, then every timing on a device: ``python -m bench.gpu.run_all``.

Lines are appended to bench/results/gpu-CARD.jsonl, CARD being the name of the card. ``--json`` and
``--repeats`` are passed on. If spikes or gradients are wrong, no timing follows.
"""

import subprocess
import sys

from bench.gpu.place import facts_of, options_of, results_of

SCRIPTS = ("check", "w1", "shd", "linear")


def main(words: list[str] | None = None) -> int:
    """Each script in a process of its own; the first that fails ends it with its status."""
    words = sys.argv[1:] if words is None else words
    options = options_of(__doc__.splitlines()[0]).parse_args(words)
    passed = list(words)
    facts = facts_of(host=options.host)
    # Timings of the host build mean nothing and are not kept unless a name is given.
    if not options.save and not options.host:
        passed += ["--save", results_of(facts)]
    for name in SCRIPTS:
        status = subprocess.run(
            [sys.executable, "-m", f"bench.gpu.{name}", *passed], check=False
        ).returncode
        if status:
            print(f"bench.gpu.{name} ended with status {status}.", file=sys.stderr)
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
