"""The content of the page of a run: its training, and measurements of its network.

``eventsim train`` has the training alone. ``eventsim report`` adds costs, mappings and number
formats. A sentence takes the place of a part that was not asked for or could not be made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.energy import DenseEquivalent, RunCosts
from eventsim.events import AnyDataset, EventStream, SpikeTape, StoredStream
from eventsim.network import Answer, Network
from eventsim.network.late import LateBegin, late_begin
from eventsim.train import DecisionOverTime, TrainConfig
from eventsim.train.choice import answer_of
from eventsim.train.counting import count_trained, distinct_values
from eventsim.train.loss_settings import ValuesLoss
from eventsim.train.parts import Parts

if TYPE_CHECKING:
    from eventsim.mapping import Congestion, MappingComparison, StudyRow
    from eventsim.mapping.fits import Fit

Metrics = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Checked:
    """A network of the run, and its evaluation on held-out data."""

    epoch: int  # after which the network was taken, counted from 1
    # On the held-out data: ``Evaluation`` of classes, ``RegressionEvaluation`` of values
    evaluation: Any

    def described(self) -> dict[str, Any]:
        """As plain values."""
        return {"epoch": self.epoch, **self.evaluation.described()}


Tested = tuple[Checked, Checked | None]
"""The network after the last epoch, and the one that validation chose."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord:
    """A finished run."""

    title: str  # heading of the page, for example the name of the data set
    # The network at the start and after the last epoch
    net_before: Network
    net_after: Network
    test: AnyDataset  # held-out data: never used for training or selection
    last: Checked  # the network after the last epoch on ``test``
    # The network that the validation part chose on ``test``; None without validation
    selected: Checked | None = None
    # Settings and the line of metrics of every epoch
    config: TrainConfig
    history: Sequence[Metrics]
    command: str = ""  # what was typed, or would have to be
    version: str = ""  # of eventsim
    # Accuracy on ``test`` of always naming the commonest class of the training data, in [0, 1], or
    # mean squared error of always giving the mean of its values; None to leave it out
    guess: float | None = None
    about: str = ""  # sentences on the data: what it is, how it was divided, its licence
    # Who was learned, validated and tested; None where that is not known
    parts: Parts | None = None
    part: str = "held-out"  # what ``test`` is, should it not be held-out data after all

    @property
    def answer(self) -> Answer:
        """The rule by which the network answers."""
        found = answer_of(self.config, self.test.class_names)
        assert found is not None  # a run with classes
        return found

    @property
    def loss_scale(self) -> tuple[float, ...]:
        """Unit of errors of every output in the loss of a run of values."""
        assert isinstance(self.config.loss, ValuesLoss)
        return self.config.loss.scale or (1.0,) * len(self.test.target.names)

    @property
    def n_parameters(self) -> int:
        """Numbers that were trained: weights, neuron parameters, delays."""
        return count_trained(self.net_after, self.config)

    @property
    def n_weights(self) -> int:
        """Number of synaptic weights; a shared weight counts once."""
        sizes = distinct_values(self.net_after)
        return sum(size for key, size in sizes.items() if key.endswith(".weights"))

    @property
    def seconds(self) -> float:
        """Time of training in seconds, validation included; see :attr:`compile_seconds`."""
        return float(sum(line["seconds"] for line in self.history))

    @property
    def compile_seconds(self) -> float:
        """Time of compiling kernels in seconds, which :attr:`seconds` does not include."""
        return float(sum(line["compile_seconds"] for line in self.history))

    @property
    def mean_rate(self) -> float:
        """Spikes per neuron and second over all spiking populations, on ``test``."""
        rates = list(self.last.evaluation.rates.values())
        return float(np.mean(np.concatenate(rates))) if rates else 0.0

    @property
    def synaptic_events(self) -> float:
        """Mean number per sample of ``test``, over all projections."""
        return float(sum(self.last.evaluation.synaptic_events.values()))


@dataclass(frozen=True)
class Unmade:
    """In place of a part that was not made: the reason."""

    reason: str  # A sentence: why, and how one gets it


_LATER = Unmade("Not made yet: eventsim report, with the folder of this run.")


