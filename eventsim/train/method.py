"""Methods of training: the run and gradient of a batch in exact event time, or otherwise.

:func:`eventsim.train.train` and :func:`eventsim.train.evaluate` are the frame of every method:
batches, augmentation, rate band, optimiser, validation, checkpoints. A method says what lies
between the events of a batch and the gradient: :class:`Exact`, or :class:`eventsim.clocked.Grid`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from eventsim.adjoint import merge_seeds
from eventsim.adjoint.backward import begin_backward
from eventsim.arrays import Array, Floats, Ints, fetch
from eventsim.engine import get_backend, place
from eventsim.engine.contract.counting import SynapticEvents
from eventsim.engine.contract.registry import backend_of
from eventsim.engine.run.look import Look, begin_look
from eventsim.engine.run.run import begin_course
from eventsim.entries import Settings
from eventsim.events import EventStream, SpikeTape, StoredStream
from eventsim.memo import Memo
from eventsim.network import Network
from eventsim.network.late import warn_late
from eventsim.train.config import TrainConfig
from eventsim.train.intrinsic import SpiKL
from eventsim.train.loss_settings import Target
from eventsim.train.near_miss import NearMiss
from eventsim.train.regularise import spike_seeds
from eventsim.train.softmax import Classified


@dataclass(frozen=True, eq=False, kw_only=True)
class Forward:
    """Forward pass of some samples."""

    value: float  # mean loss
    predicted: Ints  # class that is answered, [samples]; NumPy
    scores: Floats  # logits, [samples, classes]
    label_errors: Ints | None = None  # as in :class:`.Classified`
    # Spikes of every neuron in all samples, [size] by spiking population; NumPy
    counts: Mapping[str, Ints]
    synaptic_events: Mapping[str, int]  # sum over the samples, by projection
    costs: Sequence[float] = ()  # further sums over the samples, ``forward_costs`` of the method
    tape: Callable[[], SpikeTape]  # gives the spikes
    record: Any  # what the backward pass of the method takes


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of a whole batch for the backward pass of each of its parts."""

    slopes: Mapping[str, Floats]  # by hidden population, [size]: see :meth:`.RateBand.slopes`
    near_miss: NearMiss  # of hidden neurons that were silent in the whole batch
    counts: Mapping[str, Ints]  # spikes of the hidden populations in the whole batch, [size]
    n_samples: int  # of the whole batch
    keys: Collection[str]  # of the parameters whose gradients are needed


@dataclass(frozen=True, eq=False)
class Backward:
    """Backward pass of some samples; numbers may be arrays without dimensions on a device."""

    values: Mapping[str, Floats]  # gradient by every parameter
    penalty: float | Array  # of near misses
    cost: float | Array  # the method's ``backward_cost``
    good: bool | Array = True  # whether all that the pass began with is finite
    check: Callable[[], None] = lambda: None  # raises ParameterError if it is not


