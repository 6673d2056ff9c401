"""Runs pytest at every level of the CPU's kernels that this machine has.

``python -m tests.support.levels ARGUMENTS OF PYTEST``. The exit status is 1 if a test failed.
"""

import os
import subprocess
import sys

from eventsim.compiled.library import Library, library_file


def levels_here():
    """Levels that the library has and the processor runs, from the least."""
    library = Library(library_file())
    return [level for level in library.built if level in library.runs]


def main(arguments):
    """Whether tests failed."""
    failed = []
    for level in levels_here():
        print(f"level {level}", flush=True)
        command = (sys.executable, "-m", "pytest", "-q", *arguments)
        environment = os.environ | {"EVENTSIM_LEVEL": level}
        if subprocess.run(command, env=environment, check=False).returncode:
            failed.append(level)
    print(f"failed at: {', '.join(failed) or 'no level'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
