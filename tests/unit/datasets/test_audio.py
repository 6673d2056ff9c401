import struct

import numpy as np
import pytest

from eventsim.datasets.audio import read_audio
from tests.support.recordings import SAMPLES, sphere, wav


@pytest.mark.parametrize(
    "content",
    [
        sphere(),
        sphere(dtype=">i2", sample_byte_format="-s2 10"),
        sphere(channel_count=None, sample_coding=None),
        sphere(sample_rate="-r 12500.0"),
        sphere() + b"padding",
        wav(),
        b"RIFF\0\0\0\0WAVE" + b"LIST\x03\0\0\0abc\0" + wav()[12:],
    ],
)
def test_wav_and_sphere_give_the_same_samples(content):
    rate, samples = read_audio(content, "a.wav")
    assert rate == 12500
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, SAMPLES)


def test_extensible_wav_is_read():
    format_ = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 16, 4)
    format_ += struct.pack("<H14s", 1, b"\0" * 14)
    body = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(format_)) + format_
    rate, samples = read_audio(body + b"data\x02\0\0\0\x07\0", "a.wav")
    assert (rate, samples.tolist()) == (8000, [7])
