"""predict: the classes that a network answers, by its own rule."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints, Precision, to_host
from eventsim.engine import place, simulate
from eventsim.events import EventStream, SpikeTape, StoredStream
from eventsim.network import Network
from eventsim.network.late import one_warning, warn_late
from eventsim.summary import short_repr
from eventsim.train.choice import config_of, make_loss
from eventsim.train.softmax import predicted

BATCH = 64  # recordings that are run together; no answer depends on it


@dataclass(frozen=True, eq=False)
class Prediction:
    """Answers of a network, one per recording.

    Attributes
    ----------
    classes
        Number of the class, int64 [samples].
    names
        Name of the class; ``#number`` where it has none, such as a string of ``ctc`` that is no
        class.
    scores
        Logits, float64 [samples, classes]; None for ``ctc``, and of no recordings.
    """

    classes: Ints
    names: tuple[str, ...]
    scores: Floats | None

    __repr__ = short_repr

    def __len__(self) -> int:
        return self.classes.size


def predict(
    net: Network,
    stream: EventStream | StoredStream,
    *,
    tail: float | None = None,
    backend: str = "auto",
    precision: Precision = "single",
) -> Prediction:
    """What a network answers to every recording, by its own rule; see :class:`eventsim.Answer`.

    Parameters
    ----------
    net
        A network that was trained, or to which ``net.set_answer`` was told how it answers.
    stream
        The recordings, in memory or in a file.
    tail, backend, precision
        As :func:`eventsim.simulate`; single precision is that of training by default.

    Returns
    -------
    Prediction
        New arrays, in NumPy.

    Raises
    ------
    NetworkError
        The network has no answer.
    ParameterError, ShapeError, BackendError, RunawayError
        As :func:`eventsim.simulate`.
    """
    config_of(net, "predict")
    placed = place(net, backend=backend)
    parts = []
    with one_warning():
        warn_late(net, stream)
        for index in stream.batches(BATCH):
            tape = simulate(
                placed, stream[index], tail=tail, backend=backend, precision=precision,
                resident=True,
            )  # fmt: skip
            parts.append(read_answers(placed, tape))
    scores = [part.scores for part in parts if part.scores is not None]
    return Prediction(
        np.concatenate([np.zeros(0, np.int64), *(part.classes for part in parts)]),
        tuple(name for part in parts for name in part.names),
        np.concatenate(scores) if scores else None,
    )


def read_answers(net: Network, tape: SpikeTape) -> Prediction:
    """:func:`predict` of the recordings of a tape, which hold the tail already."""
    config, answer = config_of(net, "predict"), net.answer
    assert answer is not None
    loss: Any = make_loss(config, np.zeros(tape.stream.n_samples, np.int64), answer.class_names)
    if answer.rule == "ctc":
        classes, scores = loss.predictions(net, tape), None
    else:
        scores = to_host(loss.logits(net, tape))
        classes = predicted(scores)
    return Prediction(classes, tuple(answer.name_of(int(k)) for k in classes), scores)
