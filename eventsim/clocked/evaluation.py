"""How well a network on the grid classifies recordings, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eventsim.clocked.config import NEUTRAL, ClockedConfig
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.network import ClockedNetwork
from eventsim.events import AnyDataset
from eventsim.events.transforms import extend
from eventsim.train.choice import config_of, in_classes_of
from eventsim.train.evaluation import check_fit
from eventsim.train.regularise import MS_PER_S


@dataclass(frozen=True, eq=False)
class ClockedEvaluation:
    """Result of :func:`evaluate_clocked`.

    Attributes
    ----------
    accuracy, loss, confusion, rates, synaptic_events, n_samples
        As in :class:`eventsim.train.Evaluation`.
    neuron_updates
        Times that a neuron was advanced by a step: mean per sample.
    """

    accuracy: float
    loss: float
    confusion: NDArray[np.int64]
    rates: Mapping[str, NDArray[np.float64]]
    synaptic_events: Mapping[str, float]
    n_samples: int
    neuron_updates: float


def evaluate_clocked(
    clocked: ClockedNetwork, data: AnyDataset, config: ClockedConfig | None = None
) -> ClockedEvaluation:
    """Run ``clocked`` on every recording.

    Parameters
    ----------
    clocked
        The network; not changed.
    data
        The recordings; not augmented.
    config
        Gives the loss, the output population, the tail, the batch size and precision. The time
        step is that of ``clocked``. None: as the network's own answer says.

    Raises
    ------
    DataError, NetworkError, ShapeError
        There are no recordings, or the output does not fit them; without ``config`` if the network
        has no answer, or lacks a class of the data.
    """
    grid = clocked.grid
    if config is None:
        own, data = config_of(grid, "evaluate_clocked"), in_classes_of(grid, data)
        config = ClockedConfig(train=replace(own, bip=(), **NEUTRAL))
    check_fit(grid, data, config.train)
    loss, n_correct, updates, n = 0.0, 0, 0, len(data)
    confusion = np.zeros((len(data.class_names), grid.populations[config.train.output].size), int)
    counts = {name: np.zeros(p.size) for name, p in grid.spiking.items()}
    events = dict.fromkeys(grid.projections, 0)
    longest_first = np.argsort(-data.stream.duration, kind="stable")
    for index in data.stream.batches(config.train.batch_size, order=longest_first):
        batch = data[index]
        stream = extend(batch.stream, config.train.tail)
        done = run(clocked, stream, precision=config.train.precision, clip=config.clip)
        outcome = config.loss()(done, batch.labels)
        predicted = outcome.logits.argmax(axis=1)
        np.add.at(confusion, (batch.labels, predicted), 1)
        loss += outcome.value * len(batch)
        n_correct += int((predicted == batch.labels).sum())
        updates += done.neuron_updates
        counts = {name: total + counts[name] for name, total in spike_counts(done).items()}
        events = {name: total + events[name] for name, total in done.synaptic_events.items()}
    seconds = float(data.stream.duration.sum()) / MS_PER_S
    return ClockedEvaluation(
        accuracy=n_correct / n,
        loss=loss / n,
        confusion=confusion,
        rates={name: count / seconds for name, count in counts.items()},
        synaptic_events={name: count / n for name, count in events.items()},
        n_samples=n,
        neuron_updates=updates / n,
    )


def spike_counts(done: ClockedRun) -> dict[str, NDArray[np.int64]]:
    """Spikes of every neuron in all samples, [size] by spiking population."""
    return {
        name: record.spikes.sum(axis=(0, 1), dtype=np.int64)
        for name, record in done.records.items()
        if record.spikes is not None
    }
