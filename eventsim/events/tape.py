"""SpikeTape: the record of a run, with all that the backward pass needs.

Its size grows with the number of spikes. The state between events is not kept: it follows
from the events in closed form.

SpikeTrains holds the spikes of one population, sorted by (sample, time, neuron):

===============  =================  ========================================================
field            type               meaning
===============  =================  ========================================================
times            float64 [spikes]   ms
neurons          int32 [spikes]     0 .. size - 1
offsets          int64 [samples+1]  first spike of every sample
current          float64 [spikes]   synaptic current I just before the spike
restart_current  float64 [spikes]   I when V is let go (t + refractory), NaN if never; without
                                    refractory time I just before a self-jump of no delay
===============  =================  ========================================================

The arrays are NumPy's, or, on a resident tape, those of the backend that ran: arrays on the device.
"""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats, Ints, counts_of, namespace, owners, to_host
from eventsim.checks import reported
from eventsim.entries import parse_json
from eventsim.errors import EventSimError, NetworkError, ParameterError, StorageError
from eventsim.events.npz import Archive, Form, check_forms, hold
from eventsim.events.recorded import (
    Record,
    Recorded,
    check_recorded,
    chosen_neurons,
    phrase_of,
    recorded_arrays,
    recorded_in,
)
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.events.stream import EventStream, check_stream, concatenate, sample_number
from eventsim.matrix import require
from eventsim.measures import measure_name
from eventsim.memo import Memo
from eventsim.summary import html_card, html_table, number, short_repr, span

