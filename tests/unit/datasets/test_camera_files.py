"""The same events of a camera from every kind of file, by command; what is left out is named."""

import struct

import h5py
import numpy as np
import pytest
import scipy.io

from eventsim.datasets import camera_files
from eventsim.datasets.formats import format_of
from eventsim.errors import DataError
from eventsim.events import EventStream
from tests.unit.cli.conftest import done, places, told, undrawn  # noqa: F401  fixtures

# t in us, x, y, p; in order, so that files of several kinds keep it
EVENTS = np.array([[100, 1, 2, 1], [1100, 15, 0, 0], [1100, 15, 0, 1], [70_000, 10, 11, 0]])
T, X, Y, P = EVENTS.T
SIZE = "16,16,2"
CHANNELS = (P * 16 + Y) * 16 + X
FIELDS = np.array([tuple(row) for row in EVENTS], [(k, "i8") for k in "txyp"])


def write(kind, path):
    """A file of that kind, with the options that it needs."""
    if kind == "csv":
        np.savetxt(path, EVENTS, "%d", ",")
        return ("--columns", "t_us,x,y,p")
    if kind == "npy":
        np.save(path, EVENTS)
        return ("--columns", "t,x,y,p")
    if kind == "npy-fields":
        np.save(path, FIELDS)
    elif kind == "npz":
        np.savez_compressed(path, t=T, x=X, y=Y, p=P.astype(bool))
    elif kind == "npz-one":
        np.savez(path, events=EVENTS[:, [1, 2, 0, 3]])
        return ("--columns", "x,y,t,p")
    elif kind == "npz-more":
        np.savez(path, t=T, x=X, y=Y, p=P, frame=np.zeros((3, 3)))
        return ("--columns", "t,x,y,p")
    elif kind == "mat":
        scipy.io.savemat(path, {"TD": {"x": X, "y": Y, "p": P, "ts": T}})
    elif kind == "hdf5":
        with h5py.File(path, "w") as file:
            for name, values in zip("txyp", (T, X, Y, P), strict=True):
                file[f"events/{name}"] = values
    elif kind == "hdf5-table":
        with h5py.File(path, "w") as file:
            file["CD/events"] = FIELDS
    elif kind.startswith("evt21"):
        path.write_bytes(raw21(kind.partition("-")[2] or "little"))
    else:
        path.write_bytes(raw())
    return ()


def raw():
    """EVT 2.0 by its own description: a word of time high, then words of events."""
    words = []
    for t, x, y, p in EVENTS.tolist():
        words += [0x8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y]
    return b"% evt 2.0\n% format EVT2;height=16;width=16\n% end\n" + struct.pack(
        f"<{len(words)}I", *words
    )


def raw21(order="little"):
    """EVT 2.1 by its own description: the events of two neighbours in one word."""
    words = []
    for t, x, y, p in EVENTS.tolist():
        words += [0x8 << 60 | t >> 6 << 32]
        words += [p << 60 | (t & 63) << 54 | (x & ~31) << 43 | y << 32 | 1 << (x & 31)]
    if order == "legacy":
        words = [word >> 32 | (word & 0xFFFFFFFF) << 32 for word in words]
    told = b"legacy" if order == "legacy" else b"little"
    head = b"% evt 2.1\n% format EVT21;endianness=" + told + b";height=16;width=16\n% end\n"
    return head + struct.pack(f"<{len(words)}Q", *words)


