"""A recording of what was heard has the recordings as they ended, on the clock of the source."""

import numpy as np

from eventsim.events import StoredStream
from eventsim.events.labelled import BEGINS
from eventsim.live import Packet
from eventsim.live.gate import Gate, GateSettings
from eventsim.live.record import Recorder


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
