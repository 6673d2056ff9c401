"""A network has no unit of voltage: scaled as a whole it gives the same spikes, or is refused."""

import numpy as np
import pytest

import eventsim as es
from tests.support.compare import ATOL, assert_same_spikes
from tests.support.nets import lateral_net, one_layer, random_net, random_stream

VOLTAGES = ("threshold", "v_leak", "v_reset")


def scaled(net, factor):
    """Voltages and weights of spiking populations times a factor."""
    net = net.copy()
    for population in net.populations.values():
        if population.kind == "spiking":
            for name in VOLTAGES:
                getattr(population, name)[:] *= factor
    for projection in net.projections.values():
        if net.population(projection.target).kind == "spiking":
            projection.values[:] *= factor
    return net


def nets():
    return {
        "dense": random_net(31, n_inputs=6, hidden=(20, 12), delays="none", self_delays="none"),
        "sparse": random_net(32, n_inputs=6, hidden=(20, 12), sparse=True),
        "loop": lateral_net(33),
    }


def stream_for(net):
    n_channels = next(p.size for p in net.populations.values() if p.kind == "input")
    return random_stream(34, n_samples=3, n_channels=n_channels, duration=60.0, rate=60.0)


LESS = pytest.mark.nightly("between the others, which are those of make test-all")


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(
    "factor", [1e-14, 1e14, *(pytest.param(f, marks=LESS) for f in (1e-7, 1e7))]
)
@pytest.mark.parametrize("name", list(nets()))
def test_scaled_network_has_the_spikes_of_the_reference(name, factor, precision, fast_backend):
    net = nets()[name]
    stream = stream_for(net)
    expected = es.simulate(net, stream, backend="reference")
    actual = es.simulate(scaled(net, factor), stream, backend=fast_backend, precision=precision)
    assert_same_spikes(actual, expected, atol_ms=ATOL[precision])


@pytest.mark.parametrize("factor", [1e-14, 1e14])
def test_gradients_scale_with_the_network(factor, backend):
    net = nets()["dense"]
    stream = stream_for(net)
    found = []
    for one in (net, scaled(net, factor)):
        tape = es.simulate(one, stream, backend=backend)
        seeds = {name: np.ones(len(tape[name])) for name in tape.names}
        found.append(es.backward(one, tape, seeds))
    for key in ("input->hidden1", "hidden1->hidden2", "hidden2->hidden2"):
        np.testing.assert_allclose(found[1][key].weights * factor, found[0][key].weights, rtol=1e-6)


def test_threshold_at_the_resting_potential_is_allowed(backend):
    # It fires once V has passed its rest from below: at once, for a current after the reset.
    net = one_layer("hidden", [[9.0]], threshold=0.3, v_leak=0.3, v_reset=-0.5)
    stream = es.EventStream([5.0], [0], [0, 1], n_channels=1, duration=1e5)
    spikes = es.simulate(net, stream, backend=backend)["hidden"]
    assert 1 <= len(spikes) < 50
    silent = es.EventStream([], [], [0, 0], n_channels=1, duration=1e5)
    assert len(es.simulate(net, silent, backend=backend)["hidden"]) == 0
