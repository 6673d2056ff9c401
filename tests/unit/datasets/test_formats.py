"""What a file is, by what it holds."""

import h5py
import pytest

from eventsim.datasets.formats import format_of


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
