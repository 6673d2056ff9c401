import io
import struct

import numpy as np
import pytest
from scipy.io import wavfile

from eventsim.datasets.audio import read_audio
from eventsim.errors import DataError

SAMPLES = np.array([1, -2, 300, -32768, 32767], dtype=np.int16)
FIELDS = {
    "database_id": "-s4 TI46",
    "sample_count": "-i 5",
    "sample_rate": "-i 12500",
    "channel_count": "-i 1",
    "sample_n_bytes": "-i 2",
    "sample_byte_format": "-s2 01",
    "sample_coding": "-s3 pcm",
}


def sphere(samples=SAMPLES, dtype="<i2", **changes):
    fields = FIELDS | {"sample_count": f"-i {samples.size}"} | changes
    text = "".join(f"{k} {v}\n" for k, v in fields.items() if v is not None)
    header = f"NIST_1A\n   1024\n{text}end_head\n".encode()
    return header.ljust(1024, b"\0") + samples.astype(dtype).tobytes()


def wav(samples=SAMPLES, rate=12500):
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"a\.wav: starts with b'', expected a wav file \(RIFF\) or a NIST SPHERE"),
        (b"ID3\0 not speech", "starts with b'ID3"),
        (sphere(sample_coding="-s26 pcm,embedded-shorten-v2.00"), "shorten.*sph2pipe -f rif a.wav"),
        (sphere(sample_coding="-s4 ulaw"), "'ulaw', expected 'pcm'"),
        (sphere(sample_count="-i 6"), "claims 6 samples, the file holds 5"),
        (sphere(sample_count="-i 4611686018427387904"), "sample_count is '4611"),
        (sphere(sample_count="-i 0"), "claims 0 samples"),
        (sphere(sample_count=None), "sample_count is 'missing'"),
        (sphere(sample_count="-s3 abc"), "sample_count is 'abc'"),
        (sphere(channel_count="-i 2"), "2 channels of 2 bytes"),
        (sphere(sample_n_bytes="-i 1"), "1 channels of 1 bytes"),
        (sphere(sample_byte_format=None), "byte order None"),
        (sphere(sample_rate="-i -1"), "-1 Hz"),
        (sphere()[:1000], "no valid size"),
        (sphere().replace(b"   1024\n", b"9999999\n"), "no valid size"),
        (sphere().replace(b"   1024\n", b"  xxxx\n"), "no valid size"),
        (sphere().replace(b"end_head", b"end_haed"), "does not end with 'end_head'"),
        (wav()[:-1], "claims 10 bytes, the file holds 9 more"),
        (wav()[:20], "chunk b'fmt ' at byte 12 claims 16 bytes"),
        (wav()[:12], "without a chunk 'fmt'"),
        (wav()[:36], "without a chunk 'data'"),
        (wav(np.zeros((4, 2), np.int16)), "2 channels of 16 bits"),
        (wav(np.zeros(4, np.float32)), "wav format 3"),
        (wav(np.zeros(4, np.uint8)), "of 8 bits"),
        (wav(np.zeros(0, np.int16)), "0 bytes of samples"),
    ],
)
def test_unusable_file_is_refused_with_a_reason(content, words):
    with pytest.raises(DataError, match=words):
        read_audio(content, "a.wav")
