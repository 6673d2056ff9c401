import heapq
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import Quantity
from eventsim.mapping import congestion, map_network
from eventsim.report.tables import latencies
from tests.support.nets import one_layer
from tests.unit.mapping.helpers import make_chip, random_stream


def pair_of_tiles(times, n=2):
    """Neurons that each send to one on another tile, all over one link."""
    net = one_layer("a", np.eye(n) * 60.0)
    net.add_population("b", n)
    net.connect("a", "b", np.eye(n) * 1e-6)
    samples = [(np.full(n, t), np.arange(n)) for t in times]
    stream = es.EventStream.from_samples(samples, n_channels=n, duration=50.0)
    chip = make_chip(cores=2, mesh=(2, 1), cores_per_tile=1, neurons_per_core=n)
    tape = es.simulate(net, stream)
    return net, tape, map_network(net, tape, chip, method="population_order")


def test_simultaneous_spikes_wait_for_each_other_on_a_link():
    net, tape, mapping = pair_of_tiles([5.0], n=4)
    found = congestion(net, tape, mapping, link_ns=10.0)
    volley = len(tape["a"]) // 4
    assert found.packets == len(tape["a"]) == mapping.traffic.hop_weighted_spikes
    assert found.worst_ns == pytest.approx(40.0, rel=1e-6)  # the last of four
    assert found.worst_waiting_ns == pytest.approx(30.0, rel=1e-6)
    assert found.peak_link == ("east", 0, 0)
    assert found.peak >= 4
    assert found.loads.sum() == 4 * volley


def test_spikes_far_apart_do_not_wait():
    net, tape, mapping = pair_of_tiles([5.0], n=1)
    found = congestion(net, tape, mapping, link_ns=10.0)
    assert found.worst_ns == pytest.approx(10.0, rel=1e-6)
    assert found.worst_waiting_ns == pytest.approx(0.0, abs=1e-6)


def test_samples_do_not_meet():
    net, tape, mapping = pair_of_tiles([5.0, 5.0, 5.0], n=1)
    assert congestion(net, tape, mapping, link_ns=10.0).worst_ns == pytest.approx(10.0, rel=1e-6)


def queue_by_events(net, tape, mapping, link_ms):
    """The same model by a heap of events: latency of every packet, sorted."""
    columns = mapping.chip.limits.mesh[0]
    tile = {k: v // mapping.chip.limits.cores_per_tile for k, v in mapping.cores.items()}
    packets, axon = [], 0
    order = [n for n in net.populations if n in mapping.cores]
    base = {}
    for name in order + [n for n in net.populations if n not in mapping.cores]:
        base[name], axon = axon, axon + net.populations[name].size
    reach = {}
    for p in net.projections.values():
        weights = p.weights.toarray() if p.kind == "sparse" else p.weights
        weights = np.diag(weights) if p.kind == "self" else weights
        for i, j in zip(*np.nonzero(weights), strict=True):
            reach.setdefault((p.source, int(i)), set()).add(int(mapping.cores[p.target][j]))
    events = [
        (t, name, int(n)) for name in tape.names for t, n in zip(*tape[name].sample(0), strict=True)
    ]
    events += [
        (t, "input", int(c)) for t, c in zip(tape.stream.times, tape.stream.channels, strict=True)
    ]
    for time, name, neuron in events:
        home = int(tile[name][neuron]) if name in tile else 0
        for core in reach.get((name, neuron), ()):
            there = core // mapping.chip.limits.cores_per_tile
            if there != home:
                packets.append((time, base[name] + neuron, core, home, there))
    packets.sort()
    heap = [(p[0], k, p[3] % columns, p[3] // columns) for k, p in enumerate(packets)]
    heapq.heapify(heap)
    free, done, served = {}, {}, {}
    while heap:
        now, k, x, y = heapq.heappop(heap)
        x1, y1 = packets[k][4] % columns, packets[k][4] // columns
        if (x, y) == (x1, y1):
            done[k] = now - packets[k][0]
            continue
        dx = int(np.sign(x1 - x))
        dy = 0 if dx else int(np.sign(y1 - y))
        begin = max(now, free.get((x, y, dx, dy), -1.0))
        # A router that copies has served the others of this spike by this one.
        same = (packets[k][:2], x, y, dx, dy) if mapping.chip.limits.multicast else k
        begin = served.get(same, begin)
        if same not in served:
            free[x, y, dx, dy] = begin + link_ms
        if mapping.chip.limits.multicast:
            served[same] = begin
        heapq.heappush(heap, (begin + link_ms, k, x + dx, y + dy))
    return np.sort(list(done.values()))


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("inputs", ["external", "placed"])
def test_latencies_equal_those_of_an_event_queue(net, inputs, multicast):
    tape = es.simulate(net, random_stream(n_samples=1, rate=300.0))
    chip = make_chip(neurons_per_core=3, multicast=multicast)
    mapping = map_network(net, tape, chip, method="first_fit", inputs=inputs)
    link_ns = 5e4  # slow links, so that queues form
    found = congestion(net, tape, mapping, link_ns=link_ns)
    expected = queue_by_events(net, tape, mapping, link_ns / 1e6) * 1e6
    assert found.packets == expected.size
    assert found.worst_waiting_ns > link_ns
    assert found.worst_ns == pytest.approx(expected[-1], rel=1e-9)
    assert found.median_ns == pytest.approx(np.median(expected), rel=1e-9)
    assert found.percentile_99_ns == pytest.approx(np.percentile(expected, 99), rel=1e-9)
    tree = mapping.multicast_hops
    links = tree.east_west + tree.north_south
    assert found.passed == (links if multicast else mapping.traffic.hop_weighted_spikes)


def test_a_clocked_chip_sends_in_bursts(net, tape):
    mapping = map_network(net, tape, make_chip(neurons_per_core=2), method="first_fit")
    free = congestion(net, tape, mapping, link_ns=10.0, window_ms=0.5)
    clocked = congestion(net, tape, mapping, link_ns=10.0, window_ms=0.5, step_ms=1.0)
    assert clocked.packets == free.packets
    assert clocked.worst_ns > free.worst_ns
    assert clocked.peak > free.peak


def test_the_link_time_comes_from_the_chip_or_must_be_given(net, tape, chip):
    mapping = map_network(net, tape, chip, method="first_fit")
    hop = {
        "hop_ew": Quantity(4.0, "ns", "measured", "x"),
        "hop_ns": Quantity(6.0, "ns", "measured", "x"),
    }
    known = replace(mapping, chip=replace(chip, latency=hop))
    both = congestion(net, tape, known)
    assert (both.link_ns, both.assumed) == (6.0, ())
    half = replace(mapping, chip=replace(chip, latency={"hop_ns": hop["hop_ns"]}))
    one = congestion(net, tape, half)
    assert (one.link_ns, one.assumed) == (6.0, ("hop_ew",))
    assert ["hop_ew: no latency in the chip's file", "as the other"] in latencies(vars(one)).rows
