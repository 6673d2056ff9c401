"""A command whose standard output or error nobody reads, as in ``eventsim ... | head -1``."""

import os
import subprocess
import sys

import pytest

import eventsim as es
from eventsim.train.checkpoint import save_network
from tests.support.nets import random_net, random_stream

COMMANDS = (("--version",), ("--help",), ("data", "list"), ("data", "list", "--json"))
OTHERS = pytest.mark.nightly("a process each; the other of these two tests has the command")


def others(commands):
    return [pytest.param(words, marks=OTHERS) for words in commands]


def run(*words, close=()):
    """The finished process; ``close`` are file descriptors that it does not get, as by ``>&-``."""
    shut = " ".join(f"{descriptor}>&-" for descriptor in close)
    line = f'exec "$0" -m eventsim "$@" {shut}'
    return subprocess.run(
        ("sh", "-c", line, sys.executable, *words), capture_output=True, text=True, check=False
    )


@pytest.mark.crossed("a process each", test=0)
@pytest.mark.parametrize("words", [*COMMANDS[1::2], *others(COMMANDS[::2])], ids=" ".join)
def test_command_whose_reader_has_gone_ends_quietly(words):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            (sys.executable, "-m", "eventsim", *words),
            stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.crossed("a process each; no command knows what is closed", test=0, all=1)
@pytest.mark.parametrize("words", [*COMMANDS[::2], *others(COMMANDS[1::2])], ids=" ".join)
@pytest.mark.parametrize("close", [(1,), (0, 1, 2)], ids=str)
def test_command_without_a_standard_output_does_its_work(words, close):
    done = run(*words, close=close)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.thorough("two processes")
def test_mistake_without_standard_error_has_its_exit_code():
    assert run("evaluate", "nowhere", close=(1, 2)).returncode == 2
    assert "nowhere" in run("evaluate", "nowhere", close=(1,)).stderr


def test_file_is_written_whole_without_standard_streams(tmp_path):
    net, events, out = (tmp_path / f"{name}.npz" for name in ("net", "events", "tape"))
    save_network(net, random_net(1))
    random_stream(2).save(events)
    words = ("simulate", net, events, "--backend", "reference", "--out", out)
    assert run(*words, close=(0, 1, 2)).returncode == 0
    tape = es.SpikeTape.load(out)
    expected = es.simulate(random_net(1), random_stream(2), backend="reference")
    assert {name: len(tape[name]) for name in tape.names} == {
        name: len(expected[name]) for name in expected.names
    }
