"""Files with changed or missing bytes: recordings, or an error of eventsim, and nothing else."""

import contextlib
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventsim.datasets import formats, guarded, label_files, nir_events, nmnist, ntidigits, shd
from eventsim.errors import DataError, StorageError
from eventsim.events import Dataset, EventStream
from tests.support.hostile import kinds


def own(folder):
    path = folder / "own.h5"
    stream = EventStream(np.arange(9.0), np.arange(9) % 4, [0, 4, 9], n_channels=4, duration=9.0)
    Dataset(stream, [1, 0], ("a", "b"), None, ["x", "y"]).save(path, splits=["train", "test"])
    return path


def read_own(path):
    Dataset.open(path, split="train").read()


def nir_file(folder):
    nir = pytest.importorskip("nir")
    stream = EventStream([1.0, 2.0], [0, 1], [0, 2], n_channels=2, duration=3.0)
    data = nir.NIRNodeData({"spikes": nir_events.to_nir(stream)})
    nir.write_data(folder / "events.nir", nir.NIRGraphData({"input": data}))
    return folder / "events.nir"


def table(folder):
    (folder / "a.csv").write_text("1,0")
    path = folder / "labels.csv"
    path.write_text("file,label,sample,group\na.csv,yes,0,ann\na.csv,no,1,\n")
    return path


CASES = {
    "nmnist": (kinds._nmnist_packed, lambda path: nmnist.load("train", root=path)),
    "ntidigits": (kinds._digits, lambda path: ntidigits.load("ab-train", root=path)),
    "shd": (kinds._shd, lambda path: shd.load("train", root=path)),
    "own": (own, read_own),
    "nir": (nir_file, nir_events.load),
    "labels": (table, label_files.read_labels),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_file_is_read_or_refused(name, tmp_path_factory, data):
    make, read = CASES[name]
    folder = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    if not folder.exists():
        folder.mkdir()
        (folder / "whole").write_bytes(make(folder).read_bytes())
    path = next(one for one in folder.iterdir() if one.name not in ("whole", "a.csv"))
    content = bytearray((folder / "whole").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    # HDF5 reads some damaged files for ever.
    with mock.patch.object(guarded, "SECONDS", 5), contextlib.suppress(DataError, StorageError):
        read(path)
    with contextlib.suppress(DataError):
        formats.format_of(path)
