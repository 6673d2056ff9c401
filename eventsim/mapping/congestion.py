r"""Links over time: their load, and latencies of spikes, from exact spike times.

Model. A spike enters the mesh at its time, once for every destination core on another tile, in the
order (time, axon, destination), and follows its XY route. Links serve first come, first served: a
link takes a spike at the later of its arrival and the end of service of the one before, and is busy
with it for the link time :math:`\ell`; the spike is at the next tile :math:`\ell` after its service
began. So

.. math:: \text{latency} = \text{hops} \cdot \ell + \text{waiting}.

Where routers copy spikes (``Limits.multicast``), a spike is copied where the routes to its
destinations part: each link of its tree serves it once.

Axonal delays of the network are not part of it, and neither are the cores. ``step_ms`` gives the
same for a clocked chip that sends all spikes of a step at its end.

XY routes have no loops: east and west links of a row depend only on those before them in the row,
north and south links on the rows', so that links are settled one after the other, each by one pass
over its sorted arrivals: :math:`b_i = \max(a_i, b_{i-1} + \ell) = \max_{j \le i}(a_j - j \ell) + i
\ell`.
"""

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.checks import in_domain
from eventsim.chips.terms import LINKS
from eventsim.engine.run.run import sources
from eventsim.entries import Above0
from eventsim.errors import MappingError, ShapeError
from eventsim.events import SpikeTape
from eventsim.events.steps import step_count
from eventsim.hardware.graph import axon_graph
from eventsim.hardware.usage import destinations, limits_of
from eventsim.mapping.mapping import Mapping
from eventsim.mapping.mesh import coordinates
from eventsim.network import Network
from eventsim.summary import short_repr

NS_PER_MS = 1e6


@dataclass(frozen=True, eq=False)
class Congestion:
    """Latencies and link loads.

    Attributes
    ----------
    packets
        Spikes times destination cores on other tiles: what has a latency. Where routers copy
        spikes, several of them pass a link as one.
    link_ns, window_ms, step_ms
        As asked for.
    worst_ns, percentile_99_ns, median_ns
        Of the latencies; 0 without packets.
    worst_waiting_ns
        Longest time that a packet spent waiting.
    passed
        Links passed by all spikes.
    peak
        Most spikes on one link in one window.
    peak_link, peak_sample, peak_window
        Where and when: ``(direction, column, row)`` of the tile it leaves; None without packets.
    loads
        int64 [windows]: spikes in each window on the link that is busiest over all samples.
    assumed
        Kinds of link without a latency in the chip's file, for which that of the other kind stands.
    """

    packets: int
    link_ns: float
    window_ms: float
    step_ms: float | None
    worst_ns: float
    percentile_99_ns: float
    median_ns: float
    worst_waiting_ns: float
    passed: int
    peak: int
    peak_link: tuple[str, int, int] | None
    peak_sample: int
    peak_window: int
    loads: Ints
    assumed: tuple[str, ...] = ()

    __repr__ = short_repr


