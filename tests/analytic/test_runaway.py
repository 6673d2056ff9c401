"""A neuron that excites itself runs away above r = (theta - V_r) tau_mem / (R tau_syn), no less."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import RunawayError

BOUND = (1.0 - 0.2) * 6.0 / (1.5 * 9.0)


def run(weight, backend):
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("hidden", 1, tau_mem=6.0, tau_syn=9.0, resistance=1.5, v_reset=0.2)
    net.connect("input", "hidden", np.array([[40.0]]))
    net.connect("hidden", "hidden", es.self_recurrent(weight))
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=1000.0)
    return es.simulate(net, stream, backend=backend)


def test_self_weight_below_the_bound_dies_out(backend):
    times = run(0.9 * BOUND, backend)["hidden"].times
    assert times.size > 100
    assert times[-1] < 300.0


def test_self_weight_above_the_bound_runs_away(backend):
    with pytest.raises(RunawayError, match="neuron 0") as caught:
        run(1.1 * BOUND, backend)
    assert (caught.value.population, caught.value.sample, caught.value.neuron) == ("hidden", 0, 0)


def test_loop_that_runs_away_stops_on_every_backend_with_the_same_neuron(backend):
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("hidden", 3, tau_mem=6.0, tau_syn=9.0)
    net.connect("input", "hidden", np.array([[1.0, 1.0, 40.0]]))
    net.connect("hidden", "hidden", 30.0 * (1.0 - np.eye(3)), delays=0.01)
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=1000.0)
    with pytest.raises(RunawayError) as caught:
        es.simulate(net, stream, backend=backend)
    assert (caught.value.sample, caught.value.neuron) == (0, 2)
    assert caught.value.time == pytest.approx(2.0883238975515)
