"""The settings of each loss: its values, how its network answers, and the loss of a batch.

=====================  =======================  ===========================================  =======
``kind``               settings                 loss                                         output
=====================  =======================  ===========================================  =======
cross_entropy          :class:`IntegralLoss`    :class:`.CrossEntropy`, weighted integral    readout
cross_entropy_maximum  :class:`MaximumLoss`     :class:`.VoltageCrossEntropy`, largest       readout
cross_entropy_last     :class:`LastLoss`        :class:`.VoltageCrossEntropy`, last voltage  readout
first_spike            :class:`FirstSpikeLoss`  :class:`.FirstSpike`                         spiking
spike_count            :class:`SpikeCountLoss`  :class:`.SpikeCount`                         spiking
van_rossum             :class:`SpikeTrainLoss`  :class:`.ClassTrains`                        spiking
ctc                    :class:`WordsLoss`       :class:`.CTC`, a string of words             readout
mean_squared_error     :class:`ValuesLoss`      :class:`.MeanSquaredError`, regression       readout
=====================  =======================  ===========================================  =======

The network answers by the rule of its loss (:mod:`eventsim.network.answer`). ``time_constant`` and
``interval`` are in ms, ``rate`` is in Hz; ``gain`` is the factor from voltage or trace to logit.

``dropout`` leaves each readout neuron out of the linear decision with this probability, drawn for
every sample of every batch; the other neurons are scaled up accordingly. It needs
:meth:`eventsim.Network.decide`. ``missed_outputs`` lets silent neurons of the output learn from
near misses within ``TrainConfig.near_miss_margin`` (for ``van_rossum``, also from unwanted spikes):
a pseudo-gradient, see :mod:`eventsim.train.near_miss`. The defaults were measured by
bench/macro/training_terms.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, get_args

from eventsim.adjoint import Loss
from eventsim.arrays import Floats, Ints
from eventsim.entries import Above0, NotNegative, Positive, Settings, Share
from eventsim.errors import DataError
from eventsim.events import SpikeTape, Values
from eventsim.network import Network
from eventsim.network.answer import Onset, Rule
from eventsim.train.ctc import CTC
from eventsim.train.decode import StringLoss, strings_of
from eventsim.train.losses import CrossEntropy, FirstSpike
from eventsim.train.readouts import VoltageCrossEntropy
from eventsim.train.softmax import Classified
from eventsim.train.spiking import ClassTrains, SpikeCount
from eventsim.train.values import MeanSquaredError


class ClassifyingLoss(Loss, Protocol):
    """A loss that answers with classes."""

    def predictions(self, net: Network, tape: SpikeTape) -> Ints:
        """Class that is answered, of every sample."""

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and answers in one pass."""


@dataclass(frozen=True, eq=False)
class Target:
    """Labels or values that a loss compares with, beside its own settings."""

    labels: Any  # class of every sample, [samples], or shares of classes where the loss takes them
    output: str = "output"  # name of the population that answers
    class_names: Sequence[str] = ()  # of the data; only ``ctc`` asks for them
    # Of outputs that learn from near misses, in thresholds above rest
    near_miss_margin: float = 1.0
    # Of :class:`.VoltageCrossEntropy`; the other losses have no decision
    keep: Floats | None = None
    values: Values | None = None  # wanted values; ``mean_squared_error`` alone asks for them


def _values(settings: Any) -> dict[str, Any]:
    """The settings that a loss takes, which calls them the same."""
    others = ("kind", "dropout", "missed_outputs")
    return {name: value for name, value in vars(settings).items() if name not in others}


def _of_spikes(settings: Any, to: Target) -> dict[str, Any]:
    """Arguments of a loss on the spikes of an output."""
    margin = to.near_miss_margin if settings.missed_outputs else None
    return {"population": to.output, "miss_margin": margin, **_values(settings)}


@dataclass(frozen=True, kw_only=True)
class IntegralLoss(Settings):
    """``cross_entropy``; the default of 300 ms is about two thirds of a spoken digit.

    ``onset`` is where the weight begins: ms after the start of the recording, or ``first_event``.
    """

    kind: Literal["cross_entropy"] = "cross_entropy"
    time_constant: Above0 = 300.0
    gain: Positive = 20.0
    onset: Onset = 0.0
    rule: ClassVar[Rule] = "integral"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        return CrossEntropy(to.labels, readout=to.output, **_values(self))


