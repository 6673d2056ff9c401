"""Readout integrals against matrix exponentials of an augmented system."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint import ReadoutSeed
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.run.run import readout_job
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


@pytest.mark.parametrize(("precision", "rtol"), [("single", 2e-6), ("double", 1e-8)])
@pytest.mark.parametrize("tau", [40.0, 1e3, 1e6])
def test_integral_of_recordings_that_are_short_beside_the_time_constants(
    fast_backend, precision, rtol, tau
):
    """An arrival gains (time left / tau)^2, of which a window's rounding was up to many times."""
    rng, net = np.random.default_rng(3), es.Network()
    net.add_input("input", 4)
    net.add_readout("output", 3, tau_mem=tau * np.array([1.0, 1.5, 3.0]), tau_syn=tau / 2)
    net.connect("input", "output", rng.normal(size=(4, 3)))
    stream = random_stream(4, n_channels=4, n_samples=2, duration=1.0, rate=9e3)

    def found(backend, precision):
        tape = es.simulate(net, stream, backend=backend, precision=precision)
        integral = es.readout_integral(net, tape, "output")
        seed = ReadoutSeed(np.inf, np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.0]]))
        gradients = es.backward(net, tape, {"output": seed})
        by = ("input->output.weights", "output.tau_mem")
        return [integral, gradients.input_times, *(gradients.flat()[name] for name in by)]

    pairs = zip(found(fast_backend, precision), found("reference", "double"), strict=True)
    for actual, expected in pairs:
        assert np.abs(actual - expected).max() < rtol * np.abs(expected).max()


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("delays", ["none", "source", "synapse"])
def test_readout_of_many_outputs_agrees_with_the_reference(precision, sparse, delays):
    # More outputs than one vector holds, and one sample without a spike.
    net = random_net(43, hidden=(5, 4), n_outputs=21, sparse=sparse, delays=delays)
    stream = random_stream(44, n_samples=3, duration=70.0)
    stream = es.EventStream.from_samples(
        [*stream, (np.zeros(0), np.zeros(0, int))], n_channels=5, duration=90.0
    )
    tape = es.simulate(net, stream, backend="reference")
    job, rate = readout_job(net, tape, "output"), 0.04
    seed = np.random.default_rng(45).normal(size=(4, 21))
    reference, cpu = get_backend("reference"), get_backend("cpu")
    rtol = {"single": 2e-6, "double": 1e-12}[precision]
    expected = reference.readout_forward(job, rate)
    job = replace(job, precision=precision)
    assert_close(cpu.readout_forward(job, rate), expected, rtol)
    expected = reference.readout_backward(job, rate, seed)
    actual = cpu.readout_backward(job, rate, seed)
    for name, values in expected.parameters.items():
        assert_close(actual.parameters[name], values, rtol)
    assert_close(actual.weights, expected.weights, rtol)
    if delays == "synapse":
        assert_close(actual.delays, expected.delays, rtol)
    for mine, theirs in zip(actual.source_times, expected.source_times, strict=True):
        assert_close(mine, theirs, rtol)


def assert_close(actual, expected, rtol):
    """Relative to the largest."""
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=rtol * np.abs(expected).max())