KINDS = {
    "evt21": ".raw", "evt21-legacy": ".raw",
    "csv": ".csv", "npy": ".npy", "npy-fields": ".npy", "npz": ".npz", "npz-one": ".npz",
    "npz-more": ".npz", "mat": ".mat", "hdf5": ".h5", "hdf5-table": ".hdf5", "evt2": ".raw",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_camera_file_is_imported_with_channels_of_its_addresses(kind, tmp_path):
    if kind == "evt2":
        pytest.importorskip("faery")
    path = tmp_path / f"camera{KINDS[kind]}"
    options = write(kind, path)
    assert format_of(path) == ("csv" if kind == "csv" else "arrays")
    size = () if kind.startswith("evt2") else ("--sensor-size", SIZE)
    outcome = done("data", "import", path, *options, *size, "--begin", "zero", "--out", "out.npz")
    found = EventStream.load("out.npz")
    np.testing.assert_array_equal(found.times, T / 1000)
    np.testing.assert_array_equal(found.channels, CHANNELS)
    assert found.n_channels == 512
    stated = kind == "csv" or kind.startswith("evt2")
    assert ("times read as us: nothing names a unit" in outcome.err) != stated
    assert ("columns dropped: frame" in EventStream.read_notes("out.npz").get("guesses", "")) == (
        kind == "npz-more"
    )


def test_arrays_that_nobody_asked_to_drop_or_named_are_refused(tmp_path):
    np.savez(tmp_path / "more.npz", t=T, x=X, y=Y, p=P, weight=P)
    np.save(tmp_path / "plain.npy", EVENTS)
    np.savez(tmp_path / "short.npz", t=T, x=X[:2], y=Y, p=P)
    np.savez(tmp_path / "text.npz", t=np.array(["a"]), x=X)
    for name, more, words in (
        ("more.npz", {}, "weight"),
        ("plain.npy", {}, "--columns t,x,y,p"),
        ("plain.npy", {"columns": ("t", "x")}, "has 4 columns, 2 were named"),
        ("short.npz", {}, "expected as many of each"),
        ("text.npz", {}, "expected one number per event"),
        ("more.npz", {"columns": ("t", "x", "q")}, "has no column q"),
    ):
        with pytest.raises(DataError, match=words):
            camera_files.read(tmp_path / name, sensor_size=(16, 16, 2), **more)
    with pytest.raises(DataError, match="size of the sensor"):
        camera_files.read(tmp_path / "more.npz", columns=("t", "x", "y", "p"))


def test_raw_file_without_a_size_asks_for_it(tmp_path):
    pytest.importorskip("faery")
    path = tmp_path / "camera.raw"
    path.write_bytes(raw().replace(b"% format EVT2;height=16;width=16\n", b""))
    with pytest.raises(DataError, match="--sensor-size WIDTH,HEIGHT,2"):
        camera_files.read(path)
    found = camera_files.read(path, sensor_size=(16, 16, 2))
    np.testing.assert_array_equal(found.channels, CHANNELS)


def test_evt21_that_is_cut_off_or_of_another_order_of_bytes_is_refused(tmp_path):
    path = tmp_path / "camera.raw"
    for content, words in (
        (raw21()[:-3], "ends within a word of 8 bytes"),
        (raw21().replace(b"endianness=little", b"endianness=legacy"), "before the first time"),
        (raw21().replace(b";height=16;width=16", b""), "--sensor-size WIDTH,HEIGHT,2"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            camera_files.read(path)


def test_plot_draws_the_picture_of_a_camera_that_the_file_or_the_caller_names(tmp_path):
    np.savez("camera.npz", t=T, x=X, y=Y, p=P)
    EventStream(T / 1000, CHANNELS, [0, 4], n_channels=512, duration=71.0).save("plain.npz")
    done("data", "import", "camera.npz", "--sensor-size", SIZE, "--out", "in.h5")
    for place, more, size in (
        ("in.h5", (), [16, 16, 2]),
        ("camera.npz", ("--sensor-size", SIZE), [16, 16, 2]),
        ("plain.npz", ("--sensor-size", SIZE), [16, 16, 2]),
        ("plain.npz", (), None),
    ):
        outcome = told("data", "plot", place, *more, "--out", "drawn.svg")
        assert outcome["sensor_size"] == size
        assert ("y (pixels)" in (tmp_path / "drawn.svg").read_text()) == (size is not None)