@dataclass(frozen=True, kw_only=True)
class MaximumLoss(Settings):
    """``cross_entropy_maximum``."""

    kind: Literal["cross_entropy_maximum"] = "cross_entropy_maximum"
    gain: Positive = 20.0
    dropout: Share = 0.0
    rule: ClassVar[Rule] = "maximum"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        return VoltageCrossEntropy(
            to.labels, at="maximum", readout=to.output, keep=to.keep, **_values(self)
        )


@dataclass(frozen=True, kw_only=True)
class LastLoss(Settings):
    """``cross_entropy_last``."""

    kind: Literal["cross_entropy_last"] = "cross_entropy_last"
    gain: Positive = 20.0
    dropout: Share = 0.0
    rule: ClassVar[Rule] = "last"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        return VoltageCrossEntropy(
            to.labels, at="last", readout=to.output, keep=to.keep, **_values(self)
        )


@dataclass(frozen=True, kw_only=True)
class FirstSpikeLoss(Settings):
    """``first_spike``; ``late_strength``, ``late_time_constant`` (ms) as :class:`.FirstSpike`."""

    kind: Literal["first_spike"] = "first_spike"
    time_constant: Positive = 10.0
    missed_outputs: bool = False
    late_strength: NotNegative = 0.0
    late_time_constant: Positive = 6.4
    rule: ClassVar[Rule] = "first_spike"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        return FirstSpike(to.labels, **_of_spikes(self, to))


@dataclass(frozen=True, kw_only=True)
class SpikeCountLoss(Settings):
    """``spike_count``."""

    kind: Literal["spike_count"] = "spike_count"
    time_constant: Positive = 10.0
    gain: Positive = 20.0
    missed_outputs: bool = True
    rule: ClassVar[Rule] = "spike_count"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        return SpikeCount(to.labels, **_of_spikes(self, to))


@dataclass(frozen=True, kw_only=True)
class SpikeTrainLoss(Settings):
    """``van_rossum``; ``rate`` is wanted of the neuron of the class."""

    kind: Literal["van_rossum"] = "van_rossum"
    time_constant: Positive = 30.0
    rate: Positive = 50.0
    missed_outputs: bool = True
    rule: ClassVar[Rule] = "van_rossum"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        return ClassTrains(to.labels, **_of_spikes(self, to))


@dataclass(frozen=True, kw_only=True)
class WordsLoss(Settings):
    """``ctc``; ``interval`` is the time between frames."""

    kind: Literal["ctc"] = "ctc"
    gain: Positive = 20.0
    interval: Positive = 10.0
    rule: ClassVar[Rule] = "ctc"

    def of(self, to: Target) -> ClassifyingLoss:
        """The loss of a batch."""
        strings = strings_of(to.class_names)
        targets = [strings[k] for k in to.labels]
        return StringLoss(to.labels, strings, CTC(targets, readout=to.output, **_values(self)))


@dataclass(frozen=True, kw_only=True)
class ValuesLoss(Settings):
    """``mean_squared_error``; ``scale`` is the unit of each output in which errors count.

    Empty for 1. A run by command for which none is set has the standard deviation of each output
    over its training part.
    """

    kind: Literal["mean_squared_error"] = "mean_squared_error"
    scale: tuple[Above0, ...] = ()
    rule: ClassVar[None] = None  # it answers with values, not with a class

    def of(self, to: Target) -> MeanSquaredError:
        """The loss of a batch; DataError where the recordings have no targets."""
        if to.values is None:
            raise DataError(
                "mean_squared_error",
                "the recordings have no targets",
                "a file of eventsim data import --targets, or Dataset(.., targets=..)",
            )
        return MeanSquaredError(to.values.values, to.values.times, to.output, self.scale)


LossSettings = (
    IntegralLoss | MaximumLoss | LastLoss | FirstSpikeLoss | SpikeCountLoss | SpikeTrainLoss
    | WordsLoss | ValuesLoss
)  # fmt: skip
LOSSES: Mapping[str, type[LossSettings]] = {one.kind: one for one in get_args(LossSettings)}


def features_of(loss: LossSettings) -> dict[str, str]:
    """Features of a loss in the support matrix: its purpose, and its network's answer."""
    said = f"the loss is {loss.kind!r}"
    if loss.rule is None:
        return {"for_values": said}
    missed = {"missed_outputs": f"{said} with missed_outputs"}
    on = missed if getattr(loss, "missed_outputs", False) else {}
    return {"for_classes": said, loss.rule: said, **on}