@dataclass(frozen=True, eq=False)
class ChipMapping:
    """A network on one chip."""

    compared: MappingComparison  # the mapping and its baselines
    # Of the mapping; a sentence where the chip has no figures for it
    congestion: Congestion | Unmade


@dataclass(frozen=True)
class Priced:
    """Costs of the run, and of dense networks for comparison."""

    costs: RunCosts
    dense: tuple[DenseEquivalent, ...]
    fits: Mapping[str, Fit]  # on the cores of each chip, by its name


@dataclass(frozen=True, eq=False, kw_only=True)
class OverTime:
    """Answers and costs by the share of a recording that is read."""

    shares: Floats  # of the time, ascending, the last one 1. [times]
    decided: DecisionOverTime  # scores after these shares
    labels: Ints  # right class of every recording. [samples]
    priced_at: Ints  # numbers of the shares at which ``costs`` are
    costs: Sequence[RunCosts]  # up to these times
    margin: float  # of the early exit

    @property
    def chips(self) -> list[str]:
        """Names of the chips with a figure for some energy."""
        return [found.chip.name for found in self.costs[-1].reports if found.terms]

    def summary(self) -> dict[str, Any]:
        """As :meth:`eventsim.train.DecisionOverTime.summary`."""
        return self.decided.summary(self.labels, margin=self.margin)

    def rows(self) -> list[dict[str, Any]]:
        """Accuracy and energy where costs are known, means over the recordings, for JSON.

        ``activity_pj`` is the energy without leakage, for chips that have leakage as a term of its
        own. ``missing`` names the terms that the energy of a chip lacks.
        """
        accuracy, times = self.decided.accuracy(self.labels), self.decided.times.mean(axis=0)
        return [
            {
                "share": float(self.shares[at]),
                "time_ms": float(times[at]),
                "accuracy": float(accuracy[at]),
                "energy_pj": {r.chip.name: r.total_pj for r in costs.reports if r.terms},
                "activity_pj": {
                    r.chip.name: r.activity_pj for r in costs.reports if r.leakage == "separate"
                },
                "missing": {r.chip.name: [m.name for m in r.missing] for r in costs.reports},
                "lower_bound": {
                    "energy_pj": {r.chip.name: r.is_lower_bound for r in costs.reports},
                    "activity_pj": {r.chip.name: r.activity_is_lower_bound for r in costs.reports},
                },
            }
            for at, costs in zip(self.priced_at, self.costs, strict=True)
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """A network on recordings, and all content of its page."""

    # Heading, sentences on the data, version of eventsim
    title: str
    about: str
    version: str
    data: str  # which recordings were run, in words: data set and part
    command: str  # what was typed for this page
    # The network, the recordings without a tail, and spikes per neuron and second of simulated
    # time, [size] by population
    net: Network
    stream: EventStream | StoredStream
    rates: Mapping[str, Floats]
    run: RunRecord | Unmade  # the training
    priced: Priced | Unmade  # sparsity and energy
    over_time: OverTime | Unmade  # when the answer is there
    # By title of the chip
    mappings: Mapping[str, ChipMapping | Unmade] = field(default_factory=dict)
    # Number formats, by title of the chip
    studies: Mapping[str, Sequence[StudyRow] | Unmade] = field(default_factory=dict)

    @property
    def answer(self) -> Answer | None:
        """The answer of the network: that of its training, if this is known."""
        return self.net.answer if isinstance(self.run, Unmade) else self.run.answer

    @property
    def late(self) -> LateBegin | None:
        """Warning about recordings that begin late; None if they do not."""
        return late_begin(self.net, self.stream, self.answer)

    @classmethod
    def of_training(cls, run: RunRecord) -> Report:
        """The page of a run that has just been trained."""
        return cls(
            title=run.title,
            about=run.about,
            version=run.version,
            data=f"{run.part} data",
            command=run.command,
            net=run.net_after,
            stream=run.test.stream,
            rates=run.last.evaluation.rates,
            run=run,
            priced=_LATER,
            over_time=_LATER,
        )


def firing_rates(tape: SpikeTape) -> dict[str, Floats]:
    """Spikes per second of each neuron over the whole simulated time, [size] by population."""
    seconds = float(tape.stream.duration.sum()) / 1000.0
    return {
        name: np.bincount(tape[name].neurons, minlength=tape[name].size) / seconds
        for name in tape.names
    }