def congestion(
    net: Network,
    tape: SpikeTape,
    mapping: Mapping,
    *,
    window_ms: float = 1.0,
    link_ns: float | None = None,
    step_ms: float | None = None,
) -> Congestion:
    """Follow every spike of a tape over the mesh.

    Parameters
    ----------
    net, tape, mapping
        Of one network.
    window_ms
        Length of the windows in which links are counted.
    link_ns
        Time that a link is busy with a spike, and that the spike needs to pass; by default the
        larger of the chip's hop latencies.
    step_ms
        Send spikes at the end of their time step, as a clocked chip does; None sends them when they
        happen.

    Raises
    ------
    MappingError
        The chip's file has no hop latency and none is given.
    """
    asked = link_ns is not None
    assumed = () if asked else tuple(k for k in LINKS if k not in mapping.chip.latency)
    link_ns = _link_time(mapping, link_ns)
    in_domain("congestion", "window_ms", window_ms, Above0, error=MappingError)
    packets = _packets(net, tape.to_host(), mapping, step_ms)
    longest = float(tape.stream.duration.max()) + (step_ms or 0.0)
    n_windows = int(np.ceil(longest / window_ms)) + 1
    run = _PacketRun(packets, link_ns / NS_PER_MS, window_ms, n_windows)
    run.pass_rows(mapping.chip.limits.mesh if mapping.chip.limits else (1, 1))
    hops = packets.hops()
    latency = (run.now - packets.time) * NS_PER_MS
    waiting = np.maximum(latency - hops * link_ns, 0.0)
    empty = not packets.time.size
    return Congestion(
        packets=packets.time.size,
        link_ns=link_ns,
        window_ms=window_ms,
        step_ms=step_ms,
        worst_ns=0.0 if empty else float(latency.max()),
        percentile_99_ns=0.0 if empty else float(np.percentile(latency, 99)),
        median_ns=0.0 if empty else float(np.median(latency)),
        worst_waiting_ns=0.0 if empty else float(waiting.max()),
        passed=run.passed,
        peak=run.peak,
        peak_link=run.peak_link,
        peak_sample=run.peak_at // n_windows,
        peak_window=run.peak_at % n_windows,
        loads=run.busiest,
        assumed=assumed,
    )


def _link_time(mapping: Mapping, given: float | None) -> float:
    if given is not None:
        in_domain("congestion", "link_ns", given, Above0, error=MappingError)
        return given
    known = [q.value for k, q in mapping.chip.latency.items() if k in LINKS]
    if not known:
        raise MappingError(
            f"Chip {mapping.chip.name!r}",
            "its file has no latency of a hop",
            remedy="Pass link_ns=.., the time in ns that a link needs for a spike.",
        )
    return max(known)


@dataclass(frozen=True, eq=False)
class _Packets:
    """Spikes on their way, in order of (sample, time, axon, destination), from tile to tile.

    Those of one ``copy`` pass a link together: of one spike, if routers copy it.
    """

    copy: Ints
    sample: Ints
    time: Floats
    x0: Ints
    y0: Ints
    x1: Ints
    y1: Ints

    def hops(self) -> Ints:
        hops: Ints = np.abs(self.x1 - self.x0) + np.abs(self.y1 - self.y0)
        return hops


def _packets(net: Network, tape: SpikeTape, mapping: Mapping, step_ms: float | None) -> _Packets:
    """Packets of a tape: one per spike and destination core on another tile."""
    graph = axon_graph(net, tape, inputs=mapping.inputs)
    on_chip = np.concatenate([mapping.cores[group.name] for group in graph.groups])
    if on_chip.size != graph.n_neurons:
        raise ShapeError(
            "congestion",
            f"the mapping has {on_chip.size} neurons",
            f"{graph.n_neurons}, those of the network",
            "Give the network that was mapped.",
        )
    limits = limits_of(mapping.chip)
    column, row = coordinates(limits)
    reach = destinations(graph, on_chip, limits.cores)
    x_home = np.append(column[on_chip], np.zeros(graph.n_external, np.int64))
    y_home = np.append(row[on_chip], np.zeros(graph.n_external, np.int64))
    sample, time, axon = _events(net, tape, mapping)
    if step_ms is not None:
        time = (step_count(time, step_ms) * step_ms).astype(np.float64)
    number = np.diff(reach.indptr)[axon]
    which = np.repeat(np.arange(axon.size), number)
    within = np.arange(which.size) - np.repeat(np.cumsum(number) - number, number)
    core = reach.indices[reach.indptr[axon[which]] + within]
    copy = which if limits.multicast else np.arange(which.size)
    axon, sample, time = axon[which], sample[which], time[which]
    away = (x_home[axon] != column[core]) | (y_home[axon] != row[core])
    axon, core, sample, time = axon[away], core[away], sample[away], time[away]
    order = np.lexsort((core, axon, time, sample))
    axon, core = axon[order], core[order]
    return _Packets(
        copy[away][order],
        sample[order],
        time[order],
        x_home[axon],
        y_home[axon],
        column[core],
        row[core],
    )


