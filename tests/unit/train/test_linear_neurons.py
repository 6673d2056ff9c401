"""Training of linear neurons: every parameter by name, inside its domain."""

from types import MappingProxyType

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.train import AdamSettings, AdamW, LearningRates, TrainConfig, select, train
from eventsim.train.calibration import wake
from tests.support.nets import one_layer
from tests.unit.train.task import two_patterns


def network(neuron, readout=2):
    rng = np.random.default_rng(3)
    data = two_patterns(4)
    n_in = data.stream.n_channels
    net = es.Network()
    net.add_input("input", n_in)
    net.add_population("hidden", 6, neuron=neuron)
    net.add_readout("output", readout)
    for name in neuron.receptors:
        net.connect("input", "hidden", rng.normal(0.6, 1.0, (n_in, 6)), receptor=name or None)
    net.connect("hidden", "hidden", es.self_recurrent(np.full(6, -0.1)), receptor=next(
        iter(neuron.receptors)) or None)  # fmt: skip
    net.connect("hidden", "output", rng.normal(0.0, 0.5, (6, readout)))
    return net


def test_kinds_mean_the_parameters_of_linear_neurons():
    keys = select(network(es.AdLIF(tau_syn={"a": 5.0, "b": 9.0})), ("tau_syn", "neuron"))
    mine = [key.removeprefix("hidden.") for key in keys if key.startswith("hidden.")]
    assert mine == ["tau_w", "a", "b", "tau_syn_a", "tau_syn_b"]
    assert select(network(es.LIF()), ("neuron",)) == []


@pytest.mark.parametrize(
    ("neuron", "key", "at_least"),
    [
        (es.AdLIF(a=-0.9), "a", -0.95),
        (es.AdLIF(tau_w=1.2), "tau_w", 1.0),
        (es.Resonator(damping=0.1), "damping", 0.0),
        (es.LIF(tau_syn={"x": 1.1, "y": 20.0}), "tau_syn_x", 0.0),
    ],
)
def test_a_step_keeps_the_parameters_of_linear_neurons_in_their_domains(neuron, key, at_least):
    net = network(neuron)
    settings = AdamSettings(rates=LearningRates(taus=5.0, intrinsic=5.0))
    optimiser = AdamW(net, select(net, ("neuron", "tau_syn")), settings)
    down = {name: np.ones(values.shape) for name, values in net.parameters().items()}
    for _ in range(3):
        optimiser.step(down)
    net.check()
    values = net.parameters()[f"hidden.{key}"]
    assert values.min() >= at_least
    assert values.min() == at_least or key == "tau_syn_x"


class OwnWays(es.LinearNeuron):
    """Has ``a`` as AdLIF, in another domain."""

    states, receptors = ("v", "i"), MappingProxyType({"in": "i"})
    parameters = MappingProxyType({"tau": 5.0, "a": 2.0})
    domains = MappingProxyType({"a": es.AdLIF.domains["a"]._replace(floor=0.1)})

    def flow(self, p):
        return {("v", "v"): -1 / p.tau, ("v", "i"): p.a, ("i", "i"): -1 / p.tau}


def test_one_name_for_two_ways_of_training_is_refused():
    net = network(es.AdLIF())
    net.add_population("other", 1, neuron=OwnWays())
    assert AdamW(net, select(net, ("weights",))).keys
    with pytest.raises(ParameterError, match=r"other\.a is trained as .*Rename one of them"):
        AdamW(net, select(net, ("neuron",)))


@pytest.mark.parametrize(
    "neuron", [es.AdLIF(a=0.5, b=0.1), es.Resonator(frequency=20.0, tau_syn=8.0)]
)
def test_networks_of_linear_neurons_learn(neuron):
    data = two_patterns(16)
    net = network(neuron)
    config = TrainConfig(
        epochs=20, batch_size=8, seed=1, validation_fraction=0.0, backend="cpu",
        bip=("tau_mem", "tau_syn", "threshold", "neuron"),
    )  # fmt: skip
    trained = train(net, data, config).net
    losses = [es.evaluate(one, data, config).loss for one in (net, trained)]
    assert losses[1] < 0.6 * losses[0]
    for key in ("tau_syn", *neuron.parameters):
        values = [one.parameters()[f"hidden.{key}"] for one in (net, trained)]
        assert not np.array_equal(*values)


def driven(neuron):
    """A population that a strong rhythm drives, and the recordings."""
    rng = np.random.default_rng(5)
    times = np.sort(rng.uniform(0.0, 500.0, 600))
    stream = es.EventStream(times, rng.integers(0, 4, 600), [0, 600], n_channels=4, duration=500.0)
    net = one_layer("hidden", rng.normal(1.0, 2.0, (4, 9)), neuron=neuron, refractory=2.0)
    return net, stream


@pytest.mark.parametrize(
    ("neuron", "target"),
    [
        (es.Resonator(frequency=np.geomspace(4.0, 36.0, 9)), 10.0),  # median 12 Hz
        (es.Resonator(frequency=6.0), 6.0),
        (es.AdLIF(a=30.0), 10.0),  # swings with 19 Hz
        (es.Resonator(frequency=2.0), None),  # fades within a radian: no resonance to keep
        (es.AdLIF(a=0.5), None),
    ],
)
def test_neurons_that_fire_more_often_than_they_swing_start_lower(neuron, target):
    net, stream = driven(neuron)
    before = net.projections["input->hidden"].weights.copy()
    done = wake(net, stream, TrainConfig(backend="cpu"), log=False)
    seconds = (stream.times[-1] - stream.times[0]) / 1000.0
    rate = len(es.simulate(net, stream, backend="cpu")["hidden"]) / 9 / seconds
    if target is None:
        assert not done
        np.testing.assert_array_equal(net.projections["input->hidden"].weights, before)
        assert rate > 10.0
    else:
        assert rate == pytest.approx(target, rel=0.15)


def test_a_damping_moves_in_its_own_unit():
    net = network(es.Resonator(damping=30.0))
    optimiser = AdamW(net, ["hidden.damping"], AdamSettings(rates=LearningRates(intrinsic=1e-2)))
    optimiser.step({"hidden.damping": np.full(6, 3.0)})
    np.testing.assert_allclose(net.populations["hidden"].damping, 30.0 - 1e-2 * 20.0, rtol=1e-6)
