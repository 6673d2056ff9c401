"""Microphone and camera, whose packages are stood in for; and what is recorded of a stream."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.encoders import CochleaEncoder, LiveCochlea
from eventsim.events import StoredStream
from eventsim.events.labelled import BEGINS
from eventsim.live import Packet, Size, WireForm, devices, open_source
from eventsim.live.gate import Gate, GateSettings
from eventsim.live.record import Recorder


class Device:
    """A context that gives what it was made with."""

    def __init__(self, *given):
        self.given, self.closed = given, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def __iter__(self):
        return iter(self.given)


@pytest.mark.parametrize(
    "audio",
    [None, AudioEncoding(CochleaEncoder(n_channels=8, gain=900.0, streaming=True), 8000.0)],
)
def test_microphone_gives_the_events_of_the_cochlea_and_counts_lost_blocks(monkeypatch, audio):
    wanted = audio or AudioEncoding(CochleaEncoder(n_channels=8), devices.RATE)
    size = round(wanted.sample_rate / 100)
    blocks = np.random.default_rng(0).standard_normal((40, size)).astype(np.float32)
    made = []

    def stream(**asked):
        assert (asked["samplerate"], asked["blocksize"]) == (wanted.sample_rate, size)
        for k, block in enumerate(blocks):
            asked["callback"](block[:, None], size, None, "overflow" if k == 3 else None)
        made.append(Device())
        return made[0]

    sound = SimpleNamespace(InputStream=stream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", sound)
    source = open_source("microphone", n_channels=8, form=WireForm(audio=audio))
    packets = [next(source) for _ in range(40)]
    times, channels = LiveCochlea(wanted.encoder, wanted.sample_rate)(blocks.ravel())
    np.testing.assert_array_equal(np.concatenate([p.times for p in packets]), times)
    np.testing.assert_array_equal(np.concatenate([p.channels for p in packets]), channels)
    assert packets[-1].until == 400.0
    assert [p.lost for p in packets if p.lost] == [(("blocks of audio", 1),)]
    source.close()
    assert made[0].closed


def test_camera_gives_addresses_as_channels_and_counts_lost_packets(monkeypatch):
    kind = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")]
    events = np.array([(1000, 3, 2, True), (1007, 9, 0, False)], kind)
    ring = SimpleNamespace(system_time=4.5, dropped_packets=2)
    told = [
        (SimpleNamespace(ring=None), None),
        (SimpleNamespace(ring=ring), SimpleNamespace(polarity_events=events)),
    ]
    drivers = SimpleNamespace(open=lambda iterator_timeout: Device(*told))
    monkeypatch.setitem(sys.modules, "neuromorphic_drivers", drivers)
    source = devices.camera(Size(5, 4, 2), clock=lambda: 100.0, wall=lambda: 5.0)
    silent, packet = list(source)
    assert silent.times.size == 0
    assert (packet.times.tolist(), packet.channels.tolist()) == ([1000, 1007], [33, -1])
    assert (packet.arrived, packet.lost) == (99.5, (("packets of the camera", 2),))


def test_recording_has_ends_and_begins_also_of_what_was_open_at_the_end(tmp_path):
    """Of three recordings a gap ends one, a restart of the clock one, and nothing the last."""
    packets = [
        Packet.of([5003, 5004, 5021, 5100, 5118], [0, 1, 2, 3, 0]),
        Packet.of([100, 107], [1, 2]),
        Packet.of([109, 123], [3, 3]),
    ]
    gate, path = Gate(GateSettings(gap=50.0, step=10.0), 4), tmp_path / "heard.h5"
    with Recorder(path, 4) as recorder:
        for packet in packets:
            for piece in gate.feed(packet):
                recorder.take(piece)
    found = StoredStream.open(path)
    assert found.columns[BEGINS][:].tolist() == [5003.0, 5100.0, 100.0]
    # Without a told end: to the end of the last chunk that is closed.
    assert found.duration.tolist() == [68.0, 20.0, 20.0]
    wanted = [([0.0, 1.0, 18.0], [0, 1, 2]), ([0.0, 18.0], [3, 0]), ([0.0, 7.0, 9.0], [1, 2, 3])]
    for (times, channels), (mine, on) in zip(found[:], wanted, strict=True):
        np.testing.assert_array_equal(times, mine)
        np.testing.assert_array_equal(channels, on)


def test_nothing_heard_is_no_file(tmp_path):
    with Recorder(tmp_path / "heard.h5", 4):
        pass
    assert [*tmp_path.iterdir()] == []
