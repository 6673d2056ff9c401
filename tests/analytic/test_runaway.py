"""A neuron that excites itself runs away above r = (theta - V_r) tau_mem / (R tau_syn), no less."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.errors import RunawayError
from tests.support.nets import one_layer

BOUND = (1.0 - 0.2) * 6.0 / (1.5 * 9.0)


def run(weight, backend):
    net = one_layer(
        "hidden", np.array([[40.0]]), tau_mem=6.0, tau_syn=9.0, resistance=1.5, v_reset=0.2
    )
    net.connect("hidden", "hidden", es.self_recurrent(weight))
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=1000.0)
    return es.simulate(net, stream, backend=backend)


def test_self_weight_below_the_bound_dies_out(backend):
    times = run(0.9 * BOUND, backend)["hidden"].times
    assert times.size > 100
    assert times[-1] < 300.0


def test_self_weight_above_the_bound_runs_away(fast_backend):
    # The reference takes long for so many spikes; the next tests are of it as well.
    with pytest.raises(RunawayError) as caught:
        run(1.1 * BOUND, fast_backend)
    assert (caught.value.population, caught.value.sample, caught.value.neuron) == ("hidden", 0, 0)


def test_loop_that_runs_away_stops_on_every_backend_with_the_same_neuron(backend):
    net = one_layer("hidden", np.array([[1.0, 1.0, 40.0]]), tau_mem=6.0, tau_syn=9.0)
    net.connect("hidden", "hidden", 30.0 * (1.0 - np.eye(3)), delays=0.01)
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=1000.0)
    with pytest.raises(RunawayError) as caught:
        es.simulate(net, stream, backend=backend)
    assert (caught.value.sample, caught.value.neuron) == (0, 2)
    assert caught.value.time == pytest.approx(2.0883238975515)


def burning(weights, *, sparse):
    """Neurons of which some run away, the later the weaker they are driven at first."""
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("hidden", 5, tau_mem=6.0, tau_syn=9.0, refractory=[0.0, 0.0, 0.0, 0.0, 2.0])
    given = np.array([[4.0, 0.0, 9.0, 5.0, 9.0]])
    net.connect("input", "hidden", scipy.sparse.csr_array(given) if sparse else given)
    net.connect("hidden", "hidden", es.self_recurrent(weights))
    silent, early = (np.zeros(0), np.zeros(0, int)), (np.array([1.0]), np.array([0]))
    stream = es.EventStream.from_samples([silent, early, early], n_channels=1, duration=80.0)
    return net, stream


@cache
def ended(strong, sparse, backend):
    """The error with which it ends."""
    weights = strong * np.full(5, 6.0 / 9.0)
    with pytest.raises(RunawayError) as caught:
        es.simulate(*burning(weights, sparse=sparse), backend=backend)
    return caught.value


@pytest.mark.thorough("runs to the bound, seconds by the reference; above are single neurons")
@pytest.mark.crossed("as above", all=1)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("strong", [2.5, 4.0])
def test_layer_that_runs_away_names_the_first_in_time_on_every_backend(backend, sparse, strong):
    error = ended(strong, sparse, backend)
    assert (error.sample, error.neuron) == (1, 2)
    assert error.time == pytest.approx(ended(strong, sparse, "reference").time, abs=1e-6)
