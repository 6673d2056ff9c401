"""predict: the classes that a network answers, by its own rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints, Precision, to_host
from eventsim.engine import get_backend, place, simulate
from eventsim.engine.contract.backend import features_of
from eventsim.engine.run.run import check_precision
from eventsim.errors import ShapeError
from eventsim.events import AnyDataset, Dataset, EventStream, SpikeTape, StoredStream
from eventsim.matrix import require
from eventsim.network import Answer, Network
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
        Name of the class; ``#number`` where it has none. Of ``ctc`` the words of the likeliest
        path, also where they are no class: empty where it has none.
    scores
        Logits, float64 [samples, classes]; None for ``ctc``, and of no recordings.
    keys
        Name of every recording, as it was given or as the data set has it; None where none has.
    seconds
        Name of the class with the second-largest score; None where there are no two scores.
    """

    classes: Ints
    names: tuple[str, ...]
    scores: Floats | None
    keys: tuple[str, ...] | None = None
    seconds: tuple[str, ...] | None = None

    __repr__ = short_repr

    def __len__(self) -> int:
        return self.classes.size

    @classmethod
    def of(
        cls, answer: Answer, classes: Ints, scores: Floats | None, keys: Sequence[str] | None = None
    ) -> "Prediction":
        """The answers of a rule with scores, with the names of the classes."""
        names = tuple(answer.name_of(int(k)) for k in classes)
        seconds = None
        if scores is not None and scores.shape[1] > 1:
            order = np.argsort(-scores, axis=1, kind="stable")
            seconds = tuple(answer.name_of(int(k)) for k in order[:, 1])
        return cls(classes, names, scores, None if keys is None else tuple(keys), seconds)

    def table(self) -> list[dict[str, Any]]:
        """A row per recording, as ``pandas.DataFrame`` takes them.

        Returns
        -------
        list of dict
            ``key`` (the number of the recording where it has no name), ``answer``, ``score``,
            ``second`` and ``second_score``. The last three are None where there are no scores.
        """
        ordered: Any = None if self.scores is None else np.sort(self.scores, axis=1)[:, ::-1]
        keys = range(len(self)) if self.keys is None else self.keys
        return [
            {
                "key": key,
                "answer": name,
                "score": None if ordered is None else float(ordered[k, 0]),
                "second": None if self.seconds is None else self.seconds[k],
                "second_score": None if self.seconds is None else float(ordered[k, 1]),
            }
            for k, (key, name) in enumerate(zip(keys, self.names, strict=True))
        ]


def predict(
    net: Network,
    stream: EventStream | StoredStream | AnyDataset,
    *,
    keys: Sequence[str] | None = None,
    tail: float | None = None,
    backend: str = "auto",
    precision: Precision = "single",
) -> Prediction:
    """Answers of a network to every recording, by its own rule; see :class:`eventsim.Answer`.

    Parameters
    ----------
    net
        A trained network, or one whose answer ``net.set_answer`` has set.
    stream
        The recordings, in memory or in a file; of a data set no label is read.
    keys
        Name of every recording, such as its file; None for those of a data set.
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
        As :func:`eventsim.simulate`; ShapeError also if there are not as many keys as recordings.
    """
    require_answers("predict", net, backend, precision)
    stream, keys = recordings_and_keys(stream, keys)
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
    classes = np.concatenate([np.zeros(0, np.int64), *(part.classes for part in parts)])
    assert net.answer is not None
    if net.answer.rule == "ctc":
        names = tuple(name for part in parts for name in part.names)
        return Prediction(classes, names, None, None if keys is None else tuple(keys))
    scores = [part.scores for part in parts if part.scores is not None]
    return Prediction.of(net.answer, classes, np.concatenate(scores) if scores else None, keys)


def require_answers(capability: str, net: Network, backend: str, precision: Precision) -> None:
    """Raise the error of the matrix unless the network answers so on that backend."""
    check_precision(precision, capability)
    require(capability, net, features_of(get_backend(backend)), precision, where=capability)


def recordings_and_keys(
    given: EventStream | StoredStream | AnyDataset, keys: Sequence[str] | None
) -> tuple[EventStream | StoredStream, Sequence[str] | None]:
    """The recordings of what was given to be answered, and their names where they have some."""
    stream = given.stream if isinstance(given, Dataset) else given
    if keys is None and isinstance(given, Dataset) and given.keys is not None:
        keys = given.keys.tolist()
    if keys is not None and len(keys) != stream.n_samples:
        raise ShapeError(
            "predict",
            f"{len(keys)} keys were given for {stream.n_samples} recordings",
            "one for each",
        )
    return stream, keys


def read_answers(net: Network, tape: SpikeTape) -> Prediction:
    """:func:`predict` of the recordings of a tape, which hold the tail already."""
    config, answer = config_of(net, "predict"), net.answer
    assert answer is not None
    loss: Any = make_loss(config, np.zeros(tape.stream.n_samples, np.int64), answer.class_names)
    if answer.rule == "ctc":
        heard = loss.heard(net, tape)
        return Prediction(loss.answers(heard), tuple(map(answer.spelled, heard)), None)
    scores = to_host(loss.logits(net, tape))
    return Prediction.of(answer, predicted(scores), scores)
