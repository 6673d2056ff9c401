"""What DATA, RUN, NET and EVENTS on the command line stand for."""

import difflib
from pathlib import Path

import numpy as np

from eventsim import datasets
from eventsim.errors import DataError, StorageError
from eventsim.events import AnyDataset, EventStream
from eventsim.events.labelled import spread
from eventsim.network import Network
from eventsim.runs.data import DataSettings
from eventsim.runs.files import read_json
from eventsim.train import TrainConfig, load_network
from eventsim.train.choice import answer_of

Split = str


def find_data(data: str, file: Path | None = None) -> DataSettings:
    """The data set called ``data``, or an HDF5 file of that path in N-TIDIGITS18 layout."""
    if data in datasets.DATASETS:
        return DataSettings(name=data, file=None if file is None else str(file.resolve()))
    path = Path(data)
    if path.is_file():
        if file is not None:
            raise DataError(f"DATA is already the file {data}: leave out --file.")
        return DataSettings(name="ntidigits", file=str(path.resolve()))
    near = difflib.get_close_matches(data, datasets.DATASETS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise DataError(
        f"DATA {data!r} is neither a data set ({', '.join(datasets.DATASETS)}) nor a file.{hint}"
    )


def find_network(place: Path, *, which: str = "last") -> Network:
    """The network in a file, or ``which`` (last, selected, initial) of a run's folder."""
    if place.is_dir():
        file = place / f"{which}.npz"
        if not file.is_file():
            raise StorageError(
                f"{place}: holds no {file.name}. It is no run, or one that is not finished: "
                f"continue it with: eventsim train --resume --out {place}"
            )
        net = load_network(file)
        if net.answer is None:  # of an older version, whose settings say how it answers
            values = read_json(place / "config.json")
            net.set_answer(answer_of(TrainConfig.from_dict(values.get("train", values)), ()))
        return net
    return load_network(place)


def find_events(place: str, *, split: Split, samples: int | None) -> EventStream:
    """Events of an ``EventStream.save`` file or of a data set, at most ``samples`` recordings.

    Those of a data set are spread evenly over its classes, see :func:`spread`.
    """
    if place.endswith(".npz"):
        stream = EventStream.load(place)
        return stream if samples is None else stream[: min(samples, stream.n_samples)]
    return some_events(find_data(place).part(split), samples)


def some_events(data: AnyDataset, samples: int | None) -> EventStream:
    """Events of a data set, of at most ``samples`` recordings."""
    return data.stream[:] if samples is None else data.stream[spread(data.labels, samples)]


def majority_guess(training: AnyDataset, test: AnyDataset) -> float:
    """Accuracy on ``test`` of always naming the commonest class of ``training``."""
    commonest = training.class_names[np.bincount(training.labels).argmax()]
    return float(np.mean(np.array(test.class_names)[test.labels] == commonest))
