"""AEDAT 1, 2, 3.1 and 4: what is decoded, how time is told, and what is refused."""

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eventsim.datasets import aer, aer_dv, guarded_child
from eventsim.datasets.aer_sensors import SENSORS, find_sensor, nas
from eventsim.errors import DataError, ParameterError
from tests.support.aedat import (
    DESCRIPTION,
    END_2,
    END_3,
    EVENTS_4,
    HEADER_2,
    HEADER_3,
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


def test_real_recording_with_another_sensor_is_refused(recordings):
    with pytest.raises(DataError, match="no whole number of records of 6 bytes.*4-byte address"):
        aer.load(recordings / STEREO, sensor="nas_64_stereo_usbaer")
    with pytest.raises(
        DataError, match=r"event 0: address 0xea has bits that sensor 'nas_32_mono'"
    ):
        aer.load(recordings / STEREO, sensor="nas_32_mono")
    with pytest.raises(DataError, match="does not say what recorded it"):
        aer.load(recordings / STEREO)


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


def test_header_with_an_unknown_chip_asks_for_a_sensor(write):
    path = write(jaer([(1, 1)], header=HEADER_2 + b"# AEChip: a.b.Roboretina9\r\n" + END_2))
    with pytest.raises(DataError, match="recorded by 'Roboretina9', whose addresses are not known"):
        aer.load(path)


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


def test_reset_clock_is_refused_unless_the_rest_is_asked_for(write):
    path = write(jaer([(0, 5_000_000), (1, 6_000_000), (2, 10), (3, 1010)]))
    with pytest.raises(DataError, match="event 2: its time is 5999.99 ms before.*after_reset=True"):
        aer.load(path, sensor=MONO_4)
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
    with pytest.raises(DataError, match="holds polarity and ear events. Name the sensor"):
        aer.load(path)
    with pytest.raises(DataError, match="'nas_64_stereo' has fields"):
        aer.load(path, sensor="nas_64_stereo")


GOOD_3 = caer_packet(1, [polarity_word(1, 1, 1)] * 3, [1, 2, 3])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty, expected an AEDAT file"),
        (b"#!AER-DAT2.0", "its first line does not end"),
        (b"#!AER-DAT9.7\r\n" + bytes(16), "is AEDAT of version '9.7', expected 1.0, 2.0, 3.1"),
        (b"#!AER-DAT3.0\r\n" + bytes(16), "is AEDAT of version '3.0'"),
        (HEADER_2 + END_2, "holds no event of sensor 'dvs128'"),
        (
            HEADER_2 + END_2 + bytes(15),
            "15 bytes of events from byte .* no whole number.*truncated",
        ),
        (HEADER_2 + END_2 + bytes(6), "Records of a 2-byte address would fit"),
        (jaer([(1 << 20, 0)], header=HEADER_2 + END_2), "event 0: address 0x100000 has bits"),
        (HEADER_3 + GOOD_3, "has no line '#!END-HEADER'"),
        (HEADER_3.replace(b"RAW", b"PNG") + END_3 + GOOD_3, "stored as 'PNG', expected RAW"),
        (caer(), "holds no polarity events"),
        (caer(GOOD_3, GOOD_3[:20]), "packet at byte 113: its header of 28 bytes is cut off"),
        (caer(GOOD_3[:-1]), "claims 3 events of 8 bytes, but only 23 bytes follow"),
        (
            caer(caer_packet(1, [1], [1], number=1 << 30, capacity=1 << 30)),
            "claims 1073741824 even",
        ),
        (caer(caer_packet(1, [1], [1], number=2)), "makes no sense"),
        (caer(caer_packet(1, [1], [1], size=0)), "makes no sense"),
        (caer(caer_packet(1, [1], [1], size=-8)), "makes no sense"),
        (caer(caer_packet(1, [1], [1], overflow=-1)), "makes no sense"),
        (caer(caer_packet(1, [1], [-5])), "event 0: its time is -5 us, expected 0 or more"),
        (caer(caer_packet(1, [polarity_word(128, 0, 0)], [1])), "x is 128, expected 0 .. 127"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_file_that_is_not_what_it_claims_is_refused(write, content, words):
    with pytest.raises(DataError, match=words):
        aer.load(write(content), sensor="dvs128")


def test_header_without_end_is_refused_without_reading_on(write, monkeypatch):
    monkeypatch.setattr("eventsim.datasets.aer_files.LARGEST_HEADER", 1000)
    with pytest.raises(DataError, match="has a header of more than 1000 bytes"):
        aer.load(write(b"#!AER-DAT2.0\r\n" + b"# x\r\n" * 1000), sensor="dvs128")


def test_things_that_are_no_files_are_refused(tmp_path):
    pipe = tmp_path / "pipe.aedat"
    os.mkfifo(pipe)
    for place, words in (
        (tmp_path, "is no regular file"),
        (pipe, "is no regular file"),
        (tmp_path / "none.aedat", "does not exist"),
    ):
        with pytest.raises(DataError, match=words):
            aer.load(place, sensor="dvs128")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sensor": "nas_64"}, "no sensor 'nas_64'. Did you mean 'nas_64_mono'"),
        ({"by": ("ear",)}, "'nas_32_mono' has no field 'ear'. It has channel, polarity"),
        ({"by": ()}, "by is \\[\\], expected different fields"),
        ({"by": ("channel", "channel")}, "expected different fields"),
        ({"where": {"polarity": 2}}, "where: polarity is 2, expected 0 .. 1"),
    ],
)
def test_wrong_options_are_refused(write, options, words):
    path = write(jaer([(0, 0)]))
    with pytest.raises(DataError, match=words):
        aer.load(path, **{"sensor": "nas_32_mono", **options})


