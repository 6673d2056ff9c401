"""The protocol of a backend: what the library asks of each, one stage at a time.

:mod:`eventsim.engine.reference` is the definition. A backend of one's own has these methods, with
or without this class as a base, and is made known by :func:`eventsim.engine.register_backend`.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats
from eventsim.engine.contract.adam import Adam, Bounded, Trained
from eventsim.engine.contract.counting import count_arrivals
from eventsim.engine.contract.job import Job, StageGradients, Voltages
from eventsim.engine.contract.linear import LinearPiece
from eventsim.engine.contract.loop_state import LoopState
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import LayerState
from eventsim.engine.contract.stepping import BundledSynapses, Frame, Stepped
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection

Given = ParamSpec("Given")
Found = TypeVar("Found")


# What a backend may run beyond LIF neurons, whole, in double precision: neurons with an adaptive
# threshold, linear neurons of other kinds; these chunk by chunk, and gradients of such chunks;
# gradients of chunks at all; a given start (Job.start); single precision; neurons window by window
# in both precisions, as eventsim.ranks does.
FURTHER = frozenset(
    {
        "adaptive",
        "linear",
        "linear_chunks",
        "linear_chunks_back",
        "chunks_back",
        "starts",
        "single",
        "windows",
    }
)


def features_of(engine: "Backend") -> dict[str, str]:
    """Features of a backend in :mod:`eventsim.matrix`: its name, and what it does not run."""
    said = f"backend {engine.name!r}"
    lacks = FURTHER - getattr(engine, "runs", frozenset())
    return dict.fromkeys((engine.name, *(f"without_{name}" for name in lacks)), said)


class Backend(Protocol):
    """The functions that every backend offers; ``reference`` defines their results."""

    name: str
    # Those of FURTHER that it runs.
    runs: frozenset[str] = frozenset()
    # Whether it runs every stage by what eventsim.engine.algorithm says; else in a way of its own.
    by_algorithm: bool = False

    @property
    def xp(self) -> Any:
        """Library of the backend's own arrays: NumPy, or one that takes the same calls."""

    def asarray(self, values: Any) -> Array:
        """The same values as an own array; the same array if it is one."""

    def sum_by(self, values: Array, index: Array, size: int) -> Array:
        """Sum of ``values`` by ``index``, [size]; each sum in the order of the values."""

    def sum_source(self, job: Job, k: int, values: Array) -> Array:
        """Sum of ``values`` of the spikes of source k, by neuron; in the order of the spikes."""

    def layer_forward(self, job: Job) -> SpikeTrains:
        """Spikes of a spiking population."""

    def layer_resume(self, job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
        """Spikes from where the neurons of ``state`` stand on, and the state to go on from.

        Those before its end are found a second time.
        """

    def stepped(self, job: Job, synapses: BundledSynapses, frame: Frame) -> Stepped:
        """The neurons of a job of one sample that has no afferents, to run window by window."""

    def layer_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: Piece | None = None,
    ) -> StageGradients:
        """Gradients from dL/dt of its spikes and dL/dV just before them.

        With a piece, only of what is met from its begin on:
        :mod:`eventsim.engine.contract.piece`.
        """

    def queue_forward(self, job: Job) -> SpikeTrains:
        """Spikes of populations that form a loop, all members as one population."""

    def queue_resume(self, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
        """As :meth:`layer_resume`, of populations that form a loop."""

    def queue_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: Piece | None = None,
    ) -> StageGradients:
        """As :meth:`layer_backward`, of populations that form a loop.

        What their spikes do to each other is included.
        """

    def linear_forward(self, job: Job) -> SpikeTrains:
        """Spikes of a stage with linear neurons, a layer or a loop."""

    def linear_resume(self, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
        """As :meth:`queue_resume`, of a stage with linear neurons."""

    def linear_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: LinearPiece | None = None,
    ) -> StageGradients:
        """As :meth:`queue_backward`, of a stage with linear neurons."""

    def readout_forward(self, job: Job, rate: float) -> Floats:
        """Integral of exp(-rate t) V(t) over every sample, shape [samples, size]."""

    def readout_backward(self, job: Job, rate: float, by_integral: Floats) -> StageGradients:
        """Gradients from dL/d(integral), shape [samples, size]."""

    def lookup(self, pairs: Sequence[tuple[Array, Array | None]]) -> Any:
        """A lookup of the extents of arrays, or of differences of two, in one go.

        See :class:`eventsim.engine.run.look.ExtentLookup`; None where there is no such way.
        """
        return None

    def total_counts(self, trains: SpikeTrains) -> Array:
        """Spikes of every neuron in all samples, whole numbers [size]."""
        return trains.total_counts()

    def adam(
        self,
        trained: Sequence[Trained],
        bounded: Sequence[Bounded],
        *,
        margin: float,
        stable: float,
    ) -> Adam | None:
        """An optimiser of these arrays on the device; None where there is none.

        ``margin`` is kept between thresholds and resets or rests, and self-weights stay below
        ``stable`` of what lets a neuron run away; see :class:`eventsim.train.AdamW`.
        """
        return None

    def count_arrivals(
        self, pairs: Sequence[tuple[Projection, SourceSpikes]], duration: Floats
    ) -> Array:
        """Exact number of spikes that reach a synapse before the end of their sample, [pairs]."""
        return count_arrivals(pairs, duration)

    def readout_peaks(self, job: Job) -> Voltages | None:
        """Largest voltages over every sample, one each.

        None where :mod:`eventsim.adjoint.linear.maximum` has to find them.
        """
        return None

    def readout_voltages(self, job: Job, times: Floats) -> Voltages | None:
        """Voltages at ``times``, ms, [samples, asked], NumPy, ascending and not after the end.

        None where :mod:`eventsim.adjoint.linear.voltage` has to find them.
        """
        return None


class AbstractHostBackend(Backend):
    """A backend whose arrays are NumPy's."""

    xp: Any = np

    def __init_subclass__(cls) -> None:
        """Give methods without a docstring that of the protocol."""
        super().__init_subclass__()
        for name, promised in vars(Backend).items():
            own = vars(cls).get(name)
            if inspect.isfunction(own) and own.__doc__ is None:
                own.__doc__ = promised.__doc__

    def asarray(self, values: Any) -> NDArray[Any]:
        return np.asarray(values)

    def sum_by(self, values: Floats, index: NDArray[Any], size: int) -> Floats:
        return sum_by(values, index, size)

    def sum_source(self, job: Job, k: int, values: Floats) -> Floats:
        return sum_source(job, k, values)


def hosted(
    run: Callable[Given, Found], around: Callable[[Any], AbstractContextManager[Any]] | None = None
) -> Callable[Concatenate[Any, Given], Found]:
    """A function of a host as a method; a function of a job may run ``around`` it."""

    def method(self: Any, /, *given: Given.args, **named: Given.kwargs) -> Found:
        del self
        with nullcontext() if around is None else around(given[0] if given else named["job"]):
            return run(*given, **named)

    taken = inspect.signature(run)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = taken.replace(  # type: ignore[attr-defined]
        parameters=[itself, *taken.parameters.values()]
    )
    return method


def sum_source(job: Job, k: int, values: Floats) -> Floats:
    """As :meth:`Backend.sum_source`, on the host."""
    return sum_by(values, job.sources[k].neurons, job.sources[k].size)


def sum_by(values: Floats, index: NDArray[Any], size: int) -> Floats:
    """Sum of NumPy ``values`` by ``index``, [size]; each sum in the order of the values."""
    total: Floats = np.bincount(index, weights=values, minlength=size).astype(np.float64)
    return total
