"""Files of arrays: headers are held to what is stored and expected before values are read."""

import tracemalloc

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import StorageError
from eventsim.events import EventStream, npz
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.events.tape import SpikeTape
from eventsim.train import load_network, save_network
from tests.support.hostile.packed import with_bomb
from tests.support.nets import random_net, random_stream

MB = 1 << 20


def write_whole(kind, path):
    """A whole file of that kind; what reads it."""
    if kind == "stream":
        random_stream(0).save(path)
        return EventStream.load
    if kind == "network":
        save_network(path, random_net(0, sparse=True))
        return load_network
    es.simulate(random_net(0), random_stream(0), backend="reference").save(path)
    return SpikeTape.load


def arrays_of(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def refused(read, path, words):
    """The read is refused, by little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(StorageError, match=words):
            read(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("stream", "times"),
        ("stream", "n_channels"),
        ("stream", "more"),
        ("network", "structure"),
        ("network", "input->hidden1.weights"),
        ("tape", "0.times"),
        ("tape", "names"),
        ("tape", "__kind__"),
    ],
)
def test_zeros_packed_into_a_thousandth_are_refused_before_they_are_unpacked(tmp_path, kind, name):
    path = tmp_path / "file.npz"
    read = write_whole(kind, path)
    path.write_bytes(with_bomb(arrays_of(path), name, 300 * MB))
    assert path.stat().st_size < MB
    assert refused(read, path, "it unpacks to .* bytes from") < 20 * MB


@pytest.mark.parametrize(
    ("kind", "name"), [("stream", "times"), ("network", "hidden1.tau_mem"), ("tape", "0.current")]
)
@pytest.mark.parametrize("change", [lambda a: a[:, None], lambda a: a.astype("f4"),
                                    lambda a: np.tile(a, 1 << 16), lambda a: np.array(1.0),
                                    lambda a: a.astype(complex), lambda a: a[:-1]])  # fmt: skip
def test_an_array_of_another_form_is_refused_before_it_is_read(tmp_path, kind, name, change):
    path = tmp_path / "file.npz"
    read = write_whole(kind, path)
    arrays = arrays_of(path)
    size = sum(values.nbytes for values in arrays.values())
    np.savez(path, **(arrays | {name: change(arrays[name])}))
    assert refused(read, path, "has shape|have shape|do not fit|offsets") < 2 * size + 3 * MB


def test_a_mapping_of_scalars_does_not_become_a_network_of_a_billion_neurons(tmp_path):
    path = tmp_path / "net.npz"
    save_network(path, random_net(0))
    arrays = arrays_of(path)
    structure = str(arrays["structure"]).replace('["hidden1", 6,', '["hidden1", 1000000000,')
    changed = {k: np.array(1.0) for k in arrays if k.startswith("hidden1.")}
    np.savez(path, **(arrays | changed | {"structure": np.array(structure)}))
    assert refused(load_network, path, r"hidden1.tau_mem has shape \(\)") < 20 * MB


def test_a_network_of_zeros_is_read_again_whatever_it_packs_to(tmp_path):
    path, zeros = tmp_path / "zeros.npz", np.zeros(npz.FREE_BYTES // 8 + 1)
    write_arrays(path, {"zeros": zeros}, kind="k", version=1)
    found = read_arrays(path, kind="k", version=1)
    assert not found["zeros"].any()
    assert found["zeros"].size == zeros.size


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array("text"),
     np.array(["a", "bc"]), np.zeros(0), np.zeros((0, 3)), np.array(True),
     np.arange(3, dtype=">f8")],
)  # fmt: skip
def test_arrays_come_back_as_they_were_written(tmp_path, array):
    path = tmp_path / "file.npz"
    write_arrays(path, {"a": array}, kind="k", version=1)
    found = read_arrays(path, kind="k", version=1)["a"]
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.flags.writeable) == (array.dtype, True)
