"""What the calls of ``events.toml`` are made of, beside ``things.py``."""

# ruff: noqa: F401 (the table uses what is imported here)

from eventsim.events.hdf5 import check_all
from eventsim.events.labelled import described


def elsewhere(name):
    """The statement by which the values of a data set lie in another file."""
    return (
        f"old = file[{name!r}][...]; del file[{name!r}]; file.create_dataset({name!r}, old.shape, "
        "old.dtype, external=[('raw', 0, old.nbytes)])"
    )
