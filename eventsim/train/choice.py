"""The answer of a network that a TrainConfig trains, and the TrainConfig for an answer."""

from collections.abc import Sequence
from typing import Any

from eventsim.arrays import Floats, Ints
from eventsim.entries import shown
from eventsim.errors import DataError
from eventsim.events import AnyDataset, Values
from eventsim.matrix import require
from eventsim.network import Answer, Network
from eventsim.network.answer import VALUES, words_of
from eventsim.train.config import TrainConfig
from eventsim.train.loss_settings import LOSSES, ClassifyingLoss
from eventsim.train.readouts import decision_behind


def make_loss(
    config: TrainConfig,
    labels: Ints | Floats,
    class_names: Sequence[str] = (),
    *,
    values: Values | None = None,
) -> ClassifyingLoss:
    """The loss of ``config`` for a batch."""
    return config.loss.of(config.target(labels, class_names, values=values))


def answer_of(config: TrainConfig, class_names: Sequence[str]) -> Answer | None:
    """The answer of a network that was trained by ``config`` on data of these classes.

    None for a network that is fitted to values.
    """
    if config.loss.rule is None:
        return None
    values: dict[str, Any] = {name: getattr(config.loss, name) for name in VALUES[config.loss.rule]}
    return Answer(
        population=config.output,
        rule=config.loss.rule,
        tail=config.tail,
        class_names=tuple(class_names),
        **values,
    )


def config_of(net: Network, who: str) -> TrainConfig:
    """Settings of training that match the network's own answer.

    Raises NetworkError (for ``who``: the network has no answer).
    """
    require("predict", net, where=who)
    answer = net.answer
    assert answer is not None
    values: dict[str, Any] = {name: getattr(answer, name) for name in VALUES[answer.rule]}
    loss = next(loss for loss in LOSSES.values() if loss.rule == answer.rule)
    return TrainConfig(loss=loss(**values), output=answer.population, tail=answer.tail)


def in_classes_of(net: Network, data: AnyDataset) -> AnyDataset:
    """The same recordings, labelled by the classes that the network knows, if it knows some.

    Raises DataError (a recording is of another class; of ``ctc`` if the words are others).
    """
    own = () if net.answer is None else net.answer.class_names
    if net.answer is None or not own:
        return data
    if net.answer.rule != "ctc":
        return data.relabelled(own)
    if words_of(own) != words_of(data.class_names):
        raise DataError(
            "Dataset",
            f"has the words {shown(words_of(data.class_names))}",
            f"{shown(words_of(own))}, with which the network answers",
            "Take data of the same words.",
        )
    return data


def answer_count(config: TrainConfig, class_names: Sequence[str], net: Network) -> int:
    """Number of different answers that the network can give."""
    return len(class_names) + 1 if config.loss.rule == "ctc" else n_logits(config, net)


def n_logits(config: TrainConfig, net: Network) -> int:
    """Number of logits that a loss computes from the output."""
    decision = decision_behind(net, config.output)
    if decision is not None:
        return decision.n_classes
    return net.populations[config.output].size
