"""Linear neurons on the cpu against the definition, in random networks of all kinds."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import RunawayError
from tests.support.compare import assert_close_by_name, assert_same_spikes
from tests.support.linear_neurons import random_network
from tests.support.losses import Sums


def same(seed, *, extremes=False):
    """Whether spikes and gradients of a random network agree; how many spikes there are."""
    net, stream = random_network(np.random.default_rng(seed), extremes=extremes)
    try:
        expected = es.simulate(net, stream, backend="reference")
    except RunawayError as ran:
        facts = {**vars(ran), "time": pytest.approx(ran.time, abs=1e-9)}
        with pytest.raises(RunawayError) as caught:
            es.simulate(net, stream, backend="cpu")
        assert vars(caught.value) == facts
        return 0
    found = es.simulate(net, stream, backend="cpu")
    n_spikes = assert_same_spikes(found, expected, atol_ms=1e-9)
    loss = Sums(net, stream.n_samples)
    mine, right = (es.backward(net, tape, loss).flat() for tape in (found, expected))
    assert_close_by_name(mine, right, rtol=1e-6, floor=1e-3)
    return n_spikes


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_random_networks_of_mixed_neurons_are_those_of_the_reference(first):
    assert sum(same(seed) for seed in range(first, first + 4)) > 20


@pytest.mark.thorough("60 networks take some 20 s of a core")
@pytest.mark.parametrize("first", range(100, 160, 10))
def test_networks_with_neurons_at_an_edge_are_those_of_the_reference(first):
    assert sum(same(seed, extremes=True) for seed in range(first, first + 10)) > 50


def test_a_random_network_that_runs_away_is_refused_alike():
    assert same(1197, extremes=True) == 0


@pytest.mark.nightly("2,000 networks take some 10 minutes of a core")
@pytest.mark.parametrize("first", range(1000, 3000, 100))
def test_two_thousand_networks_of_mixed_neurons_are_those_of_the_reference(first):
    assert sum(same(seed, extremes=seed % 2 == 1) for seed in range(first, first + 100)) > 500
