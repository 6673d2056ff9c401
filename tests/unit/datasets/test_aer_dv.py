"""AEDAT 4: decoded by the package aedat in a process of its own."""

import importlib.util
import sys

import pytest

from eventsim.datasets import aer, aer_dv, guarded_child
from eventsim.errors import DataError
from tests.support.aedat import DESCRIPTION, EVENTS_4, LZ4_PACKET, ZSTD_PACKET, dv, dv_packet

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
