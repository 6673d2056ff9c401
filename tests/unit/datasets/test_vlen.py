"""Arrays of variable length: what h5py reads from a whole file, an error from a damaged one."""

import struct

import h5py
import numpy as np
import pytest

from eventsim.datasets import guarded_child, hdf5
from eventsim.errors import DataError

LENGTHS = [0, 1, 5, 3000, 0, 700, 2]


def arrays(kind):
    rng = np.random.default_rng(0)
    return [(100 * rng.random(n)).astype(kind) for n in LENGTHS]


def read(file):
    n, values = hdf5.ragged(file, "g/x", kinds="fiu")
    found = list(values)
    assert len(found) == n
    return found


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
        for ours, theirs in zip(read(file), expected, strict=True):
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


DAMAGED = "f, g/x: cannot be decoded .* It is damaged"


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 2**32 - 1},
        {"count": 2},
        {"count": 3001},
        {"address": 2**60},
        {"address": 8},
        {"index": 77},
    ],
    ids=str,
)
def test_reference_that_is_wrong_is_an_error(tmp_path, fields):
    path = write(tmp_path / "f")
    patched(path, 3, **fields)
    with h5py.File(path) as file, pytest.raises(DataError, match=DAMAGED):
        read(file)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (8, 2**50),  # size of the collection
        (16 + 8, 2**50),  # size of its first object
        (16 + 8, 0),  # an object of no size
    ],
)
def test_heap_that_is_damaged_is_an_error(tmp_path, offset, value):
    path = write(tmp_path / "f")
    address = patched(path, 1)
    content = bytearray(path.read_bytes())
    content[address + offset : address + offset + 8] = struct.pack("<Q", value)
    path.write_bytes(content)
    with h5py.File(path) as file, pytest.raises(DataError, match=DAMAGED):
        read(file)


def test_way_through_a_heap_that_has_no_end_is_ended(tmp_path, monkeypatch):
    script = tmp_path / "child.py"
    script.write_text("import signal\nsignal.alarm(1)\nwhile True:\n    pass\n")
    monkeypatch.setattr(guarded_child, "__file__", str(script))
    with h5py.File(write(tmp_path / "f")) as file, pytest.raises(DataError, match=DAMAGED):
        read(file)
