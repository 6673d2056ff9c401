"""AEDAT 1, 2, 3.1 and 4: what is decoded, how time is told, and what is refused."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eventsim.datasets import aer
from eventsim.datasets.aer_sensors import SENSORS, find_sensor, nas
from tests.support.aedat import (
    END_2,
    EVENTS_4,
    HEADER_2,
    LZ4_PACKET,
    ZSTD_PACKET,
    caer,
    caer_packet,
    dv,
    dv_packet,
    ear_word,
    jaer,
    polarity_word,
)

DATA = os.environ.get("EVENTSIM_DATA")
STEREO = "enun_stereo_64ch_ONOFF_addr4b_ts1.aedat"
MONO = "sound_mono_32ch_ONOFF_addr2b_ts02.aedat"
MONO_4 = nas(32, 1)


@pytest.fixture(scope="module")
def recordings():
    """Folder of the real recordings of a NAS cochlea."""
    if DATA is None or not (Path(DATA) / "nas_cochlea" / STEREO).exists():
        pytest.skip("EVENTSIM_DATA has no nas_cochlea")
    return Path(DATA) / "nas_cochlea"


def test_real_stereo_recording_is_read_whole(recordings):
    stream, record = aer.load(recordings / STEREO, sensor="nas_64_stereo")
    assert (stream.n_samples, stream.n_events, stream.n_channels) == (1, 428_635, 256)
    assert record.format == "AEDAT 1.0"
    assert record.channels == ("ear", "channel", "polarity")
    assert record.counts == {"ear": (207_835, 220_800), "polarity": (214_727, 213_908)}
    assert (record.first_tick, record.wraps, record.out_of_order) == (0, 0, 0)
    assert record.skipped == {}
    assert stream.times[-1] == 13_741.184
    assert record.duration_ms == stream.duration[0] == 13_742.0
    # An address is ear * 128 + channel * 2 + polarity: the channel of the stream is the address.
    content = np.fromfile(recordings / STEREO, ">u4").reshape(-1, 2)
    np.testing.assert_array_equal(np.sort(stream.channels), np.sort(content[:, 0]))
    np.testing.assert_array_equal(stream.times, content[:, 1] / 1000.0)


def test_ears_and_polarities_of_the_real_recording_can_be_merged_and_selected(recordings):
    path = recordings / STEREO
    both, _ = aer.load(path, sensor="nas_64_stereo", by=("ear", "channel"))
    assert (both.n_channels, both.n_events) == (128, 428_635)
    assert np.bincount(both.channels >= 64).tolist() == [207_835, 220_800]
    left, record = aer.load(path, sensor="nas_64_stereo", by=("channel",), where={"ear": 0})
    assert (left.n_channels, left.n_events) == (64, 207_835)
    np.testing.assert_array_equal(left.times, both.times[both.channels < 64])
    np.testing.assert_array_equal(left.channels, both.channels[both.channels < 64])
    assert record.skipped == {"not selected": 220_800}
    assert record.counts["ear"] == (207_835, 0)
    assert left.duration[0] == both.duration[0]


def test_real_recording_with_short_addresses_and_ticks_of_a_fifth_of_a_us(recordings):
    stream, record = aer.load(recordings / MONO, sensor="nas_32_mono_usbaer")
    assert (stream.n_events, stream.n_channels) == (49_864, 64)
    assert (record.first_tick, record.tick_us) == (573_010, 0.2)
    assert stream.times[-1] == (6_296_705 - 573_010) / 5000.0
    assert sum(record.counts["polarity"]) == 49_864


@pytest.mark.parametrize(
    ("header", "width", "version"),
    [
        (b"", 4, "1.0"),
        (HEADER_2, 4, "2.0"),
        (HEADER_2 + END_2, 4, "2.0"),
        (b"#!AER-DAT1.0\r\n", 2, "1.0"),
        (b"# a remark\n", 2, "1.0"),
    ],
)
def test_header_gives_the_version_and_the_sensor_the_width(write, header, width, version):
    path = write(jaer([(3, 10), (62, 250)], width=width, header=header))
    stream, record = aer.load(path, sensor=replace(MONO_4, address_bytes=width))
    assert stream.channels.tolist() == [3, 62]
    assert stream.times.tolist() == [0.0, 0.24]
    assert record.format == f"AEDAT {version}"
    assert len(record.header) == header.count(b"\n")
    assert "header" not in record.summary()


def test_file_names_its_camera(write):
    header = HEADER_2 + b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n" + END_2
    on, off = 5 << 22 | 7 << 12 | 1 << 11, 179 << 22 | 239 << 12
    frame, trigger = 1 << 31 | 77 << 12, off | 1 << 10
    path = write(jaer([(on, 100), (frame, 110), (trigger, 115), (off, 1100)], header=header))
    stream, record = aer.load(path)
    assert record.sensor == "davis240"
    assert stream.channels.tolist() == [180 * 240 + 5 * 240 + 7, 179 * 240 + 239]
    assert stream.times.tolist() == [0.0, 1.0]
    assert record.skipped == {"special": 2}
    assert record.counts == {"polarity": (1, 1)}


@pytest.mark.parametrize("chip", ["cochlea_ams1b", "cochlea_ams1c"])
def test_address_of_a_silicon_cochlea_is_taken_apart(write, chip):
    address = 2 << 8 | 63 << 2 | 1 << 1 | 1
    sample = 0x2000 | 5
    stray = 0xFC00 if chip == "cochlea_ams1b" else 0
    events = [(address | stray, 0), (0, 5)] + [(sample, 3)] * (chip == "cochlea_ams1c")
    path = write(jaer(events, width=2, header=b"#!AER-DAT1.0\r\n"))
    stream, record = aer.load(path, sensor=chip)
    assert record.channels == ("ear", "channel", "neuron", "filter")
    assert stream.channels.tolist() == [((1 * 64 + 63) * 4 + 2) * 2 + 1, 0]
    assert record.counts == {"ear": (1, 1), "neuron": (1, 0, 1, 0), "filter": (1, 1)}
    assert record.skipped == ({"special": 1} if chip == "cochlea_ams1c" else {})


def test_clock_that_begins_anew_is_unwrapped(write):
    end = 1 << 32
    path = write(jaer([(0, end - 2000), (1, end - 1000), (2, 500), (3, 3000)]))
    stream, record = aer.load(path, sensor=MONO_4)
    assert stream.times.tolist() == [0.0, 1.0, 2.5, 5.0]
    assert (record.wraps, record.first_tick) == (1, end - 2000)
    signed = write(jaer([(0, (1 << 31) - 1000), (1, (1 << 31) + 1000)]))
    assert aer.load(signed, sensor=MONO_4)[1].wraps == 0


def test_events_a_little_out_of_order_are_sorted_and_counted(write):
    path = write(jaer([(0, 1000), (1, 1500), (2, 1400), (3, 2000), (4, 900)]))
    stream, record = aer.load(path, sensor=MONO_4)
    assert stream.channels.tolist() == [4, 0, 2, 1, 3]
    assert stream.times.tolist() == [0.0, 0.1, 0.5, 0.6, 1.1]
    assert record.out_of_order == 2


def test_of_a_reset_clock_the_rest_is_read_where_it_is_asked_for(write):
    path = write(jaer([(0, 5_000_000), (1, 6_000_000), (2, 10), (3, 1010)]))
    stream, record = aer.load(path, sensor=MONO_4, after_reset=True)
    assert stream.channels.tolist() == [2, 3]
    assert stream.times.tolist() == [0.0, 1.0]
    assert record.skipped == {"before the last reset": 2}


def test_packets_of_polarity_events_are_joined(write):
    words = [polarity_word(127, 0, 1), polarity_word(0, 127, 0), polarity_word(9, 9, 1, valid=0)]
    path = write(
        caer(
            caer_packet(1, words, [1000, 1500, 1600]),
            caer_packet(3, [1, 1], [1700, 1700]),
            caer_packet(1, [polarity_word(3, 2, 1)], [500], overflow=1),
            caer_packet(1, [polarity_word(3, 2, 1)], [500], source=2),
        )
    )
    stream, record = aer.load(path)
    assert record.sensor == "dvs128"
    assert record.format == "AEDAT 3.1"
    expected = [128 * 128 + 127, 127 * 128, 128 * 128 + 2 * 128 + 3]
    assert stream.channels.tolist() == expected
    assert stream.times.tolist() == [0.0, 0.5, ((1 << 31) + 500 - 1000) / 1000]
    assert record.wraps == 1
    assert record.skipped == {"imu6": 2, "polarity of source 2": 1, "marked invalid": 1}


def test_packets_of_ear_events_need_a_cochlea(write):
    words = [ear_word(1, 63, 3, 1), ear_word(0, 5, 0, 0)]
    path = write(caer(caer_packet(6, words, [10, 20]), caer_packet(1, [1], [10])))
    stream, record = aer.load(path, sensor="cochlea_ams1c")
    assert stream.channels.tolist() == [((64 + 63) * 4 + 3) * 2 + 1, 5 * 8]
    assert record.skipped == {"polarity of source 1": 1}


@pytest.mark.parametrize("name", SENSORS)
def test_fields_of_a_sensor_do_not_overlap(name):
    sensor = find_sensor(name)
    masks = [field.mask for field in sensor.fields] + [sensor.special, sensor.unused]
    assert sum(masks) == sensor.known


needs_aedat = pytest.mark.skipif(
    importlib.util.find_spec("aedat") is None, reason="the package aedat is not installed"
)


@needs_aedat
@pytest.mark.parametrize(
    ("packet", "compression"),
    [(dv_packet(EVENTS_4), 0), (LZ4_PACKET, 1), (LZ4_PACKET, 2), (ZSTD_PACKET, 3)],
)
def test_packets_are_decoded_whatever_their_compression(write, packet, compression):
    stream, record = aer.load(write(dv(packet, compression=compression)))
    assert stream.n_channels == 2 * 30 * 40
    assert stream.channels.tolist() == [1200 + 4 * 40 + 3, 29 * 40 + 39, 1200]
    assert stream.times.tolist() == [0.0, 0.25, 1.0]
    assert stream.duration.tolist() == [2.0]
    assert record.format == "AEDAT 4.0"
    assert record.sensor == "camera of 40 x 30"
    assert record.first_tick == 1_700_000_000_000_000
    assert record.counts == {"polarity": (1, 2)}


@needs_aedat
def test_index_at_the_end_is_no_packet(write):
    content = dv(dv_packet(EVENTS_4), dv_packet(EVENTS_4[:1]), index=1 << 20)
    content = dv(dv_packet(EVENTS_4), dv_packet(EVENTS_4[:1]), index=len(content)) + b"an index"
    stream, record = aer.load(write(content))
    assert stream.n_events == 4
    assert record.out_of_order == 1
