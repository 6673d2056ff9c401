"""The four identities of the adjoint, true to rounding (:mod:`eventsim.adjoint`)."""

import numpy as np
import pytest

import eventsim as es
from tests.support.compare import assert_same_gradients, trains
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import random_net, random_stream, ring_net, with_adaptation
from tests.support.wiring import synapses

RTOL = 1e-12  # of the sum of absolute values of the terms
CASES = {
    "two layers": {"hidden": (8, 6)},
    "three layers, sparse": {"hidden": (6, 5, 4), "sparse": True},
    "taus equal": {"hidden": (8, 6), "tau_ratio": 1.0, "delays": "scalar"},
    "membrane faster": {"hidden": (8, 6), "tau_ratio": 0.25, "delays": "source"},
    "membrane slower, sparse": {"hidden": (8, 6), "tau_ratio": 4.0, "sparse": True},
    "no delays": {"hidden": (8, 6), "delays": "none", "self_delays": "none"},
    "pacemakers": {"hidden": (8, 6), "pacemakers": True},
    "adaptive": {"hidden": (4, 3), "tau_ratio": 4.0, "sparse": True},
    "adaptive ring": {},
}
by_case = pytest.mark.parametrize("name", list(CASES))


def case(name, backend):
    seed = 400 + list(CASES).index(name)
    net = random_net(seed, **CASES[name]) if CASES[name] else ring_net(seed, size=3)
    if name.startswith("adaptive"):
        net = with_adaptation(net, seed, tau=(5.0, 40.0))
    stream = random_stream(401, n_samples=2, duration=80.0)
    tape = es.simulate(net, stream, backend=backend)
    assert min(len(tape[population]) for population in tape.names) > 5
    return net, tape, es.backward(net, tape, Sum(loss_of(net), Readout(30.0)))


def loss_of(net):
    return SpikeTimes(*net.spiking)


def weighted_weights(net, gradients, name):
    """Per neuron the terms w dL/dw of all its incoming synapses. List of arrays."""
    terms = [[] for _ in range(net.populations[name].size)]
    for key, projection in net.projections.items():
        if projection.target != name:
            continue
        wires = synapses(net, projection)
        slopes = np.asarray(gradients[key].weights).ravel()
        for target, term in zip(wires.targets, wires.weights * slopes, strict=True):
            terms[target].append(term)
    return terms


def assert_cancels(terms):
    terms = np.asarray(terms, dtype=float)
    assert abs(terms.sum()) <= RTOL * np.abs(terms).sum(), terms


@by_case
def test_weights_and_resistance_have_one_gain(backend, name):
    net, tape, gradients = case(name, backend)
    for population in [*tape.names, "output"]:
        p = net.populations[population]
        gain = p.resistance * gradients[population].resistance
        assert np.abs(gain).max() > 0
        for j, terms in enumerate(weighted_weights(net, gradients, population)):
            assert_cancels([*terms, -gain[j]])


@by_case
def test_weights_threshold_and_reset_scale_together(backend, name):
    # Of all voltages of a neuron, the rise of an adaptive threshold among them, only ratios matter.
    net, tape, gradients = case(name, backend)
    for population in tape.names:
        p, g = net.populations[population], gradients[population]
        scaled = [(p.threshold - p.v_leak) * g.threshold, (p.v_reset - p.v_leak) * g.v_reset]
        if p.is_adaptive:
            scaled.append(p.adaptation * g.adaptation)
            assert np.abs(scaled[-1]).max() > 0.1
        for j, terms in enumerate(weighted_weights(net, gradients, population)):
            assert_cancels([*terms, *(values[j] for values in scaled)])


@by_case
def test_shift_of_all_voltages_changes_nothing(backend, name):
    _, tape, gradients = case(name, backend)
    for population in tape.names:
        g = gradients[population]
        for terms in zip(g.v_leak, g.threshold, g.v_reset, strict=True):
            assert_cancels(terms)


@by_case
def test_scaling_all_times_scales_the_spikes(backend, name):
    net, tape, _ = case(name, backend)
    seeds = loss_of(net)(net, tape)[1]
    gradients = es.backward(net, tape, seeds)
    flat, terms = gradients.flat(), list(gradients.input_times * tape.stream.times)
    for key, value in net.parameters().items():
        if key.endswith((".tau_mem", ".tau_syn", ".tau_adaptation", ".refractory", ".delays")):
            terms += list((value * flat[key]).ravel())
    for population, seed in seeds.items():
        terms += list(-seed * tape[population].times)
    assert_cancels(terms)


@pytest.mark.parametrize("sparse", [False, True])
def test_voltage_seed_equals_the_time_seed_that_it_stands_for(backend, sparse):
    # dt/dV = -1 / V' at threshold, so a time seed s is a voltage seed -s / V'.
    from tests.support.wiring import slope_before

    net = random_net(431, hidden=(4, 3), sparse=sparse)
    stream = random_stream(432, n_samples=2, duration=40.0)
    tape = es.simulate(net, stream, backend=backend)
    spikes = tape["hidden2"]
    seed = np.cos(np.arange(spikes.times.size))
    slopes = [
        slope_before(net, tape, "hidden2", sample, int(n), float(t))
        for sample in range(2)
        for t, n in zip(*spikes.sample(sample), strict=True)
    ]
    by_time = es.backward(net, tape, {"hidden2": es.SpikeSeed(time=seed)})
    by_voltage = es.backward(net, tape, {"hidden2": es.SpikeSeed(voltage=-seed / np.array(slopes))})
    assert_same_gradients(by_voltage, by_time, rtol=1e-9)


def test_gradient_is_linear_in_the_seeds(backend):
    net = random_net(441, hidden=(4, 3))
    tape = es.simulate(net, random_stream(442, n_samples=2, duration=40.0), backend=backend)
    rng = np.random.default_rng(0)
    one = {n: rng.standard_normal(tape[n].times.size) for n in tape.names}
    two = {n: rng.standard_normal(tape[n].times.size) for n in tape.names}
    both = {n: 2.0 * one[n] - 3.0 * two[n] for n in tape.names}
    flats = [es.backward(net, tape, seeds).flat() for seeds in (one, two, both)]
    for key, value in flats[2].items():
        expected = 2.0 * flats[0][key] - 3.0 * flats[1][key]
        scale = max(np.abs(flats[0][key]).max(), np.abs(flats[1][key]).max(), 1e-300)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-11 * scale, err_msg=key)


def test_spikes_keep_their_own_losses_apart_from_later_ones(backend):
    # Causality: the gradient of the first spike's time knows no later event.
    net = random_net(451, hidden=(4,), delays="synapse")
    stream = random_stream(452, n_samples=1, duration=60.0)
    tape = es.simulate(net, stream, backend=backend)
    seed = np.zeros(tape["hidden1"].times.size)
    k = seed.size // 2
    seed[k] = 1.0
    gradients = es.backward(net, tape, {"hidden1": seed})
    later = stream.times >= tape["hidden1"].times[k]
    assert later.any()
    assert (gradients.input_times[later] == 0.0).all()
    assert (gradients.input_times[~later] != 0.0).any()
    assert trains(tape["hidden1"])
