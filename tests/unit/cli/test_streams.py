"""Commands whose streams nobody reads, that are asked to end, or may not write."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import eventsim as es
from eventsim.cli.terminal import refusal
from eventsim.train.checkpoint import save_network
from tests.support.nets import random_net, random_stream
from tests.unit.cli.conftest import TINY, call, done

BESIDE = Path(sys.executable).parent
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


PATIENCE = 120.0  # s
FOREVER = ("--epochs", "100000")


def started(*words):
    command = [sys.executable, "-m", "eventsim", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def asked_to_end(process, history):
    """What the command had to say after its first epoch."""
    end = time.monotonic() + PATIENCE
    while not history.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Stopped." in said or "stopped" in said


@pytest.mark.thorough("starts a command and waits for its first epoch")
def test_training_writes_its_checkpoint(tmp_path):
    out = tmp_path / "run"
    words = ("train", "yinyang", "--hidden", 8, "--backend", "cpu", *FOREVER, "--out", out)
    asked_to_end(started(*words), out / "metrics.jsonl")
    assert (out / "checkpoint.npz").exists()
    assert not (out / "last.npz").exists()


@pytest.mark.thorough("starts a command and waits for its first epoch")
def test_workers_of_an_experiment_leave_too(tmp_path):
    out = tmp_path / "out"
    words = ("experiment", "bip", "--data", "yinyang", "--condition", "none", "--seeds", 1)
    process, run = started(*words, *FOREVER, "--out", out), out / "none" / "seed-0"
    asked_to_end(process, run / "metrics.jsonl")
    worker = int((run / ".lock").read_text().split()[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert (run / "checkpoint.npz").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EROFS, "Read-only file system", "r"), "r: Read-only file system. Name a"),
        (OSError(errno.ENOSPC, "No space left on device", "r"), "r: No space left on device."),
        (OSError("no cache folder"), "no cache folder."),
    ],
)
def test_what_the_system_refuses_is_a_sentence_that_names_the_place(error, said):
    assert refusal(error).startswith(said)
    assert "Errno" not in refusal(error)


@pytest.mark.thorough("trains for seconds")
def test_report_that_cannot_be_written_leaves_a_network_that_is_saved(
    digits, tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "index.html")

    with monkeypatch.context() as patch:
        patch.setattr("eventsim.report.write.write_report", refuse)
        outcome = call("train", digits, *TINY, "--out", "r")
    assert outcome.code == 2
    said = " ".join(outcome.err.split())
    assert "the network is trained and saved" in said
    assert "index.html: Read-only file system. Name a place" in said
    done("train", "--resume", "--out", "r")
    assert (tmp_path / "r" / "index.html").exists()


# Sends the process an interrupt where a module is looked for, in whatever it is imported by.
INTERRUPTING = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background of a shell


class Interrupting:
    def find_spec(self, name, *_):
        if name == {moment!r}:
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Interrupting())
"""
MOMENTS = (
    "eventsim.cli.app",
    "numpy",
    "eventsim.engine",
    "typer",
    "eventsim.cli.train",
    "pydantic",
)


@pytest.mark.crossed("a process each", all=1)
@pytest.mark.parametrize(
    "way", [("-m", "eventsim"), (BESIDE / "eventsim",)], ids=("module", "script")
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupt_of_a_command_that_has_not_begun_is_a_line(moment, way, tmp_path):
    """``pydantic`` is imported when the commands are put together, behind all else."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING.format(moment=moment))
    ran = subprocess.run(
        [sys.executable, *way, "data", "list"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "Stopped.\n")
