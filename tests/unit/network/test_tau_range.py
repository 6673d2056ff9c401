"""A range of membrane time constants: every hidden neuron draws its own."""

import numpy as np
import pytest

import eventsim as es
from eventsim.network import draw_taus
from eventsim.runs.networks import NetworkSettings

BUILDERS = [es.scsr, es.rsnn]


@pytest.mark.parametrize("build", BUILDERS)
def test_hidden_neurons_draw_evenly_in_the_logarithm_and_all_else_stays(build):
    net, plain = (build(4, (300, 200), 2, tau_mem=15.0) for _ in range(2))
    draw_taus(net, 10.0, 300.0)
    for name in ("hidden1", "hidden2"):
        taus = net.population(name).tau_mem
        assert taus.min() >= 10.0
        assert taus.max() <= 300.0
        # Uniform in the logarithm: each third of it holds a third of the neurons.
        thirds = np.histogram(np.log(taus), bins=3, range=np.log([10.0, 300.0]))[0] / taus.size
        assert abs(thirds - 1 / 3).max() < 0.1
        assert np.unique(taus).size == taus.size
    for key, values in plain.parameters().items():
        if key not in ("hidden1.tau_mem", "hidden2.tau_mem"):
            assert np.array_equal(net.parameters()[key], values), key
    assert (net.population("output").tau_mem == 15.0).all()


def test_spiking_output_keeps_its_own():
    net = es.scsr(4, (3,), 2, output="spiking", tau_mem=15.0)
    draw_taus(net, 100.0, 200.0)
    assert (net.population("output").tau_mem == 15.0).all()
    assert (net.population("hidden1").tau_mem >= 100.0).all()


def test_seed_decides_them():
    nets = [es.scsr(4, (9,), 2) for _ in range(3)]
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        draw_taus(net, 10.0, 300.0, seed=seed)
    taus = [net.population("hidden1").tau_mem for net in nets]
    assert np.array_equal(taus[0], taus[1])
    assert not np.array_equal(taus[0], taus[2])


@pytest.mark.parametrize("model", ["scsr", "rsnn"])
def test_settings_of_a_run_draw_them_and_leave_all_else(model):
    settings = NetworkSettings(model=model, hidden=(50,), tau_mem_range=(10.0, 300.0))
    plain = NetworkSettings(model=model, hidden=(50,)).build(4, 2, seed=3)
    net, again, other = (settings.build(4, 2, seed=seed) for seed in (3, 3, 4))
    taus = net.population("hidden1").tau_mem
    assert np.unique(taus).size == 50
    assert 10.0 <= taus.min() <= taus.max() <= 300.0
    assert np.array_equal(taus, again.population("hidden1").tau_mem)
    assert not np.array_equal(taus, other.population("hidden1").tau_mem)
    for key, values in plain.parameters().items():
        if key != "hidden1.tau_mem":
            assert np.array_equal(net.parameters()[key], values), key
    assert NetworkSettings.from_dict(settings.described()) == settings
