"""A command that is asked to end (SIGTERM) leaves as after Ctrl-C, and leaves nobody behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

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
