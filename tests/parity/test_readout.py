"""Readout integrals against matrix exponentials of an augmented system."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from tests.support import stepping
from tests.support.nets import random_net, random_stream

RATIOS = [0.25, 1.0, 1.0 + 1e-9, 4.0, None]


def _run(backend, ratio, sparse=False):
    net = random_net(41, hidden=(5, 4), tau_ratio=ratio, sparse=sparse)
    stream = random_stream(42, n_samples=2, duration=70.0)
    return net, stream, es.simulate(net, stream, backend=backend)


@pytest.mark.parametrize("time_constant", [30.0, 4.0, np.inf])
@pytest.mark.parametrize("ratio", RATIOS)
def test_readout_integral_matches_the_augmented_system(backend, ratio, time_constant):
    net, stream, tape = _run(backend, ratio)
    actual = es.readout_integral(net, tape, "output", time_constant=time_constant)
    expected = stepping.readout_integral(net, stream, tape, "output", time_constant=time_constant)
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11)


def test_readout_integral_at_coinciding_time_constants_is_regular(backend):
    # The weight's rate meets the membrane's: -1/tau_mem + 1/tau_w = 0 has a finite limit.
    net, stream, tape = _run(backend, None)
    for tau in (net.populations["output"].tau_mem[0], net.populations["output"].tau_syn[1]):
        actual = es.readout_integral(net, tape, "output", time_constant=float(tau))
        expected = stepping.readout_integral(net, stream, tape, "output", time_constant=float(tau))
        np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11)


def test_readout_integral_of_a_spiking_population_is_refused(backend):
    net, _, tape = _run(backend, None)
    with pytest.raises(es.errors.NetworkError, match="hidden1"):
        es.readout_integral(net, tape, "hidden1", time_constant=10.0)
    with pytest.raises(es.errors.NetworkError, match="nowhere"):
        es.readout_integral(net, tape, "nowhere", time_constant=10.0)


@pytest.mark.parametrize("time_constant", [0.0, -1.0, np.nan])
def test_readout_integral_with_a_bad_time_constant_is_refused(backend, time_constant):
    net, _, tape = _run(backend, None)
    with pytest.raises(es.errors.ParameterError, match="time_constant"):
        es.readout_integral(net, tape, "output", time_constant=time_constant)


def test_simulate_refuses_the_name_of_a_file_and_says_how_to_read_it():
    with pytest.raises(ParameterError, match=r"stream is str, expected.*EventStream\.load"):
        es.simulate(random_net(3), "events.npz")