@pytest.mark.parametrize(
    "change", [{"tick_us": 0.0}, {"tick_us": np.inf}, {"address_bytes": 3}, {"fields": None}]
)
def test_sensor_that_cannot_be_is_refused(change):
    if change == {"fields": None}:
        change = {"fields": (replace(MONO_4.fields[0], size=99),)}
    with pytest.raises(ParameterError, match="Sensor 'nas_32_mono'"):
        replace(MONO_4, **change)
    with pytest.raises(ParameterError, match="power of two"):
        nas(65, 1)


@pytest.mark.parametrize("name", SENSORS)
def test_fields_of_a_sensor_do_not_overlap(name):
    sensor = find_sensor(name)
    masks = [field.mask for field in sensor.fields] + [sensor.special, sensor.unused]
    assert sum(masks) == sensor.known


WHOLE = dv(dv_packet(EVENTS_4))
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


def test_missing_package_is_named(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "aedat", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        DataError, match=r"needs the package aedat: pip install 'eventsim-snn\[aedat\]'"
    ):
        aer.load(write(WHOLE))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (WHOLE[:16], "byte 14: the size of the description takes 4 bytes, but only 2 follow"),
        (WHOLE[:100], "the description takes 397 bytes, but only 82 follow"),
        (WHOLE[:-1], "claims 80 bytes, but only 79 follow"),
        (WHOLE + b"1234", "packet at byte .*: its header is cut off"),
        (dv(dv_packet(EVENTS_4), index=1 << 40), "places its index at byte 1099511627776"),
        (dv(dv_packet(EVENTS_4), index=3), "places its index at byte 3"),
        (b"#!AER-DAT4.0\r\n" + b"\4\0\0\0\xff\xff\xff\xff", "its description is damaged"),
        (b"#!AER-DAT4.0\r\n" + b"\xff\xff\xff\xff" * 9, "takes 4294967295 bytes, but only 32"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_sizes_are_compared_with_the_file_before_it_is_decoded(write, content, words):
    with pytest.raises(DataError, match=words):
        aer.load(write(content))


@needs_aedat
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (dv(b"none", compression=1), "cannot be decoded"),
        (dv(LZ4_PACKET[:40], compression=1), "cannot be decoded"),
        (dv(dv_packet(EVENTS_4), compression=77), "cannot be decoded .*compression"),
        (dv(dv_packet(EVENTS_4), description="<dv>"), "cannot be decoded"),
        (dv(dv_packet(EVENTS_4), stream=5), "cannot be decoded .*stream"),
        (dv(description=DESCRIPTION.replace("EVTS", "IMUS")), "it holds no event stream"),
        (dv(), "holds no event"),
        (dv(dv_packet([(-1, 0, 0, True)])), "times reach from 18446744073709551615"),
        (dv(dv_packet([(0, 40, 0, True)])), "event 0: x is 40, expected 0 .. 39"),
        (dv(dv_packet(EVENTS_4), description=DESCRIPTION.replace(">40<", ">0<")), "0 x 30 pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_content_that_cannot_be_is_refused(write, content, words):
    with pytest.raises(DataError, match=words):
        aer.load(write(content))


@needs_aedat
def test_camera_has_no_ears(write):
    with pytest.raises(DataError, match="'nas_64_stereo' has fields .*x, y and polarity"):
        aer.load(write(WHOLE), sensor="nas_64_stereo")


@needs_aedat
def test_decoder_that_ends_its_process_is_an_error_only(write, tmp_path, monkeypatch):
    script = tmp_path / "decoder.py"
    script.write_text(
        "import os, sys\nsys.stderr.write('panicked\\n')\nsys.stderr.flush()\nos.abort()\n"
    )
    monkeypatch.setattr(guarded_child, "__file__", str(script))
    with pytest.raises(DataError, match="cannot be decoded .'panicked', exit code -6"):
        aer.load(write(WHOLE))


@needs_aedat
def test_packet_that_expands_without_end_is_refused(write, monkeypatch):
    monkeypatch.setattr(aer_dv, "SMALLEST_LIMIT", 30)
    monkeypatch.setattr(aer_dv, "MOST_EXPANSION", 0)
    with pytest.raises(DataError, match="decompresses to more than 30 bytes"):
        aer_dv._decoded(write(WHOLE), len(WHOLE), 1 << 24)
