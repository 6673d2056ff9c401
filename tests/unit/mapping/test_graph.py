from dataclasses import replace

import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.hardware.usage import core_usage, destinations
from eventsim.mapping import axon_graph
from eventsim.mapping.mesh import flows, multicast_hops
from tests.support.nets import one_layer
from tests.unit.mapping.helpers import make_chip


def test_synapses_are_the_weights_that_are_not_zero(net, tape):
    graph = axon_graph(net, tape)
    starts = {group.name: group.start for group in graph.groups} | {"input": graph.n_neurons}
    expected = np.zeros((graph.n_axons, graph.n_neurons), int)
    for p in net.projections.values():
        weights = {"self": lambda w: np.diag(w), "sparse": lambda w: w.toarray()}.get(
            p.kind, lambda w: w
        )(p.weights)
        for i, j in zip(*np.nonzero(weights), strict=True):
            expected[starts[p.source] + i, starts[p.target] + j] += 1
    assert (graph.synapses.toarray() == expected).all()
    assert graph.fan_in.tolist() == expected.sum(axis=0).tolist()
    assert graph.n_sources.tolist() == (expected > 0).sum(axis=0).tolist()


def test_graph_and_traffic_do_not_depend_on_the_blocks_they_are_made_in(net, tape, monkeypatch):
    core_of = (np.arange(39) % 5).astype(np.int32)

    def everything():
        graph = axon_graph(net, tape)
        found, limits = flows(graph, core_of, 5), make_chip().limits
        usage = core_usage(graph, core_of, 5, limits)
        reached = destinations(graph, core_of, 5).toarray(), graph.fan_in, graph.synapses.toarray()
        counts = usage.axons_in, usage.axons_out, found.between.toarray(), found.inward, found.local
        return [*reached, *counts, multicast_hops(graph, core_of, np.arange(5), limits)]

    whole = everything()
    for block in (1, 7, 50):
        monkeypatch.setattr("eventsim.hardware.graph.BLOCK", block)
        for one, other in zip(everything(), whole, strict=True):
            assert np.array_equal(one, other)


def test_synapses_of_one_pair_are_counted_however_many():
    net = one_layer("a", np.ones((2, 3)))
    index = np.append(np.zeros(300, int), 2), np.array([0, 300, 301, 301])
    net.connect("a", "a", sp.csr_array((np.ones(301), *index), shape=(3, 3)))
    graph = axon_graph(net, None)
    assert graph.synapses[:3].toarray().tolist() == [[300, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert graph.fan_in.tolist() == [302, 2, 3]
    assert graph.n_sources.tolist() == [3, 2, 3]


def test_spikes_are_those_of_the_tape(net, tape):
    graph = axon_graph(net, tape)
    hidden = np.concatenate([tape["hidden1"].total_counts(), tape["hidden2"].total_counts()])
    assert graph.spikes[:36].tolist() == hidden.tolist()
    assert graph.spikes[36:39].tolist() == [0, 0, 0]  # readouts
    assert graph.spikes[39:].tolist() == np.bincount(tape.stream.channels, minlength=12).tolist()


def test_events_of_poisson_sources_are_counted_and_not_kept(net, monkeypatch):
    monkeypatch.setattr("eventsim.hardware.graph.EVENTS", 40)
    rates = np.linspace(0.0, 900.0, 12)
    stream, same = (es.poisson(rates, duration=[60.0, 90.0], seed=3) for _ in range(2))
    tape = es.simulate(net, same)  # so short a run makes all events
    spikes = axon_graph(net, replace(tape, stream=stream)).spikes[39:]
    assert not {"times", "channels"} & set(vars(stream))
    assert spikes.tolist() == np.bincount(stream.channels, minlength=12).tolist()
    assert spikes.sum() > 200


def test_placed_inputs_are_neurons(net, tape):
    outside, inside = axon_graph(net, tape), axon_graph(net, tape, inputs="placed")
    assert (outside.n_neurons, outside.n_external) == (39, 12)
    assert (inside.n_neurons, inside.n_external) == (51, 0)
    assert [group.name for group in inside.groups] == ["input", "hidden1", "hidden2", "output"]
    assert inside.spikes.sum() == outside.spikes.sum()
    assert inside.fan_in[:12].sum() == 0


def test_an_event_at_the_end_of_its_sample_counts_as_nothing():
    net = one_layer("hidden", [[1.0]])
    stream = es.EventStream([1.0, 10.0], [0, 0], [0, 2], n_channels=1, duration=10.0)
    assert axon_graph(net, es.simulate(net, stream)).spikes.tolist() == [0, 1]


def test_without_a_tape_every_axon_weighs_the_same(net):
    assert set(axon_graph(net, None).spikes.tolist()) == {1}
