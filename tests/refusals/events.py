"""What the calls of ``events.toml`` are made of, beside ``things.py``."""

# ruff: noqa: F401 (the table uses what is imported here)

from types import SimpleNamespace

import numpy as np

import eventsim as es
from eventsim.events import activity
from eventsim.events.hdf5 import check_all
from eventsim.events.labelled import described
from tests.refusals.things import packed, thing
from tests.unit.events.test_activity import made


@thing
def fired():
    """A tape of two recordings of 900 and 400 ms in which a and b fire once each."""
    times = [[[20.0 * k + 1.0] for k in range(n)] for n in (6, 4)]
    return made({"a": [times[0]] * 2, "b": [times[1]] * 2}, {"a": 6, "b": 4})


def poisson(**changed):
    """Sources of two channels, with some arguments changed."""
    given = {"rates": 5.0, "n_channels": 2, "duration": 10.0} | changed
    return es.poisson(given.pop("rates"), **given)


def sources(**changed):
    """A file of sources, of which an array is another."""
    arrays = es.poisson([5.0], duration=5.0).to_arrays() | changed
    head = {"__kind__": "eventsim-stream", "__version__": 1}
    return es.EventStream.load(packed(**head | arrays))


def elsewhere(name):
    """The statement by which the values of a data set lie in another file."""
    return (
        f"old = file[{name!r}][...]; del file[{name!r}]; file.create_dataset({name!r}, old.shape, "
        "old.dtype, external=[('raw', 0, old.nbytes)])"
    )
