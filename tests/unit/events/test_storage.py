"""Array files that are damaged, foreign, or claim what they do not hold."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventsim.errors import StorageError
from eventsim.events import EventStream

STREAM = EventStream([1.0, 2.0, 3.0], [0, 1, 2], [0, 3], n_channels=3, duration=4.0)


def content(compressed):
    buffer = io.BytesIO()
    header = {"__kind__": np.array("eventsim-stream"), "__version__": np.array(1)}
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **header, **STREAM.to_arrays())
    return buffer.getvalue()


WHOLE = {True: content(True), False: content(False)}
ANYWHERE = st.integers(0, max(map(len, WHOLE.values())) - 1)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    compressed=st.booleans(),
    changes=st.lists(st.tuples(ANYWHERE, st.integers(0, 255)), max_size=5),
    cut=st.one_of(st.none(), ANYWHERE),
)
def test_damaged_files_are_read_whole_or_refused(tmp_path, compressed, changes, cut):
    damaged = bytearray(WHOLE[compressed])
    for at, value in changes:
        damaged[at % len(damaged)] = value
    path = tmp_path / "events.npz"
    path.write_bytes(damaged[:cut])
    try:
        stream = EventStream.load(path)
    except StorageError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(stream.times, STREAM.times)
        np.testing.assert_array_equal(stream.channels, STREAM.channels)


def test_array_of_a_huge_claimed_size_is_refused(tmp_path):
    header = io.BytesIO()
    claimed = {"descr": "<f8", "fortran_order": False, "shape": (1 << 45,)}
    np.lib.format.write_array_header_1_0(header, claimed)
    path = tmp_path / "events.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("times.npy", header.getvalue())
    with pytest.raises(StorageError, match="cannot be read as a eventsim-stream file"):
        EventStream.load(path)


@pytest.mark.parametrize(("flag", "offset"), [(1, 6), (99, 8)])
def test_encrypted_or_strangely_compressed_file_is_refused(tmp_path, flag, offset):
    damaged = bytearray(WHOLE[True])
    damaged[offset] = flag  # in the first member's own header
    central = damaged.index(b"PK\x01\x02")
    damaged[central + offset + 2] = flag
    path = tmp_path / "events.npz"
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match="cannot be read as"):
        EventStream.load(path)
