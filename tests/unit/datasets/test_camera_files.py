"""The same events of a camera from every kind of file, by command; what is left out is named."""

import h5py
import numpy as np
import pytest
import scipy.io

from eventsim.datasets.formats import format_of
from eventsim.events import EventStream
from tests.support.recordings import EVENTS, raw_evt, raw_evt21
from tests.unit.cli.conftest import done, places, told, undrawn  # noqa: F401  fixtures

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
        path.write_bytes(raw_evt21(kind.partition("-")[2] or "little"))
    else:
        path.write_bytes(raw_evt())
    return ()


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
