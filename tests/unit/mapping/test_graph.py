import numpy as np

import eventsim as es
from eventsim.mapping import axon_graph
from tests.support.nets import one_layer


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


def test_spikes_are_those_of_the_tape(net, tape):
    graph = axon_graph(net, tape)
    hidden = np.concatenate([tape["hidden1"].total_counts(), tape["hidden2"].total_counts()])
    assert graph.spikes[:36].tolist() == hidden.tolist()
    assert graph.spikes[36:39].tolist() == [0, 0, 0]  # readouts
    assert graph.spikes[39:].tolist() == np.bincount(tape.stream.channels, minlength=12).tolist()


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