TAPE_VERSION = 1


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Spikes of one population; fields as in the table of :mod:`eventsim.events.tape`."""

    times: Floats
    neurons: NDArray[np.int32]
    offsets: Ints
    size: int
    current: Floats = field(default_factory=lambda: np.zeros(0))
    restart_current: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.offsets.size - 1

    def check(self) -> None:
        """Raise ValueError if the arrays contradict each other."""
        for name, dtype in _TYPES.items():
            values = getattr(self, name)
            words = f"{name} is an array {values.shape} of {values.dtype}, not {dtype}"
            hold(values.dtype == dtype and values.ndim == 1, words)
        lengths = {self.times.size, self.neurons.size, self.current.size, self.restart_current.size}
        whole = self.offsets[0] == 0 and not (np.diff(self.offsets) < 0).any()
        words = f"spike arrays of lengths {sorted(lengths)} do not fit their offsets"
        hold(lengths == {int(self.offsets[-1])} and bool(whole), words)
        inside = ((self.neurons >= 0) & (self.neurons < self.size)).all()
        hold(bool(inside), f"a spike's neuron lies outside 0 .. {self.size - 1}")

    def sample(self, index: int) -> tuple[Floats, NDArray[np.int32]]:
        """Times and neurons of one sample, negative numbers counted from the end. Views."""
        number = sample_number(index, self.n_samples)
        lo, hi = int(self.offsets[number]), int(self.offsets[number + 1])
        return self.times[lo:hi], self.neurons[lo:hi]

    def where(self, which: Array) -> SpikeTrains:
        """The spikes that are marked, [spikes]. New arrays."""
        xp = namespace(which)
        before = xp.concatenate([xp.zeros(1, np.int64), xp.cumsum(which)]).astype(np.int64)
        kept = xp.flatnonzero(which)  # a device tells the host how many, once for all arrays
        return SpikeTrains(
            self.times[kept],
            self.neurons[kept],
            before[self.offsets],
            self.size,
            current=self.current[kept],
            restart_current=self.restart_current[kept],
        )

    def followed_by(self, later: SpikeTrains) -> SpikeTrains:
        """In every sample these spikes and then the others; NumPy. New arrays."""
        samples = [owners(part.offsets, len(part)) for part in (self, later)]
        order = np.argsort(np.concatenate(samples), kind="stable")
        joined = {
            name: np.concatenate([getattr(self, name), getattr(later, name)])[order]
            for name in ("times", "neurons", "current", "restart_current")
        }
        return SpikeTrains(offsets=self.offsets + later.offsets, size=self.size, **joined)

    def of_neurons(self, low: int, high: int) -> SpikeTrains:
        """Spikes of the neurons ``low`` to ``high - 1``, numbered from 0. New arrays."""
        mine = self.where((self.neurons >= low) & (self.neurons < high))
        return replace(mine, neurons=mine.neurons - np.int32(low), size=high - low)

    def of(self, neurons: Ints) -> SpikeTrains:
        """Spikes of the neurons of these ascending numbers, renumbered from 0. New arrays."""
        xp = namespace(self.neurons)
        number = xp.full(self.size, -1, np.int32)
        number[xp.asarray(neurons)] = xp.arange(neurons.size, dtype=np.int32)
        mine = self.where(number[self.neurons] >= 0)
        return replace(mine, neurons=number[mine.neurons], size=neurons.size)

    def counts(self) -> Ints:
        """Spikes of every neuron in every sample, shape [samples, size]. New array."""
        flat = counts_of(self.train_numbers(), self.n_samples * self.size)
        counts: Ints = flat.reshape(self.n_samples, self.size).astype(np.int64)
        return counts

    def total_counts(self) -> Ints:
        """Spikes of every neuron in all samples, shape [size]. New array."""
        counts: Ints = counts_of(self.neurons, self.size).astype(np.int64)
        return counts

    def train_numbers(self) -> Ints:
        """Number of the train, ``sample * size + neuron``, of every spike. New array."""
        numbers: Ints = owners(self.offsets, len(self)) * self.size + self.neurons
        return numbers

    def map(self, convert: Callable[[Array], Array]) -> SpikeTrains:
        """The same spikes, every array put through ``convert``."""
        return SpikeTrains(
            convert(self.times),
            convert(self.neurons),
            convert(self.offsets),
            self.size,
            current=convert(self.current),
            restart_current=convert(self.restart_current),
        )

    def __len__(self) -> int:
        return self.times.size

    def __repr__(self) -> str:
        return f"SpikeTrains({self.n_samples} samples, {len(self)} spikes, {self.size} neurons)"


class ReadoutState(NamedTuple):
    """Voltage and current of a readout at one time of every sample, float64 [samples, size]."""

    voltage: Floats
    current: Floats


class StartState(NamedTuple):
    """Given state of a population at time zero; None where it is not given. NumPy, float64.

    ``voltage`` [samples, size], and ``current`` likewise, with one axis more for several receptors.
    """

    voltage: Floats | None
    current: Floats | None

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return next(len(values) for values in self if values is not None)


class Adapted(NamedTuple):
    """Adaptation of every neuron right after its last spike, and that spike's time, ms.

    Float64 [samples, size] in every precision; 0 and 0 before the first. Of
    :mod:`eventsim.neuron.adaptive`.
    """

    a: Array
    since: Array


@dataclass(frozen=True, eq=False)
class Before:
    """Spikes and states from before a chunk of a stream, as far as the chunk depends on them."""

    # Spikes of every population before the chunk that still act in it: on their way, or holding
    # their neuron. Those of the input have no currents (NaN).
    spikes: Mapping[str, SpikeTrains]
    # Voltage and current of every readout where the chunk begins
    readouts: Mapping[str, ReadoutState]
    # Adaptation there of every population with an adaptive threshold
    adapted: Mapping[str, Adapted]
    # Linear neurons as their last event left them, of every stage that has some: LinearStop of
    # eventsim.engine.contract.linear. Empty at time zero.
    linear: Mapping[str, Any] = field(default_factory=dict)
    # Of the tape of a later chunk, for voltages: the state that every spiking stage went on from,
    # LayerState or LoopState of eventsim.engine.contract, by stage; and spikes of populations from
    # there to the begin of the chunk, which has found them again
    stands: Mapping[str, Any] = field(default_factory=dict)
    again: Mapping[str, SpikeTrains] = field(default_factory=dict)

    __repr__ = short_repr


def events_as_trains(stream: EventStream) -> SpikeTrains:
    """The events of a stream in the form of spikes; without currents (NaN)."""
    nothing = np.full(stream.n_events, np.nan)
    return SpikeTrains(
        stream.times,
        stream.channels,
        stream.offsets,
        stream.n_channels,
        current=nothing,
        restart_current=nothing,
    )


@dataclass(frozen=True, eq=False)
class SpikeTape:
    """Record of one run.

    Attributes
    ----------
    stream
        The input.
    trains
        Spikes of every spiking population, by name, in the order in which they ran.
    synaptic_events
        Exact number of spike arrivals at synapses (before the sample's end), by projection.
    backend, precision
        What computed it.
    placed_input
        The events of ``stream`` where the arrays of a resident tape are; None for a tape of NumPy
        arrays. It has no currents, and files do not hold it.
    structure
        Text that says of which network it is, see :mod:`eventsim.plan.structure`; None for a tape
        that was made by hand, or written before tapes had it.
    begin
        ms, [samples]: where a tape of :func:`eventsim.simulate_chunk` begins; None for that of a
        whole run.
    before
        Of the tape of a chunk: what happened before, as far as it depends on it. Files do not hold
        it.
    start
        Voltages and currents at time zero by population, where they were given
        (:class:`eventsim.Start`); None for a run from rest, and for later chunks.
    algorithms
        Algorithm of every stage, by the stage's name: ``stretches``, ``fan-in``, ``queue``,
        ``windows, sums``, ``windows, stretches`` or ``linear`` (:mod:`eventsim.engine.algorithm`),
        or the name of a backend with one algorithm for all. Empty for a tape that was made by hand,
        or written before tapes had it.
    recorded
        Of a tape of chosen populations or neurons (:meth:`only`): what it holds of every spiking
        population. Empty for a tape that holds all spikes.
    memo
        In a training step and in :func:`eventsim.backward_chunks`: values that were computed from
        the network, for losses and the adjoint. None elsewhere.
    """

    stream: EventStream
    trains: Mapping[str, SpikeTrains]
    synaptic_events: Mapping[str, int]
    backend: str
    precision: str
    placed_input: SpikeTrains | None = None
    structure: str | None = None
    begin: Floats | None = None
    before: Before | None = None
    start: Mapping[str, StartState] | None = None
    algorithms: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    memo: Memo | None = field(default=None, repr=False)

    def __getitem__(self, name: str) -> SpikeTrains:
        if name not in self.trains:
            raise self._no_spikes(name)
        return self.trains[name]

    def _no_spikes(self, name: str) -> NetworkError:
        if name in self.recorded:
            return NetworkError(
                "SpikeTape",
                f"the spikes of {name!r} were not recorded",
                f"one of {', '.join(self.trains)}" if self.trains else "",
                f"Name it: record=[.., {name!r}].",
            )
        if name not in self.readouts:
            return NetworkError(
                "SpikeTape", f"no spiking population {name!r}", f"one of {', '.join(self.trains)}"
            )
        return NetworkError(
            "SpikeTape",
            f"{name!r} is a readout, which has no spikes",
            remedy=f"Its voltage follows from the tape: es.voltage(net, tape, {name!r}, times), "
            f"or, as one number per neuron, es.readout_integral(net, tape, {name!r}). "
            f"Spikes there are of {list(self.trains)}.",
        )

    def require_whole(
        self,
        where: str,
        remedy: str = "Simulate the whole stream at once; gradients of chunks come from "
        "eventsim.backward_chunk.",
    ) -> None:
        """Raise ParameterError if the tape is that of a later chunk of a stream."""
        if self.begin is not None and self.begin.any():
            raise ParameterError(
                where,
                f"the tape is that of a chunk that begins at {span(self.begin)} ms, and spikes of "
                "before are not on it",
                remedy=remedy,
            )

    def require_rest(self, where: str, population: str) -> None:
        """Raise ParameterError if the population did not start at rest."""
        if self.start is not None and population in self.start:
            raise ParameterError(
                where,
                f"population {population!r} has a given start, and is to have started at rest",
                remedy="Simulate without start=.",
            )

    def only(self, record: Record) -> SpikeTape:
        """The tape with the spikes of chosen populations or neurons alone.

        Of a long stream it keeps little of every chunk, see :func:`eventsim.simulate_chunks`.

        Parameters
        ----------
        record
            Names of spiking populations, or numbers of neurons by name of population, such as
            ``{"L5E": range(100)}``.

        Returns
        -------
        SpikeTape
            ``tape["L5E"]`` numbers its neurons from 0 in ascending order;
            ``tape.recorded["L5E"].neurons`` has their numbers in the population. The number of
            spikes of every population, ``tape.recorded[name].spikes``, and the arrivals at synapses
            are those of all neurons. New arrays, but of whole populations.

        Raises
        ------
        NetworkError, ParameterError, ShapeError
            There is no such population, or a number is that of no neuron; the tape is of chosen
            populations itself.

        Examples
        --------
        >>> import eventsim as es
        >>> net = es.scsr(4, (8, 8), 2)
        >>> stream = es.EventStream([1.0], [0], [0, 1], n_channels=4, duration=30.0)
        >>> es.simulate(net, stream).only({"hidden2": [6, 7]})
        SpikeTape(1 samples, spikes {hidden2: 0 of 2 of 8 neurons}, readouts ['output'])
        """
        self.require_all("SpikeTape.only")
        sizes = {name: trains.size for name, trains in self.trains.items()}
        chosen = chosen_neurons(record, sizes, "SpikeTape.only")
        nobody = np.zeros(0, np.int64)
        recorded = {
            name: Recorded(trains.size, chosen.get(name, nobody), len(trains))
            for name, trains in self.trains.items()
        }
        trains = {
            name: self.trains[name] if recorded[name].is_whole else self.trains[name].of(mine)
            for name, mine in chosen.items()
        }
        return replace(self, trains=trains, recorded=recorded, before=None)

    def require_all(self, where: str) -> None:
        """Raise ParameterError if the tape holds the spikes of chosen neurons alone."""
        if self.recorded:
            require("whole_tape", self, where=where)

    def features(self, names: Collection[str] | None = None) -> dict[str, str]:
        """Features of the tape in the matrix, among ``names`` or all, each with its phrase."""
        if not self.recorded:
            return {}
        return {"chosen_spikes": phrase_of(self.recorded)}

    @property
    def names(self) -> list[str]:
        """Spiking populations, in the order in which they ran."""
        return list(self.trains)

    @property
    def readouts(self) -> list[str]:
        """Readouts of the network that ran, whose state :func:`eventsim.voltage` gives.

        Empty for a tape without ``structure``.
        """
        return self._named("readout")

    @property
    def input(self) -> str:
        """Name of the network's input, whose events ``stream`` has.

        ``"input"`` for a tape without ``structure``.
        """
        return next(iter(self._named("input")), "input")

    def _named(self, kind: str) -> list[str]:
        """Names of the populations of a kind; none for a tape without ``structure``."""
        # The form of eventsim.plan.structure: {"population 'output'": "readout of 3", ...}
        facts = {} if self.structure is None else json.loads(self.structure)
        of = "population "
        return [
            literal_eval(key.removeprefix(of))
            for key, fact in facts.items()
            if key.startswith(of) and fact.startswith(f"{kind} ")
        ]

    def __repr__(self) -> str:
        of = {
            name: f" of {one.neurons.size} of {one.size} neurons"
            for name, one in self.recorded.items()
            if not one.is_whole
        }
        spikes = ", ".join(
            f"{name}: {len(trains)}{of.get(name, '')}" for name, trains in self.trains.items()
        )
        behind = f", readouts {self.readouts}" if self.readouts else ""
        return f"SpikeTape({self.stream.n_samples} samples, spikes {{{spikes}}}{behind})"

    def _repr_html_(self) -> str:
        lasts = float(self.stream.duration.sum())
        rows = []
        for name, trains in self.trains.items():
            rate = 1e3 * len(trains) / (lasts * trains.size) if lasts else 0.0
            silent = int((to_host(trains.total_counts()) == 0).sum())
            values = (trains.size, len(trains), rate, silent)
            rows.append([name, *(number(value) for value in values)])
        about = f"{self.stream.n_samples} samples, {self.backend}, {self.precision} precision"
        if self.recorded:
            about += f"; {phrase_of(self.recorded)}"
        if self.readouts:
            about += f"; readouts: {', '.join(self.readouts)}"
        events = ([name, number(count)] for name, count in self.synaptic_events.items())
        return html_card(
            "SpikeTape",
            about,
            html_table(
                (
                    "population",
                    "neurons",
                    "spikes",
                    measure_name("rate"),
                    measure_name("silent_neurons"),
                ),
                rows,
            ),
            html_table(("projection", "synaptic operations"), events),
        )

    def to_host(self) -> SpikeTape:
        """The tape in NumPy arrays; the same tape if it is."""
        if self.placed_input is None:
            return self
        trains = {name: trains.map(to_host) for name, trains in self.trains.items()}
        return replace(self, trains=trains, placed_input=None)

    def with_before(self) -> SpikeTape:
        """The tape of a chunk together with earlier spikes that still act in it."""
        self.require_all("SpikeTape.with_before")
        if self.before is None:
            return self
        earlier = self.before.spikes
        trains = {n: earlier[n].followed_by(trains) for n, trains in self.trains.items()}
        (name,) = earlier.keys() - self.trains.keys()
        events = earlier[name].followed_by(events_as_trains(self.stream))
        stream = EventStream(
            events.times,
            events.neurons,
            events.offsets,
            n_channels=self.stream.n_channels,
            duration=self.stream.duration,
        )
        return replace(self, stream=stream, trains=trains, begin=None, before=None)

    def save(self, path: str | Path) -> None:
        """Write the tape to one file, atomically."""
        more = [] if self.structure is None else ["structure", self.structure]
        if self.algorithms:
            more += ["algorithms", json.dumps(dict(self.algorithms))]
        arrays: dict[str, Any] = {
            "names": np.array(list(self.trains), dtype=str),
            # Files of before lack some of what follows the precision, by name and value.
            "run": np.array([self.backend, self.precision, *more]),
            "projections": np.array(list(self.synaptic_events), dtype=str),
            "synaptic_events": np.array(list(self.synaptic_events.values()), dtype=np.int64),
        }
        if self.begin is not None:
            arrays["begin"] = self.begin
        for name, start in (self.start or {}).items():
            given = {k: v for k, v in start._asdict().items() if v is not None}
            arrays |= {f"start.{kind}.{name}": values for kind, values in given.items()}
        arrays |= recorded_arrays(self.recorded)
        arrays |= {f"stream.{name}": values for name, values in self.stream.to_arrays().items()}
        for index, trains in enumerate(self.to_host().trains.values()):
            for name in _TRAIN_FIELDS:
                arrays[f"{index}.{name}"] = getattr(trains, name)
        write_arrays(path, arrays, kind="eventsim-tape", version=TAPE_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> SpikeTape:
        """Read a tape that :meth:`save` wrote; raises StorageError if it cannot be one."""
        arrays = read_arrays(path, kind="eventsim-tape", version=TAPE_VERSION, check=_check_tape)
        words, remedy = "is not a whole tape ({})", "Simulate again, and save the tape."
        failures = (KeyError, ValueError, TypeError, IndexError, OverflowError, EventSimError)
        with reported(path, words, *failures, remedy=remedy, error=StorageError):
            stream = EventStream.from_arrays(
                {name.removeprefix("stream."): values for name, values in arrays.items()}
            )
            trains = {}
            for index, name in enumerate(arrays["names"]):
                fields: dict[str, Any] = {key: arrays[f"{index}.{key}"] for key in _TRAIN_FIELDS}
                trains[str(name)] = SpikeTrains(**(fields | {"size": int(fields["size"])}))
                trains[str(name)].check()
            more_trains = f"more spike trains than the {len(trains)} names"
            hold(f"{len(trains)}.times" not in arrays, more_trains)
            counts = zip(arrays["projections"], arrays["synaptic_events"], strict=True)
            events = {str(name): int(count) for name, count in counts}
            backend, precision, *more = (str(value) for value in arrays["run"])
            told = _told_in(more)
            _check_numbers(stream, trains, events)
            sizes = {name: one.size for name, one in trains.items()}
            recorded = recorded_in(arrays, sizes)
            start = _start_in(arrays, sizes | {name: one.size for name, one in recorded.items()})
        return cls(
            stream, trains, events, backend, precision, structure=told.get("structure"),
            begin=arrays.get("begin"), start=start or None,
            algorithms=json.loads(told.get("algorithms", "{}")), recorded=recorded,
        )  # fmt: skip


def joined_tapes(tapes: Sequence[SpikeTape]) -> SpikeTape:
    """Tape of several runs of a network, sample after sample. New arrays.

    The tapes are of NumPy arrays, from the start of their streams, each with the populations and
    projections of the first, whose backend, precision and structure the tape takes.
    """
    first = tapes[0]
    trains = {name: _joined_trains([tape.trains[name] for tape in tapes]) for name in first.trains}
    events = {
        name: sum(tape.synaptic_events[name] for tape in tapes) for name in first.synaptic_events
    }
    stream = concatenate([tape.stream for tape in tapes])
    return replace(first, stream=stream, trains=trains, synaptic_events=events)


def _joined_trains(parts: Sequence[SpikeTrains]) -> SpikeTrains:
    before = np.cumsum([0, *(len(part) for part in parts[:-1])])
    offsets = [part.offsets[1:] + n for part, n in zip(parts, before, strict=True)]
    return SpikeTrains(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.neurons for part in parts]),
        np.concatenate([np.zeros(1, np.int64), *offsets]),
        parts[0].size,
        current=np.concatenate([part.current for part in parts]),
        restart_current=np.concatenate([part.restart_current for part in parts]),
    )


def _told_in(texts: list[str]) -> dict[str, str]:
    """Tables about the run in a file, by name, as JSON; old files have fewer."""
    hold(len(texts) % 2 == 0, f"{texts[-1:]} has no value")
    told = dict(zip(texts[::2], texts[1::2], strict=True))
    for name, text in told.items():
        value = parse_json(text, name, StorageError)
        known = name in ("structure", "algorithms") and isinstance(value, dict)
        texts_only = name != "algorithms" or all(isinstance(what, str) for what in value.values())
        hold(known and texts_only, f"its {name} is {text[:40]!r}")
    return told


def _start_in(arrays: Mapping[str, Any], sizes: Mapping[str, int]) -> dict[str, StartState]:
    """Start states in a file, by population."""
    found = {}
    for name, size in sizes.items():
        voltage, current = (arrays.get(f"start.{kind}.{name}") for kind in StartState._fields)
        for values in (voltage, current):
            sized = values is None or values.shape[1] == size
            hold(sized, f"the start of {name!r} is not one of {size} neurons")
        if voltage is not None or current is not None:
            found[name] = StartState(voltage, current)
    return found


_TYPES = {
    "times": "float64",
    "neurons": "int32",
    "offsets": "int64",
    "current": "float64",
    "restart_current": "float64",
}
_TRAIN_FIELDS = ("times", "neurons", "offsets", "size", "current", "restart_current")


def _check_tape(archive: Archive) -> None:
    """Raise unless what the headers claim is a tape."""
    claims = archive.claims
    check_stream(claims, "stream.")
    n_offsets = claims["stream.duration"].shape[0] + 1
    for name in ("names", "projections", "run"):
        texts = len(claims[name].shape) == 1 and np.issubdtype(claims[name].dtype, np.str_)
        hold(texts, f"{name} are no texts")
    check_forms(claims, {"synaptic_events": Form("i8", claims["projections"].shape)})
    samples = n_offsets - 1
    check_recorded(claims)
    if "begin" in claims:  # of a chunk
        check_forms(claims, {"begin": Form("f8", (samples,))})
    for name, claim in claims.items():
        if name.startswith("start."):
            shape = (samples, *[None] * (len(claim.shape) - 1))
            hold(2 <= len(shape) <= 3, f"{name} has shape {claim.shape}")
            check_forms(claims, {name: Form("f8", shape)})
    for index in range(claims["names"].shape[0]):
        check_forms(claims, {f"{index}.times": Form("f8", (None,))})
        n_spikes = claims[f"{index}.times"].shape
        forms = {"neurons": Form("i4", n_spikes), "offsets": Form("i8", (n_offsets,))}
        forms |= {"size": Form("i8", ())}
        forms |= dict.fromkeys(("current", "restart_current"), Form("f8", n_spikes))
        check_forms(claims, {f"{index}.{name}": form for name, form in forms.items()})


def _check_numbers(
    stream: EventStream, trains: Mapping[str, SpikeTrains], events: Mapping[str, int]
) -> None:
    """Raise ValueError for spikes outside their sample, or counts that none can be."""
    for name, found in trains.items():
        sized = 1 <= found.size <= np.iinfo(np.int32).max
        hold(sized, f"population {name!r} has {found.size} neurons")
        end = stream.duration[owners(found.offsets, len(found))]
        inside = ((found.times >= 0) & (found.times < end)).all()
        hold(bool(inside), f"a spike of population {name!r} lies outside its sample")
    hold(min(events.values(), default=0) >= 0, "a number of synaptic operations is negative")
