"""A real cochlea's recording, straight from its file, runs in less time than it lasts."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets import aer

FILE = "nas_cochlea/enun_stereo_64ch_ONOFF_addr4b_ts1.aedat"
MS_PER_S = 1000.0


@pytest.fixture(scope="module")
def recording():
    """428,635 events of two ears with 64 channels each, 13.7 s."""
    path = Path(os.environ.get("EVENTSIM_DATA", "")) / FILE
    if not path.is_file():
        pytest.skip(f"EVENTSIM_DATA has no {FILE}")
    stream, _ = aer.load(path, sensor="nas_64_stereo", by=("ear", "channel"))
    return stream


@pytest.fixture(scope="module")
def net():
    return es.scsr(128, (64, 64), 10)


@pytest.fixture(scope="module")
def whole(net, recording):
    """Tape of the whole recording, and the seconds it took."""
    moment = es.EventStream([1.0], [0], [0, 1], n_channels=128, duration=2.0)
    es.simulate(net, moment, backend="cpu")  # compiles
    began = time.perf_counter()
    tape = es.simulate(net, recording, backend="cpu")
    return tape, time.perf_counter() - began


@pytest.mark.thorough("a recording of 428,635 events")
def test_recording_runs_in_less_time_than_it_lasts(whole, recording):
    tape, seconds = whole
    assert (recording.n_events, recording.duration[0]) == (428_635, 13_742.0)
    assert tape.synaptic_events["input->hidden1"] == 428_635 * 64
    assert min(len(tape[name]) for name in tape.names) > 10_000
    assert seconds < recording.duration[0] / MS_PER_S


@pytest.mark.thorough("a recording of 428,635 events")
def test_recording_in_chunks_of_100_ms_has_the_spikes_of_the_whole(whole, net, recording):
    tape, _ = whole
    parts = list(es.simulate_chunks(net, recording.chunks(100.0), backend="cpu"))
    assert len(parts) == 138
    for name in tape.names:
        for field in ("times", "neurons"):
            joined = np.concatenate([getattr(part[name], field) for part in parts])
            np.testing.assert_array_equal(joined, getattr(tape[name], field))
