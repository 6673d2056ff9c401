"""What NET on the command line stands for, and what a guess would reach."""

from pathlib import Path

import numpy as np

from eventsim.errors import StorageError
from eventsim.events import AnyDataset
from eventsim.network import Network
from eventsim.runs.files import read_json
from eventsim.train import TrainConfig, load_network
from eventsim.train.choice import answer_of


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


def majority_guess(training: AnyDataset, test: AnyDataset) -> float:
    """Accuracy on ``test`` of always naming the commonest class of ``training``."""
    commonest = training.class_names[np.bincount(training.labels).argmax()]
    return float(np.mean(np.array(test.class_names)[test.labels] == commonest))
