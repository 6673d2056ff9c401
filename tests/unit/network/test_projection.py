"""What follows from the form of a projection's weights: ends, delays and values of synapses."""

import numpy as np
import pytest
import scipy.sparse as sp

from eventsim.network import Network, self_recurrent

SPARSE = sp.csr_array(([1.0, 0.0, 3.0], [2, 0, 1], [0, 2, 2, 3]), shape=(3, 3))


def network(weights, delays=0.0, delays_of=None):
    net = Network()
    net.add_input("in", 3)
    net.add_population("a", 3)
    net.add_readout("out", 2)
    source = "a" if weights is ITSELF else "in"
    return net, net.connect(source, "a", weights, delays=delays, delays_of=delays_of)


ITSELF = self_recurrent([1.0, 2.0, 3.0])
DENSE = np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize(
    ("weights", "sources", "targets"),
    [
        (DENSE, [0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2, 0, 1, 2, 0, 1, 2]),
        (SPARSE, [0, 0, 2], [0, 2, 1]),
        (ITSELF, [0, 1, 2], [0, 1, 2]),
    ],
    ids=["dense", "sparse", "self"],
)
def test_ends_of_synapses_follow_the_order_of_the_values(weights, sources, targets):
    _, projection = network(weights)
    first = projection.first_synapses()
    assert projection.sources().tolist() == sources
    assert projection.targets().tolist() == targets
    assert projection.targets(np.array([1])).tolist() == targets[1:2]
    assert first.tolist() == np.searchsorted(sources, range(4)).tolist()
    for found in (first, projection.sources(), projection.targets()):
        assert found.dtype == np.int64
    full = np.zeros((3, 3))
    full[sources, targets] = projection.values.ravel()
    np.testing.assert_array_equal(projection.matrix(projection.values), full)


@pytest.mark.parametrize("weights", [DENSE, SPARSE, ITSELF], ids=["dense", "sparse", "self"])
@pytest.mark.parametrize("form", ["one", "per source", "per synapse"])
def test_values_by_source_and_target_reach_their_synapses(weights, form):
    n = network(weights)[1].values.shape
    given = {"one": 2.0, "per source": np.array([1.0, 2.0, 3.0])}
    per_synapse = np.arange(float(np.prod(n))).reshape(n)
    if weights is SPARSE and form == "per synapse":
        weights = SPARSE.sorted_indices()
    of = None if form == "one" else form.removeprefix("per ")
    _, projection = network(weights, given.get(form, per_synapse), of)
    sources, targets = projection.sources(), projection.targets()
    expected = {
        "one": np.full(sources.size, 2.0),
        "per source": given["per source"][sources],
        "per synapse": per_synapse.ravel(),
    }[form]
    np.testing.assert_array_equal(projection.synapse_delays(), expected)
    numbers = np.array([5.0, 6.0, 7.0])
    shape = projection.values.shape
    np.testing.assert_array_equal(projection.of_sources(numbers).ravel(), numbers[sources])
    by_target = np.broadcast_to(projection.of_targets(numbers), shape)
    np.testing.assert_array_equal(by_target.ravel(), numbers[targets])


def test_populations_are_found_by_what_they_do():
    net, own = network(ITSELF)
    assert net.input is net.population("in")
    assert [list(net.spiking), list(net.readouts), list(net.neurons)] == [
        ["a"],
        ["out"],
        ["a", "out"],
    ]
    assert dict(net.recurrences) == {"a": own}


def test_sparse_pattern_is_live_and_others_have_none():
    _, projection = network(SPARSE)
    assert projection.pattern.indices is projection.weights.indices
    assert network(DENSE)[1].pattern is None
    assert network(ITSELF)[1].pattern is None
