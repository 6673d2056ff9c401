"""A command that is asked to end, or may not write, says so, and leaves what it has done."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from eventsim.cli.terminal import refusal
from tests.unit.cli.conftest import TINY, call, done

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
