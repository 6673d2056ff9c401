"""Dense layers of which own spikes return later: they have the bits of lists by neuron."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import make_job
from eventsim.engine.algorithm import Algorithm, algorithms_of
from eventsim.engine.cpu import fanin
from eventsim.plan import make_plan
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.parity.test_spread import gradients_of
from tests.support.compare import assert_same_bits, assert_same_spikes
from tests.support.nets import neuron_parameters, random_stream
from tests.support.simt.runs import met

# Delays of own spikes, ms, beside events that are some 1 ms apart; what else neurons have.
CASES = {
    "between two events": {"own": (1e-3, 0.3)},
    "many on their way": {"own": (20.0, 45.0)},
    "held beyond the return": {"own": (0.2, 2.0), "refractory": 4.0},
    "let go before the return": {"own": (2.0, 5.0), "refractory": 1.0},
    "some at once": {"own": (-2.0, 4.0), "refractory": 0.5},
    "adaptive": {"own": (0.2, 9.0), "adaptation": 0.4, "tau_adaptation": 30.0},
    "adaptive, held": {"own": (0.2, 9.0), "adaptation": 0.2, "refractory": 2.0},
    "rests above": {"own": (0.2, 9.0), "v_leak": 1.2},
    "events at one time": {"own": (0.2, 9.0), "refractory": 1.0, "tick": 2.0},
}


def case(name):
    given = dict(CASES[name])
    rng, own, tick = np.random.default_rng(85), given.pop("own"), given.pop("tick", None)
    net = es.Network()
    net.add_input("input", 20)
    for layer, (source, size) in {"a": ("input", 37), "b": ("a", 16), "c": ("b", 1)}.items():
        net.add_population(layer, size, **neuron_parameters(rng, size) | given)
        weights = rng.normal(1.5, 2.0, (net.population(source).size, size))
        net.connect(source, layer, weights, delays=rng.integers(0, 3, len(weights)).astype(float))
        delays = np.maximum(rng.uniform(*own, size), 0.0)
        delays[0] = own[1]
        net.connect(layer, layer, es.self_recurrent(rng.normal(0.0, 1.0, size)), delays=delays)
    stream = random_stream(86, n_samples=3, n_channels=20, duration=70.0, rate=40.0)
    return net, stream if tick is None else stream.round_times(tick)


def assert_bits_of_lists(net, stream, monkeypatch, **options):
    plan = make_plan(net)
    assert set(algorithms_of(plan).values()) == {Algorithm.FAN_IN}
    found = es.simulate(net, stream, backend="cpu", **options)
    assert all(fanin.is_dense(make_job(plan, stage, found)) for stage in plan.stages)
    gradients = gradients_of(net, found)
    with monkeypatch.context() as patched:
        patched.setattr(fanin, "is_dense", lambda job: False)
        expected = es.simulate(net, stream, backend="cpu", **options)
        others = gradients_of(net, found)
    for name in expected.names:
        assert_same_bits(found[name], expected[name])
    for mine, other in zip(gradients, others, strict=True):
        np.testing.assert_array_equal(mine, other)
    return found


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list(CASES))
def test_neurons_side_by_side_have_the_bits_of_their_lists(name, precision, monkeypatch):
    net, stream = case(name)
    tape = assert_bits_of_lists(net, stream, monkeypatch, precision=precision)
    assert min(len(tape[name]) for name in "abc") > 10
    assert_chunks_equal_whole(net, stream, 9.7, backend="cpu", precision=precision)
    if precision == "double":
        assert_same_spikes(tape, es.simulate(net, stream, backend="reference"), atol_ms=1e-8)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("held", [None, 1.5])
def test_events_at_the_time_of_a_return_come_before_it(held, precision, monkeypatch):
    run = met("dense", 1.5, weight=2.0, returns=1.5, held=held)
    net, stream = run.net(), run.stream()
    tape = assert_bits_of_lists(net, stream, monkeypatch, precision=precision)
    sample = ("single", "double").index(precision)
    times = tape["hidden"].sample(sample)[0] + 1.5
    assert np.isin(times, stream[sample].times).sum() >= 8
    assert_chunks_equal_whole(net, stream, 1.5, backend="cpu", precision=precision)
