"""What the calls of ``runs.toml`` are made of: settings of data."""

# ruff: noqa: F401 (the table uses what is imported here)

import json
from pathlib import Path

import numpy as np

import eventsim as es
from eventsim.events import Dataset, EventStream
from eventsim.runs.data import DataSettings
from tests.refusals.things import WRITTEN, file
from tests.unit.runs.test_data import FSDD, GROUPS, YINYANG


def own(groups=None, path="own.h5"):
    """The path of 20 recordings of two classes."""
    n = np.arange(20)
    stream = EventStream(1.0 * n, 0 * n, np.arange(21), n_channels=3, duration=20.0)
    Dataset(stream, n % 2, ("a", "b"), groups=groups).save(path)
    WRITTEN.append(Path(path))
    return path


def first(groups, **given):
    """The training part of the first division of 20 recordings."""
    return DataSettings(file=own(groups), **given).turns[0].labelled("train")


def run_described(content=None):
    """The folder ``run``, whose description is given."""
    if content is not None:
        WRITTEN.append(Path("run"))
        Path("run").mkdir()
        Path("run/run.json").write_text(content)
    return es.load_run("run")
