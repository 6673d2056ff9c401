"""What a file is, by what it holds."""

import h5py
import numpy as np
import pytest

from eventsim.datasets.formats import format_of
from eventsim.errors import DataError


@pytest.mark.parametrize(
    ("groups", "expected"),
    [(["spikes", "labels"], "shd"), (["train_labels", "spikes"], "ntidigits"), (["CD"], "arrays")],
)
def test_hdf5_is_known_by_its_groups(groups, expected, tmp_path):
    path = tmp_path / "events.h5"
    with h5py.File(path, "w") as file:
        for name in groups:
            file.create_group(name)
    assert format_of(path) == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("t", "x", "y", "p", "offsets", "label"),
            "packed part of N-MNIST. Name the data set: nmn",
        ),
        (("a", "b"), "expected"),
    ],
)
def test_npz_that_holds_no_events_says_what_it_is(names, words, tmp_path):
    path = tmp_path / "events.npz"
    np.savez(path, **dict.fromkeys(names, np.zeros(3)))
    with pytest.raises(DataError, match=words):
        format_of(path)