def _events(net: Network, tape: SpikeTape, mapping: Mapping) -> tuple[Ints, Floats, Ints]:
    """Sample, time in ms, and axon of every spike."""
    sent = sources(net, tape)
    placed = [name for name in net.populations if name in net.neurons or name in mapping.cores]
    order = placed + [name for name in net.populations if name not in placed]
    samples, times, axons, start = [], [], [], 0
    for name in order:
        if name in sent:
            spikes, sample = sent[name], sent[name].sample
            early = spikes.times < tape.stream.duration[sample]
            samples.append(sample[early])
            times.append(spikes.times[early])
            axons.append(spikes.neurons[early].astype(np.int64) + start)
        start += net.populations[name].size
    return np.concatenate(samples), np.concatenate(times), np.concatenate(axons)


class _PacketRun:
    """Packets on the mesh; ``now`` is when each is where it has come so far, ms."""

    def __init__(self, packets: _Packets, link_ms: float, window_ms: float, n_windows: int):
        self.packets, self.link = packets, link_ms
        self.window_ms, self.n_windows = window_ms, n_windows
        self.now = packets.time.copy()
        self.passed, self.peak, self.peak_at = 0, 0, 0
        self.peak_link: tuple[str, int, int] | None = None
        self.busiest = np.zeros(n_windows, np.int64)

    def pass_rows(self, mesh: tuple[int, int]) -> None:
        """Links of all rows, then of all columns, each after those that feed it."""
        columns, rows = mesh
        p = self.packets
        for y in range(rows):
            mine = np.flatnonzero(p.y0 == y)
            x0, x1 = p.x0[mine], p.x1[mine]
            for x in range(columns - 1):
                self._serve(mine[(x0 <= x) & (x1 > x)], ("east", x, y))
            for x in range(columns - 1, 0, -1):
                self._serve(mine[(x0 >= x) & (x1 < x)], ("west", x, y))
        for x in range(columns):
            mine = np.flatnonzero(p.x1 == x)
            y0, y1 = p.y0[mine], p.y1[mine]
            for y in range(rows - 1):
                self._serve(mine[(y0 <= y) & (y1 > y)], ("north", x, y))
            for y in range(rows - 1, 0, -1):
                self._serve(mine[(y0 >= y) & (y1 < y)], ("south", x, y))

    def _serve(self, which: Ints, link: tuple[str, int, int]) -> None:
        """First come, first served, sample by sample; ties by number."""
        if not which.size:
            return
        # Copies were one so far, and arrive at once.
        everyone = which
        _, first, copy = np.unique(self.packets.copy[which], return_index=True, return_inverse=True)
        one = which = which[first]
        sample = self.packets.sample[which]
        order = np.lexsort((which, self.now[which], sample))
        which, sample = which[order], sample[order]
        arrival = self.now[which]
        for low, high in _runs(sample):
            slots = np.arange(high - low) * self.link
            begin = np.maximum.accumulate(arrival[low:high] - slots) + slots
            self.now[which[low:high]] = begin + self.link
        self.now[everyone] = self.now[one][copy]
        self.passed += which.size
        window = np.minimum((arrival / self.window_ms).astype(np.int64), self.n_windows - 1)
        numbers, counts = np.unique(sample * self.n_windows + window, return_counts=True)
        if counts.max() > self.peak:
            self.peak = int(counts.max())
            self.peak_at, self.peak_link = int(numbers[counts.argmax()]), link
        if which.size > self.busiest.sum():
            self.busiest = np.bincount(window, minlength=self.n_windows)


def _runs(values: Ints) -> list[tuple[int, int]]:
    """Begin and end of each stretch of equal values."""
    cuts = np.flatnonzero(np.diff(values)) + 1
    edges = [0, *cuts.tolist(), values.size]
    return list(zip(edges[:-1], edges[1:], strict=True))
