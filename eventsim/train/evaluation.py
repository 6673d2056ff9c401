"""Evaluation of a classifier on recordings: accuracy, loss, and cost in spikes and events."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.errors import DataError
from eventsim.events import AnyDataset, Dataset
from eventsim.matrix import matrix, require
from eventsim.measures import wilson
from eventsim.network import Network
from eventsim.network.late import LateBegin, heard_share, late_begin, log_late, one_warning
from eventsim.summary import short_repr
from eventsim.train.choice import answer_count, answer_of, config_of, in_classes_of
from eventsim.train.config import TrainConfig
from eventsim.train.decode import strings_of
from eventsim.train.loss_settings import ValuesLoss, features_of
from eventsim.train.method import AbstractMethod, Exact
from eventsim.train.parallel import ProcessGroup, add_in_order
from eventsim.train.regularise import MS_PER_S
from eventsim.train.silence import Silent, silent_populations

MOST_CONFUSED = 100  # classes; connected digits are thousands, and hardly any pair of them occurs


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of :func:`evaluate`.

    Attributes
    ----------
    accuracy
        Share of samples whose class is predicted, in [0, 1].
    loss
        Mean loss.
    confusion
        Samples of class [true, predicted]; as many columns as possible answers: output neurons,
        classes of a decision (``ctc``: classes, and a last one for all other strings). Empty,
        [0, 0], of more than 100 classes.
    rates
        Spikes per neuron and second, [size] by spiking population. Spikes and time are those of all
        that was simulated: the recordings and the tail after each.
    synaptic_events
        Mean number per sample, by projection.
    n_samples
        Number of samples.
    label_error_rate
        Labels to insert, delete or replace per right label, where the classes are strings
        (``ctc``); else None.
    neuron_updates
        Times that a neuron was advanced by a step, mean per sample, on a grid of time; else None.
    late
        Warning about recordings that begin late; None where they do not.
    heard
        Fraction of the simulated time, the tail included, that is not before the first events, in
        (0, 1].
    """

    accuracy: float
    loss: float
    confusion: Ints
    rates: Mapping[str, Floats]
    synaptic_events: Mapping[str, float]
    n_samples: int
    label_error_rate: float | None = None
    neuron_updates: float | None = None
    late: LateBegin | None = None
    heard: float = 1.0

    __repr__ = short_repr

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy, see :func:`eventsim.measures.wilson`."""
        return wilson(self.accuracy, self.n_samples)

    @property
    def class_samples(self) -> Ints:
        """Samples of every class, [classes]; empty where the confusion matrix is."""
        found: Ints = self.confusion.sum(axis=1)
        return found

    @property
    def class_accuracy(self) -> Floats:
        """Share of the samples of every class that are answered right, [classes].

        NaN of a class without samples; empty where the confusion matrix is.
        """
        n = self.class_samples
        right = np.diagonal(self.confusion[:, : n.size]).astype(np.float64)
        found: Floats = np.divide(right, n, out=np.full(n.size, np.nan), where=n > 0)
        return found

    def by_class(self, class_names: Sequence[str]) -> list[dict[str, Any]]:
        """Accuracy of every class with its interval, as plain values that JSON can hold.

        ``accuracy`` and ``interval`` are None of a class without samples. Empty where the confusion
        matrix is.
        """
        found = []
        names = class_names[: self.class_samples.size]
        for name, n, share in zip(names, self.class_samples, self.class_accuracy, strict=True):
            known = {"accuracy": float(share), "interval": list(wilson(float(share), int(n)))}
            unknown = {"accuracy": None, "interval": None}
            found.append({"class": name, "samples": int(n), **(known if n else unknown)})
        return found

    def described(self) -> dict[str, Any]:
        """As plain values, without rates and counts."""
        return {
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            "loss": self.loss,
            "samples": self.n_samples,
            "late_begin": None if self.late is None else self.late.to_dict(),
        } | ({} if self.label_error_rate is None else {"label_error_rate": self.label_error_rate})

    @property
    def silent(self) -> tuple[Silent, ...]:
        """Populations that are silent on these recordings; the text of each is a warning.

        Only the time from the first events on counts.
        """
        return silent_populations(self.rates, heard=self.heard)


def evaluate(
    net: Network,
    data: AnyDataset,
    config: TrainConfig | None = None,
    *,
    group: ProcessGroup | None = None,
    method: AbstractMethod | None = None,
) -> Evaluation:
    """Run ``net`` on every recording.

    Parameters
    ----------
    net
        The network; not changed.
    data
        The recordings, in memory or in a file; not augmented.
    config
        Gives the loss, the output population, the tail, the batch size, backend and precision.
        None: loss, output, tail and classes of the network's own answer, and defaults for the
        others.
    group
        Processes that divide the batches among them; each gets the whole result, with the same
        bits as one process alone.
    method
        Exact event time if None, or :class:`eventsim.clocked.Grid`.

    Raises
    ------
    DataError, NetworkError, ShapeError
        If there are no recordings, or the network's output does not fit loss or classes; without
        ``config`` if the network has no answer, or lacks a class of the data.
    PeerError
        Another process of the group failed.

    Notes
    -----
    If recordings begin late, a warning is logged and kept as ``late`` of the result.
    """
    if config is None:
        config, data = config_of(net, "evaluate"), in_classes_of(net, data)
    method, group = method or Exact(), group or ProcessGroup()
    on_grid = matrix().capabilities["fixed_step"].features  # a decision among them
    asked = (data, features_of(config.loss), net.features(on_grid))
    require("evaluate", *asked, method.feature)
    check_fit(net, data, config)
    loss: Any = config.loss
    if hasattr(loss, "missed_outputs"):  # of gradients alone, which linear neurons lack
        config = replace(config, loss=replace(loss, missed_outputs=False))
    late = late_begin(net, data.stream, answer_of(config, data.class_names))
    with one_warning():
        log_late(late if group.leads else None)
        found = measure(method.begin(net, config), data, config, group, method)
    return replace(found, late=late, heard=heard_share(data.stream, tail=config.tail))


def measure(
    net: Network, data: AnyDataset, config: TrainConfig, group: ProcessGroup, method: AbstractMethod
) -> Evaluation:
    """:func:`evaluate` of a network in the form of the method."""
    batches = list(data.stream.batches(config.batch_size, order=method.order(data.stream)))
    tallies = [_tally(net, data[batches[i]], config, method) for i in group.share(len(batches))]
    total = add_in_order(group.gather(tallies, len(batches)))

    shape = _confusion_shape(net, data.class_names, config)
    sizes = [1, 1, 1, len(method.forward_costs), math.prod(shape)]
    sizes += [p.size for p in net.spiking.values()]
    loss, n_correct, errors, costs, confusion, *counts, events = np.split(total, np.cumsum(sizes))
    cost = dict(zip(method.forward_costs, costs, strict=True)).get("neuron_updates")
    seconds = float((data.stream.duration + config.tail).sum()) / MS_PER_S
    per_label = None
    if config.loss.rule == "ctc":  # labels of the right strings
        lengths = np.array([len(string) for string in strings_of(data.class_names)])
        per_label = float(errors[0]) / max(int(lengths[data.labels].sum()), 1)
    return Evaluation(
        accuracy=float(n_correct[0]) / len(data),
        loss=float(loss[0]) / max(data.target.given, 1),
        confusion=confusion.reshape(shape).astype(np.int64),
        rates={name: count / seconds for name, count in zip(net.spiking, counts, strict=True)},
        synaptic_events={
            name: float(number) / len(data)
            for name, number in zip(net.projections, events, strict=True)
        },
        n_samples=len(data),
        label_error_rate=per_label,
        neuron_updates=None if cost is None else float(cost) / len(data),
    )


def _confusion_shape(
    net: Network, class_names: Sequence[str], config: TrainConfig
) -> tuple[int, int]:
    if len(class_names) > MOST_CONFUSED:
        return 0, 0
    return len(class_names), answer_count(config, class_names, net)


def _tally(net: Network, batch: Dataset, config: TrainConfig, method: AbstractMethod) -> Floats:
    """Sums over one batch: loss, correct, label errors, costs, confusion, spikes, arrivals.

    All but the first are whole numbers, which float64 adds exactly.
    """
    target = config.target(batch.labels, batch.class_names, values=batch.targets)
    done = method.forward(net, batch.stream, target, config)
    loss = done.value * batch.target.given
    errors = 0 if done.label_errors is None else done.label_errors.sum()
    confusion = np.zeros(_confusion_shape(net, batch.class_names, config))
    if confusion.size:
        np.add.at(confusion, (batch.labels, done.predicted), 1.0)
    return np.concatenate(
        [
            [loss, (done.predicted == batch.labels).sum(), errors, *done.costs],
            confusion.ravel(),
            *(done.counts[name] for name in net.spiking),
            [done.synaptic_events[name] for name in net.projections],
        ]
    )


def check_fit(net: Network, data: AnyDataset, config: TrainConfig) -> None:
    """Raise if data, network and loss cannot work together."""
    if not len(data):
        raise DataError("Dataset", "holds no recordings", "at least one")
    if isinstance(config.loss, ValuesLoss):
        config.loss.of(config.target(data.labels, values=data.targets)).check(net, data.stream)
    elif (answer := answer_of(config, data.class_names)) is not None:
        answer.check(net.populations, net.decision)
