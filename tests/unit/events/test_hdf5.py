"""What is outside an HDF5 file is never read, whoever reads it."""

import os
import shutil

import h5py
import numpy as np
import pytest

from eventsim.datasets import ntidigits, shd
from eventsim.errors import DataError, StorageError
from eventsim.events import StoredStream, write_stored
from eventsim.events.stored import Recording
from eventsim.network.nir import read_nir, write_nir
from tests.support.nets import random_net


def stored(folder):
    path = folder / "stored.h5"
    recordings = [Recording([1.0, 2.0], [0, 1], 5.0), Recording([3.0], [1], 5.0)]
    write_stored(path, recordings, n_channels=2, columns={"labels": np.arange(2)})
    return path, lambda: StoredStream.open(path)[:]


def digits(folder):
    path = folder / "digits.hdf5"
    samples = {"man-aa-a-o": ([1.0, 2.0], [0, 1])}
    ntidigits.write(path, train=samples, test=samples)
    return path, lambda: ntidigits.load("train", root=path)


def spiking(folder):
    path = folder / "shd_train.h5"
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (1,), h5py.vlen_dtype(np.float32))
        units = file.create_dataset("spikes/units", (1,), h5py.vlen_dtype(np.uint16))
        times[0], units[0] = [0.1, 0.2], [3, 4]
        file["labels"] = np.zeros(1, "u1")
        file["extra/keys"] = np.array(["zero"], dtype="S")
    return path, lambda: shd.load("train", root=path.parent)


def graph(folder):
    path = folder / "net.nir"
    write_nir(random_net(1, self_delays="none", delays="none"), path, lossy=True)
    return path, lambda: read_nir(path)


MADE = {
    "times": stored, "columns": stored, "columns/labels": stored,
    "train_labels": digits, "train_timestamps": digits, "train_addresses/man-aa-a-o": digits,
    "spikes": spiking, "labels": spiking, "extra": spiking, "node": graph, "node/edges": graph,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::eventsim.network.nir.NirWarning")
@pytest.mark.crossed("a file each; one function looks at the links of all of them", all=1)
@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("link", ["external", "soft to external", "pipe"])
def test_a_link_out_of_the_file_is_refused_and_not_opened(tmp_path, name, link):
    path, read = MADE[name](tmp_path)
    read()
    other = tmp_path / "other.h5"
    shutil.copy(path, other)
    with h5py.File(path, "a") as file:
        del file[name]
        if link == "pipe":
            os.mkfifo(tmp_path / "pipe")
            file[name] = h5py.ExternalLink("pipe", f"/{name}")
        elif link == "external":
            file[name] = h5py.ExternalLink(str(other), f"/{name}")
        else:
            file["elsewhere"] = h5py.ExternalLink(str(other), "/")
            file[name] = h5py.SoftLink(f"/elsewhere/{name}")
    with pytest.raises((DataError, StorageError), match="lie in other files"):
        read()
