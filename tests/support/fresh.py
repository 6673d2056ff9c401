"""Programs in a process of Python of their own."""

import subprocess
import sys
import time


def said(code, *words, **options):
    """What a program prints, with words on its command line; it must not fail or warn."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, **options
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout


def loaded(code, names, **options):
    """What a program prints, and then which of some modules it has loaded.

    What NumPy loads by itself does not count: NumPy 1 brings numpy.ma and numpy.random.
    """
    code = (
        f"import sys, numpy\nbefore = set(sys.modules)\n{code}\n"
        f"print([name for name in {list(names)} if name in sys.modules and name not in before])"
    )
    return said(code, **options)


def until(value, seconds=10.0):
    """What a function gives, once that is something; fails after some seconds."""
    end = time.monotonic() + seconds
    while not (found := value()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.01)
    return found
