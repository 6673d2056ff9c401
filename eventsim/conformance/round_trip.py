"""Checks that a network survives NIR: written, read back, and both simulated on the same events.

Plain NIR must give the same spikes to the bit. A file for another program has other units of
voltage and current. :func:`eventsim.network.nir.from_nir` converts them back up to rounding. Then
each neuron fires as often as before, and its times differ by rounding errors divided by slopes.

Some of a network stands in metadata, which only eventsim reads. So the file is read a second time
without it: these are the spikes that another program has, but for its steps.
"""

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.engine import readout_integral, simulate
from eventsim.errors import RunawayError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import Decision, Network
from eventsim.network.nir import NirWarning, Target, read_nir, write_nir
from eventsim.network.nir.files import read_as_others

TIME_TOLERANCE = 1e-6  # ms, for a target; as the specification's bar for spike times
READOUT_TOLERANCE = 1e-9  # of the largest integral


@dataclass(frozen=True)
class PopulationTrip:
    """Spikes of one population before and after."""

    spikes: int
    spikes_after: int
    identical: bool
    trains_that_differ: int  # trains (one neuron in one sample) with another number of spikes
    worst_ms: float  # largest difference of a spike time in the other trains


@dataclass(frozen=True)
class RoundTrip:
    """Result of :func:`round_trip`."""

    populations: Mapping[str, PopulationTrip]  # by name, the spiking ones
    # Largest difference of the integral of a readout's voltage, relative to the largest integral
    readouts: Mapping[str, float]
    # Whether the linear decision is the same, to the bit; None where there was none
    decision: bool | None
    sharing: bool  # whether the same values are shared
    warnings: tuple[str, ...]  # what stands in metadata only
    target: str | None  # none for plain NIR
    # As other programs read the file, in exact time; None where a neuron fires without bound
    elsewhere: Mapping[str, PopulationTrip] | None

    @property
    def spikes(self) -> int:
        """Number of spikes compared."""
        return sum(found.spikes for found in self.populations.values())

    @property
    def identical(self) -> bool:
        """Whether all spike times and readouts are the same doubles, and all that follows."""
        spikes = all(found.identical for found in self.populations.values())
        return spikes and not any(self.readouts.values()) and self._follows

    @property
    def _follows(self) -> bool:
        return self.decision is not False and self.sharing

    @property
    def passed(self) -> bool:
        """Identical for plain NIR; for a target the same spikes within ``TIME_TOLERANCE``."""
        if self.target is None:
            return self.identical
        spikes = _agree(self.populations)
        readouts = all(value <= READOUT_TOLERANCE for value in self.readouts.values())
        return spikes and readouts and self._follows

    @property
    def kept(self) -> bool:
        """Whether other programs have these spikes, too, and there is no linear decision."""
        return self.decision is None and self.elsewhere is not None and _agree(self.elsewhere)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        told = ("identical", "passed", "kept")
        return asdict(self) | {name: getattr(self, name) for name in told}


def _agree(populations: Mapping[str, PopulationTrip]) -> bool:
    return all(
        not found.trains_that_differ and found.worst_ms <= TIME_TOLERANCE
        for found in populations.values()
    )


def round_trip(
    net: Network,
    stream: EventStream,
    *,
    path: str | Path | None = None,
    target: Target | None = None,
    backend: str = "auto",
) -> RoundTrip:
    """Write a network to NIR, read it, simulate both on ``stream`` in double precision.

    The file at ``path`` was written before; without ``path`` a file is written and removed.
    ``target`` is that of :func:`eventsim.network.nir.to_nir`. Errors are those of writing and
    reading, and NetworkError for populations that have got other names or sizes.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NirWarning)
        file = Path(folder) / "network.nir" if path is None else Path(path)
        if path is None:
            write_nir(net, file, target=target, lossy=True)
        back, others = read_nir(file), read_as_others(file)
    before = simulate(net, stream, backend=backend)
    after = simulate(back, stream, backend=backend)
    try:
        there = simulate(others, stream, backend=backend)
        elsewhere = {name: compare_trains(before[name], there[name]) for name in before.names}
    except RunawayError:
        elsewhere = None
    said = tuple(str(entry.message) for entry in caught if entry.category is NirWarning)
    return RoundTrip(
        {name: compare_trains(before[name], after[name]) for name in before.names},
        {name: _readout(net, before, back, after, name) for name in net.readouts},
        None if net.decision is None else _same_decision(net.decision, back.decision),
        _same_sharing(net, back),
        said,
        target,
        elsewhere,
    )


def _same_decision(one: Decision, other: Decision | None) -> bool:
    if other is None or one.readout != other.readout:
        return False
    return all(
        np.array_equal(values, other.parameters[key]) for key, values in one.parameters.items()
    )


def _same_sharing(net: Network, back: Network) -> bool:
    return net.shared.keys() == back.shared.keys() and all(
        np.array_equal(sharing.groups, back.shared[key].groups)
        for key, sharing in net.shared.items()
    )


def compare_trains(before: SpikeTrains, after: SpikeTrains) -> PopulationTrip:
    """Compare two records of one population, train by train."""
    identical = all(
        np.array_equal(getattr(before, key), getattr(after, key))
        for key in ("times", "neurons", "offsets")
    )
    counts, counts_after = before.counts(), after.counts()
    equal = (counts == counts_after).ravel()
    mine, theirs = _by_train(before, equal), _by_train(after, equal)
    worst = float(np.abs(mine - theirs).max(initial=0.0))
    return PopulationTrip(len(before), len(after), identical, int((~equal).sum()), worst)


def _by_train(spikes: SpikeTrains, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Spike times of the chosen trains, train after train."""
    numbers = spikes.train_numbers()
    order = np.lexsort((spikes.times, numbers))
    found: NDArray[np.float64] = spikes.times[order][chosen[numbers[order]]]
    return found


def _readout(net: Network, before: SpikeTape, back: Network, after: SpikeTape, name: str) -> float:
    one = readout_integral(net, before, name)
    two = readout_integral(back, after, name)
    largest = float(np.abs(one).max(initial=0.0)) or 1.0
    return float(np.abs(one - two).max(initial=0.0)) / largest
