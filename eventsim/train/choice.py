r"""Which loss a TrainConfig means, what it needs of a network, and strings of words as classes.

===========================  ==================================================  ================
``TrainConfig.loss``         loss                                                output
===========================  ==================================================  ================
``cross_entropy``            :class:`CrossEntropy` on the weighted integral      readout
``cross_entropy_maximum``    :class:`VoltageCrossEntropy`, largest voltage       readout
``cross_entropy_last``       :class:`VoltageCrossEntropy`, last voltage          readout
``first_spike``              :class:`FirstSpike`                                 spiking
``spike_count``              :class:`SpikeCount`                                 spiking
``van_rossum``               :class:`ClassTrains`                                spiking
``ctc``                      :class:`CTC`                                        readout
===========================  ==================================================  ================

The network that comes out answers by the rule of its loss (:mod:`eventsim.network.answer`), which
also says what ``ctc`` takes for classes. An answer that is no class at all has the number after the
last class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from eventsim.adjoint import Loss, Seeds
from eventsim.arrays import Floats, Ints
from eventsim.entries import shown
from eventsim.errors import DataError, NetworkError, ParameterError
from eventsim.events import AnyDataset, SpikeTape
from eventsim.network import Answer, Network
from eventsim.network.answer import SPIKING_RULES, VALUES, words_of
from eventsim.train.config import RULES, TrainConfig
from eventsim.train.ctc import CTC
from eventsim.train.decode import String, edits, greedy_strings
from eventsim.train.losses import CrossEntropy, FirstSpike
from eventsim.train.readouts import VoltageCrossEntropy, decision_behind
from eventsim.train.softmax import Classified
from eventsim.train.spiking import ClassTrains, SpikeCount


class ClassifyingLoss(Loss, Protocol):
    """A loss that answers with classes."""

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """Class that is answered, of every sample."""

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and answers in one pass."""


def make_loss(
    config: TrainConfig,
    labels: Ints | Floats,
    class_names: Sequence[str] = (),
    *,
    keep: Floats | None = None,
) -> ClassifyingLoss:
    """The loss that ``config`` names.

    Parameters
    ----------
    config
        Of the run.
    labels
        Class of every sample, [samples], or shares of classes where the loss takes them.
    class_names
        Of the data; only ``ctc`` asks for them.
    keep
        Of :class:`VoltageCrossEntropy`; the other losses have no decision.
    """
    tau, output, gain = config.loss_time_constant(), config.output, config.gain
    margin = config.near_miss_margin if config.learns_from_misses() else None
    if config.loss == "first_spike":
        return FirstSpike(labels, population=output, time_constant=tau, miss_margin=margin)
    if config.loss == "spike_count":
        return SpikeCount(
            labels, population=output, time_constant=tau, gain=gain, miss_margin=margin
        )
    if config.loss == "van_rossum":
        return ClassTrains(
            labels.astype(np.int64),
            population=output,
            time_constant=tau,
            rate=config.target_rate,
            miss_margin=margin,
        )
    if config.loss == "cross_entropy_maximum":
        return VoltageCrossEntropy(labels, at="maximum", readout=output, gain=gain, keep=keep)
    if config.loss == "cross_entropy_last":
        return VoltageCrossEntropy(labels, at="last", readout=output, gain=gain, keep=keep)
    if config.loss == "ctc":
        strings = strings_of(class_names)
        return StringLoss(
            labels, strings, readout=output, interval=config.frame_interval, gain=gain
        )
    return CrossEntropy(labels, readout=output, time_constant=tau, gain=gain)


# Values of an answer, and what TrainConfig calls them.
_CALLED = {
    "time_constant": "time_constant",
    "gain": "gain",
    "rate": "target_rate",
    "interval": "frame_interval",
}


def answer_of(config: TrainConfig, class_names: Sequence[str]) -> Answer:
    """How a network answers that was trained by ``config`` on data of these classes."""
    rule = RULES[config.loss]
    values = {name: getattr(config, _CALLED[name]) for name in VALUES[rule]}
    return Answer(
        population=config.output,
        rule=rule,
        tail=config.tail,
        class_names=tuple(class_names),
        **values,
    )


