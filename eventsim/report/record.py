"""What the page of a run is made of: its training, and what was found out about the network.

``eventsim train`` knows the training alone; ``eventsim report`` adds costs, mappings and number
formats. A part that was not asked for, or could not be made, is a sentence instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.energy import DenseEquivalent, RunCosts
from eventsim.events import AnyDataset, EventStream, SpikeTape, StoredStream
from eventsim.mapping import Congestion, MappingComparison, StudyRow
from eventsim.network import Answer, Network
from eventsim.network.late import LateBegin, late_begin
from eventsim.train import DecisionOverTime, Evaluation, TrainConfig
from eventsim.train.choice import answer_of
from eventsim.train.counting import count_trained, distinct_values
from eventsim.train.parts import Parts

Metrics = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Checked:
    """A network of the run and how it did on held-out data.

    Attributes
    ----------
    epoch
        After which the network was taken, counted from 1.
    evaluation
        On the held-out data.
    """

    epoch: int
    evaluation: Evaluation


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRecord:
    """A finished run.

    Attributes
    ----------
    title
        Heading of the page, for example the name of the data set.
    net_before, net_after
        The network at the start and after the last epoch.
    test
        Held-out data: never used for training or selection.
    last
        The network after the last epoch on ``test``.
    selected
        The network that the validation part chose on ``test``; None without validation.
    config, history
        Settings and the line of metrics of every epoch.
    command
        What was typed, or would have to be.
    version
        Of eventsim.
    guess
        Accuracy on ``test`` of always naming the commonest class of the training data, in
        [0, 1]; None to leave it out.
    about
        Sentences on the data: what it is, how it was divided, its licence.
    parts
        Who was learned, validated and tested; None where that is not known.
    part
        What ``test`` is, should it not be held-out data after all.
    """

    title: str
    net_before: Network
    net_after: Network
    test: AnyDataset
    last: Checked
    selected: Checked | None = None
    config: TrainConfig
    history: Sequence[Metrics]
    command: str = ""
    version: str = ""
    guess: float | None = None
    about: str = ""
    parts: Parts | None = None
    part: str = "held-out"

    @property
    def answer(self) -> Answer:
        """How the network answers."""
        return answer_of(self.config, self.test.class_names)

    @property
    def n_parameters(self) -> int:
        """Numbers that were trained: weights, neuron parameters, delays."""
        return count_trained(self.net_after, self.config)

    @property
    def n_weights(self) -> int:
        """Synaptic weights, those that are one counted once."""
        sizes = distinct_values(self.net_after)
        return sum(size for key, size in sizes.items() if key.endswith(".weights"))

    @property
    def seconds(self) -> float:
        """Time spent training, validation included; see :attr:`compile_seconds`."""
        return float(sum(line["seconds"] for line in self.history))

    @property
    def compile_seconds(self) -> float | None:
        """Time spent compiling kernels, which is no part of :attr:`seconds`.

        None of a run of earlier versions, whose :attr:`seconds` include it.
        """
        if not all("compile_seconds" in line for line in self.history):
            return None
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
    """Stands for a part that was not made.

    Attributes
    ----------
    reason
        A sentence: why, and how one gets it.
    """

    reason: str


_LATER = Unmade("Not made yet: eventsim report, with the folder of this run.")


@dataclass(frozen=True, eq=False)
class ChipMapping:
    """A network on one chip.

    Attributes
    ----------
    compared
        The mapping and its baselines.
    congestion
        Of the mapping; a sentence where the chip has no figures for it.
    """

    compared: MappingComparison
    congestion: Congestion | Unmade


@dataclass(frozen=True)
class Priced:
    """Costs of the run, and the dense networks beside it."""

    costs: RunCosts
    dense: tuple[DenseEquivalent, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class OverTime:
    """Answers and costs by the share of a recording that is read.

    Attributes
    ----------
    shares
        Of the time, ascending, the last one 1. [times]
    decided
        Scores after these shares.
    labels
        Right class of every recording. [samples]
    priced_at
        Numbers of the shares at which ``costs`` are.
    costs
        Up to these times.
    margin
        Of the early exit.
    """

    shares: Floats
    decided: DecisionOverTime
    labels: Ints
    priced_at: Ints
    costs: Sequence[RunCosts]
    margin: float

    @property
    def chips(self) -> list[str]:
        """Names of the chips that have a figure of an energy."""
        return [found.chip.name for found in self.costs[-1].reports if found.terms]

    def summary(self) -> dict[str, Any]:
        """As :meth:`eventsim.train.DecisionOverTime.summary`."""
        return self.decided.summary(self.labels, margin=self.margin)

    def rows(self) -> list[dict[str, Any]]:
        """Accuracy and energy where costs are known, means over the recordings, for JSON.

        ``activity_pj`` is the energy without leakage, of chips that have it as a term of its own.
        ``missing`` names what the energy of every chip lacks.
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
    """A network on recordings, and everything that is told of it on its page.

    Attributes
    ----------
    title, about, version
        Heading, sentences on the data, version of eventsim.
    data
        Which recordings were run, in words: data set and part.
    command
        What was typed for this page.
    net, stream, rates
        The network, the recordings without a tail, and spikes per neuron and second of simulated
        time, [size] by population.
    run
        The training.
    priced
        Sparsity and energy.
    over_time
        When the answer is there.
    mappings
        By title of the chip.
    studies
        Number formats, by title of the chip.
    """

    title: str
    about: str
    version: str
    data: str
    command: str
    net: Network
    stream: EventStream | StoredStream
    rates: Mapping[str, Floats]
    run: RunRecord | Unmade
    priced: Priced | Unmade
    over_time: OverTime | Unmade
    mappings: Mapping[str, ChipMapping | Unmade] = field(default_factory=dict)
    studies: Mapping[str, Sequence[StudyRow] | Unmade] = field(default_factory=dict)

    @property
    def answer(self) -> Answer | None:
        """How the network answers: as it was trained, where that is known."""
        return self.net.answer if isinstance(self.run, Unmade) else self.run.answer

    @property
    def late(self) -> LateBegin | None:
        """What is to be said of recordings that begin late; None where they do not."""
        return late_begin(self.net, self.stream, self.answer)

    @classmethod
    def of_training(cls, run: RunRecord) -> "Report":
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
    """Spikes per second of every neuron in all that was simulated, [size] by population."""
    seconds = float(tape.stream.duration.sum()) / 1000.0
    return {
        name: np.bincount(tape[name].neurons, minlength=tape[name].size) / seconds
        for name in tape.names
    }