class AbstractMethod(Settings, ABC):
    """A method of training; the defaults are those of exact event time.

    Attributes
    ----------
    name, feature
        Of the method, in files and in the support matrix.
    forward_costs
        Names of :attr:`Forward.costs`.
    backward_cost
        Name of the number that :meth:`backward` counts.
    """

    name: ClassVar[str]
    feature: ClassVar[str] = "exact"
    forward_costs: ClassVar[tuple[str, ...]] = ()
    backward_cost: ClassVar[str]

    def described(self) -> dict[str, Any]:
        """Name and settings, as plain values that JSON can hold."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]

    def check(self, config: TrainConfig) -> None:
        """Raise ParameterError for settings that have no meaning in this method."""

    def meets(self, net: Network, config: TrainConfig) -> Mapping[str, str]:
        """Features of the support matrix that a network has in training by this method alone."""
        return {}

    @abstractmethod
    def begin(self, net: Network, config: TrainConfig) -> Network:
        """A network for exact event time in the form and on the device of the training."""

    def go_on(self, net: Network, config: TrainConfig) -> Network:
        """A network of that form, on the device of the training."""
        return net

    def finish(self, net: Network) -> Network:
        """A network of that form, for exact event time."""
        return net

    def order(self, stream: EventStream | StoredStream) -> Ints | None:
        """Order in which recordings are evaluated; None for their own."""
        return None

    @abstractmethod
    def forward(
        self,
        net: Network,
        stream: EventStream,
        target: Target,
        config: TrainConfig,
        memo: Memo | None = None,
    ) -> Forward:
        """Run recordings; ``memo`` is that of the step if :meth:`backward` follows."""

    @abstractmethod
    def backward(self, net: Network, done: Forward, terms: Terms) -> Backward:
        """Gradients of a part of a batch.

        The loss of the part counts by its share of the samples of the batch.
        """

    def follow(
        self, net: Network, rule: SpiKL, names: Sequence[str], pull: Floats, n_samples: int
    ) -> None:
        """Take a step of the rule, as :meth:`.SpiKL.apply`."""
        rule.apply(net, names, pull, n_samples)

    def bound(self, net: Network) -> None:
        """Keep the network where it can run, after every step; in place."""

    def look(self, net: Network) -> Look | None:
        """Begin to look at the values of the network, for the next batch; None if that is free."""
        return None


@dataclass(frozen=True, kw_only=True)
class Exact(AbstractMethod):
    """Exact event time and exact gradients, see :mod:`eventsim.adjoint`."""

    name: ClassVar[str] = "exact"
    backward_cost: ClassVar[str] = "grazes"

    def begin(self, net: Network, config: TrainConfig) -> Network:
        """The same network, on the device of the training."""
        return place(net, backend=config.backend)

    def go_on(self, net: Network, config: TrainConfig) -> Network:
        """The same network, on the device of the training."""
        return place(net, backend=config.backend)

    def look(self, net: Network) -> Look | None:
        """Begin to look at a network on a device."""
        engine = backend_of(next(iter(net.parameters().values())))
        return None if engine is None else begin_look(net, engine)

    def forward(
        self,
        net: Network,
        stream: EventStream,
        target: Target,
        config: TrainConfig,
        memo: Memo | None = None,
    ) -> Forward:
        """Run recordings; the spikes stay on the device."""
        course = begin_course(
            net,
            stream,
            tail=config.tail,
            backend=config.backend,
            precision=config.precision,
            memo=memo,
        )
        warn_late(net, stream)
        tape = replace(course.finish(), memo=memo)
        outcome: Classified = config.loss.of(target).classify(net, tape)
        engine, names = get_backend(tape.backend), list(net.spiking)
        counts = [engine.total_counts(tape[name]) for name in names]
        events = tape.synaptic_events
        arrived = events.counts if isinstance(events, SynapticEvents) else [*events.values()]
        # The host waits for the device once.
        value, predicted, arrived, *counts = fetch(
            outcome.value, outcome.predicted, arrived, *counts
        )
        return Forward(
            value=float(value),
            predicted=predicted.astype(np.int64),
            scores=outcome.logits,
            label_errors=outcome.label_errors,
            counts={n: count.astype(np.int64) for n, count in zip(names, counts, strict=True)},
            synaptic_events=dict(zip(events, map(int, arrived), strict=True)),
            tape=lambda: tape,
            record=outcome.seeds,
        )

    def backward(self, net: Network, done: Forward, terms: Terms) -> Backward:
        """Exact gradients; near misses add theirs."""
        tape = done.tape()
        seeds = merge_seeds({}, done.record, weight=done.predicted.size / terms.n_samples)
        # The slopes are those of the whole batch: no share of samples here.
        seeds = merge_seeds(seeds, spike_seeds(terms.slopes, tape))
        missed, by_miss = terms.near_miss.of_silent(
            net, tape, terms.counts, n_samples=terms.n_samples
        )
        begun = begin_backward(net, tape, merge_seeds(seeds, by_miss), keys=terms.keys)
        return Backward(begun.values, missed, begun.grazes, begun.good, begun.check)
