"""Arrays of variable length: what h5py reads from a whole file, an error from a damaged one."""

import struct
import zlib

import h5py
import numpy as np
import pytest

from eventsim.datasets import hdf5
from eventsim.datasets.vlen import Ragged
from eventsim.errors import DataError

LENGTHS = [0, 1, 5, 3000, 0, 700, 2]


def arrays(kind):
    rng = np.random.default_rng(0)
    return [(100 * rng.random(n)).astype(kind) for n in LENGTHS]


def write(path, kind="f2", *, options=None, **file_options):
    with h5py.File(path, "w", **file_options) as file:
        data = file.create_dataset(
            "g/x", (len(LENGTHS) + 2,), h5py.vlen_dtype(np.dtype(kind)), **(options or {})
        )
        for k, values in enumerate(arrays(kind)):  # the last two are never written
            data[k] = values
    return path


@pytest.mark.parametrize("kind", ["f2", "<f8", ">f4", "u1", "i4"])
@pytest.mark.parametrize("options", [{}, {"chunks": (4,)}, {"maxshape": (None,)}])
@pytest.mark.parametrize("file_options", [{}, {"libver": "latest"}, {"userblock_size": 512}])
def test_arrays_are_those_that_were_written(tmp_path, kind, options, file_options):
    with h5py.File(write(tmp_path / "f", kind, options=options, **file_options)) as file:
        expected = [*arrays(kind), np.zeros(0, kind), np.zeros(0, kind)]
        for ours, theirs in zip(Ragged(file["g/x"]), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == np.dtype(kind)


def test_strings_of_variable_length_are_read(tmp_path):
    with h5py.File(tmp_path / "f", "w") as file:
        file["words"] = ["zero", "fünf", ""]
        file["fixed"] = np.array([b"a", b"bcd"])
    with h5py.File(tmp_path / "f") as file:
        assert hdf5.texts(file, "words") == ["zero", "fünf", ""]
        assert hdf5.texts(file, "fixed") == ["a", "bcd"]


def patched(path, element, **fields):
    """Change the reference of an element in a contiguous data set."""
    with h5py.File(path) as file:
        at = file["g/x"].id.get_offset() + 16 * element
    content = bytearray(path.read_bytes())
    values = dict(
        zip(
            ("count", "address", "index"), struct.unpack("<IQI", content[at : at + 16]), strict=True
        )
    )
    content[at : at + 16] = struct.pack("<IQI", *(values | fields).values())
    path.write_bytes(content)
    return values["address"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"count": 2**32 - 1}, "element 3 claims 4294967295 values of 2 bytes, 6000 bytes"),
        ({"count": 2}, "element 3 claims 2 values of 2 bytes, 6000 bytes"),
        ({"address": 2**60}, "the file ends at"),
        ({"address": 8}, "refers to 8, where no heap is"),
        ({"address": 0}, "has 3000 values and no place"),
        ({"index": 77}, "holds no object 77"),
    ],
)
def test_reference_that_is_wrong_is_named(tmp_path, fields, words):
    path = write(tmp_path / "f")
    patched(path, 3, **fields)
    with h5py.File(path) as file, pytest.raises(DataError, match=words):
        list(Ragged(file["g/x"]))


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, 2**50, "the file ends at"),  # size of the collection
        (16 + 8, 2**50, "the heap at .* is damaged at byte 16"),  # size of its first object
        (16 + 8, 0, "holds no object|is damaged|claims"),  # an object of no size
    ],
)
def test_heap_that_is_damaged_is_named(tmp_path, offset, value, words):
    path = write(tmp_path / "f")
    address = patched(path, 1)
    content = bytearray(path.read_bytes())
    content[address + offset : address + offset + 8] = struct.pack("<Q", value)
    path.write_bytes(content)
    with h5py.File(path) as file, pytest.raises(DataError, match=words):
        list(Ragged(file["g/x"]))


def test_claim_of_more_elements_than_are_stored_is_refused(tmp_path):
    with h5py.File(tmp_path / "f", "w") as file:
        file.create_dataset("x", (10**12,), h5py.vlen_dtype(np.float32), chunks=(10,))
        with pytest.raises(DataError, match="claims 8000000000000 bytes, but 0 are stored"):
            hdf5.ragged(file, "x", kinds="f")


def test_filters_of_older_files_are_undone(tmp_path):
    """Today's library writes none for such data; files of older ones have them."""
    with h5py.File(write(tmp_path / "f")) as file:
        ragged = Ragged(file["g/x"])
    plain = np.arange(160, dtype=np.uint8).tobytes()
    shuffled = np.frombuffer(plain, np.uint8).reshape(10, 16).T.tobytes()
    packed = zlib.compress(shuffled) + b"sums"

    class Data:
        id = property(lambda self: self)
        get_create_plist = get_nfilters = None

        def __init__(self, *codes):
            self.codes = codes
            self.get_create_plist = lambda: self
            self.get_nfilters = lambda: len(codes)
            self.get_filter = lambda k: (codes[k],)

    assert ragged._unfiltered(Data(2, 1, 3), packed, 0, 10) == plain
    assert ragged._unfiltered(Data(2, 1, 3), shuffled + b"sums", 0b010, 10) == plain
    for data, content, words in (
        (Data(32000), plain, "filter 32000, which is not supported"),
        (Data(1), zlib.compress(bytes(10**7)), "has 164 bytes, expected 160"),
    ):
        with pytest.raises(DataError, match=words):
            ragged._unfiltered(data, content, 0, 10)