def config_of(net: Network, who: str) -> TrainConfig:
    """Settings by which a network is asked as its own answer says.

    Raises
    ------
    NetworkError
        For ``who``: the network has no answer.
    """
    answer = net.answer
    if answer is None:
        raise NetworkError(
            f"{who}: the network has no answer: it was not trained by eventsim. Say how it answers "
            "by net.set_answer(es.Answer(rule=..., population=...))."
        )
    values: dict[str, Any] = {_CALLED[name]: getattr(answer, name) for name in VALUES[answer.rule]}
    loss: Any = next(loss for loss, rule in RULES.items() if rule == answer.rule)
    return TrainConfig(loss=loss, output=answer.population, tail=answer.tail, **values)


def in_classes_of(net: Network, data: AnyDataset) -> AnyDataset:
    """The same recordings, labelled by the classes that the network knows, if it knows some.

    Raises
    ------
    DataError
        A recording is of another class; of ``ctc`` if the words are others.
    """
    own = () if net.answer is None else net.answer.class_names
    if net.answer is None or not own:
        return data
    if net.answer.rule != "ctc":
        return data.relabelled(own)
    if words_of(own) != words_of(data.class_names):
        raise DataError(
            f"The data has the words {shown(words_of(data.class_names))}, the network answers with "
            f"{shown(words_of(own))}. Take data of the same words."
        )
    return data


def output_kind(loss: str) -> Literal["readout", "spiking"]:
    """Kind of the population that answers."""
    return "spiking" if RULES[loss] in SPIKING_RULES else "readout"


def output_size(config: TrainConfig, class_names: Sequence[str]) -> int:
    """Neurons that the output needs."""
    return answer_of(config, class_names).n_outputs


def answer_count(config: TrainConfig, class_names: Sequence[str], net: Network) -> int:
    """How many different answers the network can give."""
    return len(class_names) + 1 if config.loss == "ctc" else n_logits(config, net)


def n_logits(config: TrainConfig, net: Network) -> int:
    """How many logits a loss makes of the output."""
    decision = decision_behind(net, config.output)
    if decision is not None:
        return decision.n_classes
    return net.populations[config.output].size


def strings_of(class_names: Sequence[str]) -> list[String]:
    """The numbers of every name's words."""
    if not class_names:
        raise ParameterError("make_loss: the loss 'ctc' needs class_names, whose words are said.")
    number = {word: k for k, word in enumerate(words_of(class_names))}
    return [tuple(number[word] for word in name.split()) for name in class_names]


@dataclass(frozen=True, eq=False)
class StringLoss:
    """CTC where every class is a string; parameters as :class:`CTC`.

    Parameters
    ----------
    labels
        Class of every sample, [samples].
    strings
        One per class.
    """

    labels: Any
    strings: Sequence[String]
    readout: str
    interval: float
    gain: float

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        return self._loss()(net, tape)

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """Class whose string is heard by the likeliest path; their number if it is none."""
        return self._answers(greedy_strings(self._loss().frames(net, tape)))

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds, answers and errors of labels in one pass."""
        value, seeds, frames = self._loss().evaluate(net, tape)
        heard = greedy_strings(frames)
        wrong = [edits(one, self.strings[k]) for one, k in zip(heard, self.labels, strict=True)]
        return Classified(
            value, seeds, frames.logits, self._answers(heard), np.array(wrong, dtype=np.int64)
        )

    def _loss(self) -> CTC:
        targets = [self.strings[k] for k in self.labels]
        return CTC(targets, readout=self.readout, interval=self.interval, gain=self.gain)

    def _answers(self, heard: Sequence[String]) -> Ints:
        number = {string: k for k, string in enumerate(self.strings)}
        return np.array([number.get(one, len(self.strings)) for one in heard], dtype=np.int64)
