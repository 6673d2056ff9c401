"""A range of membrane time constants: every hidden neuron draws its own."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.runs.networks import NetworkSettings


def scsr(**given):
    return es.scsr(4, (300, 200), 2, **given)


def rsnn(**given):
    return es.rsnn(4, (300, 200), 2, **given)


@pytest.mark.parametrize("build", [scsr, rsnn])
def test_hidden_neurons_draw_evenly_in_the_logarithm_and_all_else_stays(build):
    net, plain = build(tau_mem=15.0, tau_mem_range=(10.0, 300.0)), build(tau_mem=15.0)
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
    net = es.scsr(4, (3,), 2, output="spiking", tau_mem=15.0, tau_mem_range=(100.0, 200.0))
    assert (net.population("output").tau_mem == 15.0).all()
    assert (net.population("hidden1").tau_mem >= 100.0).all()


def test_seed_decides_them():
    first, same = (scsr(tau_mem_range=(10.0, 300.0), seed=1) for _ in range(2))
    other = scsr(tau_mem_range=(10.0, 300.0), seed=2)
    taus = [net.population("hidden1").tau_mem for net in (first, same, other)]
    assert np.array_equal(taus[0], taus[1])
    assert not np.array_equal(taus[0], taus[2])


@pytest.mark.parametrize("given", [(0.0, 5.0), (-1.0, 5.0), (5.0, 4.0), (5.0, np.inf), (5.0,), 7.0])
@pytest.mark.parametrize("build", [scsr, rsnn])
def test_range_that_is_none_is_refused(build, given):
    with pytest.raises(ParameterError, match=r"tau_mem_range is .*expected \(low, high\)"):
        build(tau_mem_range=given)


def test_settings_of_a_run_build_the_same_network():
    settings = NetworkSettings(hidden=(5,), tau_syn=5.0, tau_mem_range=(10.0, 300.0))
    built = settings.build(4, 2, seed=3).population("hidden1").tau_mem
    asked = es.scsr(4, (5,), 2, tau_mem_range=(10.0, 300.0), seed=3).population("hidden1").tau_mem
    assert np.array_equal(built, asked)
    assert NetworkSettings.from_dict(settings.described()) == settings
    for wrong in ((0.0, 5.0), (1.0, 2.0, 3.0), "10"):
        with pytest.raises(ParameterError, match="tau_mem_range"):
            NetworkSettings(tau_mem_range=wrong)
    with pytest.raises(ParameterError, match="tau_mem_range.*belongs to"):
        NetworkSettings.from_options({"model": "convolutional", "tau_mem_range": (1.0, 2.0)})
