"""What ``make durations`` counts as compiling: ``tests/support/durations.py``."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.durations import Clock, kind_of_process


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["/usr/bin/g++-13", "-O2"], "compiling"),
        ("clang++ -c a.cpp", "compiling"),
        (b"nvcc a.cu", "compiling"),
        (Path("/opt/bin/c++"), "compiling"),
        ([Path(sys.executable), "-c", "pass"], "processes"),
        (Path(sys.executable), "processes"),
        ("", "processes"),
        ([], "processes"),
    ],
)
def test_command_is_known_in_each_form_that_popen_takes(command, kind):
    new = object.__new__(subprocess.Popen)
    assert kind_of_process(new, command, -1) == kind
    assert kind_of_process(new, args=command) == kind
    new.args = command
    assert kind_of_process(new, None, 5.0) == kind
    assert kind_of_process(new, timeout=5.0) == kind


def test_a_wrapped_call_takes_its_arguments_by_name():
    class Sleeper:
        def begin(self, args):
            return args

    clock = Clock()
    clock.wrap(Sleeper, "begin", kind_of_process)
    assert Sleeper().begin(args=["g++"]) == ["g++"]
    assert clock.spent["compiling"] > clock.spent["processes"] == 0
