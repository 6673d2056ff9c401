"""Microphone and camera, whose packages are stood in for; what is missing is refused in words."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from eventsim.datasets.audio_events import AudioEncoding
from eventsim.datasets.encoders import CochleaEncoder, LiveCochlea
from eventsim.errors import DataError, ParameterError
from eventsim.live import Size, WireForm, devices, open_source


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


@pytest.mark.parametrize(
    ("place", "size", "error", "words"),
    [
        ("microphone", None, DataError, r"sounddevice: pip install 'eventsim-snn\[microphone\]'"),
        ("camera", Size(2, 2, 2), DataError, r"neuromorphic-drivers: pip install .*usb-camera"),
        ("camera", None, ParameterError, "--sensor-size"),
    ],
)
def test_device_without_its_package_is_refused_in_words(monkeypatch, place, size, error, words):
    for name in ("sounddevice", "neuromorphic_drivers"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(error, match=words):
        open_source(place, n_channels=8) if size is None else devices.camera(size)
