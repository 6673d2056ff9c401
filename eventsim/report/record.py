"""RunRecord: what is known of a finished run, as the report takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.events import AnyDataset
from eventsim.network import Network
from eventsim.train import Evaluation, TrainConfig
from eventsim.train.counting import count_trained, distinct_values

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
    part: str = "held-out"

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
        """Time spent training, validation included."""
        return float(sum(line["seconds"] for line in self.history))

    @property
    def mean_rate(self) -> float:
        """Spikes per neuron and second over all spiking populations, on ``test``."""
        return float(np.mean(np.concatenate(list(self.last.evaluation.rates.values()))))

    @property
    def synaptic_events(self) -> float:
        """Mean number per sample of ``test``, over all projections."""
        return float(sum(self.last.evaluation.synaptic_events.values()))
