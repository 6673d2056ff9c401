"""A small task: two classes of Poisson patterns on six channels, nets that learn it, a stop."""

import numpy as np

import eventsim as es
from eventsim.events import EventStream
from eventsim.network import Network, self_recurrent
from eventsim.train import Augmentation, LabelledEvents, LearningRates, TrainConfig
from tests.support.nets import one_layer

DURATION = 60.0
CONFIG = TrainConfig(
    epochs=3,
    batch_size=8,
    seed=5,
    validation_fraction=0.2,
    rates=LearningRates(weights=2e-2, taus=2e-2, intrinsic=1e-2, delays=2e-2),
    train_delays=True,
    rate_strength=1e-4,
    silent_lift=1e-3,
    augmentation=Augmentation(time_scale=0.1, time_shift=3.0, drop=0.05, jitter=0.5),
    checkpoint_every=2,
)


def two_patterns(n_samples, *, seed=0):
    """Class 0 is busy on the first three channels, class 1 on the last three."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 2
    samples = []
    for label in labels:
        per_channel = rng.poisson(np.where((np.arange(6) < 3) == (label == 0), 6.0, 2.0))
        channels = np.repeat(np.arange(6), per_channel)
        times = rng.uniform(0.0, DURATION, channels.size)
        order = np.argsort(times)
        samples.append((times[order], channels[order]))
    stream = EventStream.from_samples(samples, n_channels=6, duration=DURATION)
    return LabelledEvents(stream, labels, ("low", "high"))


def first_spike_net(*, seed=0):
    rng = np.random.default_rng(seed)
    net = one_layer("hidden1", rng.normal(0.8, 0.5, (6, 8)), tau_mem=12.0, tau_syn=5.0)
    net.add_population("output", 2, tau_mem=12.0, tau_syn=5.0)
    net.connect("hidden1", "output", rng.normal(0.5, 0.3, (8, 2)))
    return net


def small_net(*, seed=0):
    rng = np.random.default_rng(seed)
    net = one_layer("hidden1", rng.normal(0.8, 0.5, (6, 8)), tau_mem=12.0, tau_syn=5.0)
    net.add_readout("output", 2, tau_mem=20.0, tau_syn=5.0)
    net.connect("hidden1", "hidden1", self_recurrent(rng.normal(0.0, 0.1, 8)))
    net.connect("hidden1", "output", rng.normal(0.0, 0.4, (8, 2)))
    return net


CLOCK = {"seconds": 0.0, "compile_seconds": 0.0}
CONV = es.Convolution((6,), (3,), out_maps=4)


def shared_net():
    net = es.Network()
    net.add_input("input", 6)
    net.add_population("maps", CONV.n_targets, tau_mem=12.0, refractory=1.0)
    net.add_readout("output", 2)
    delays = np.random.default_rng(1).uniform(0.0, 4.0, CONV.weight_shape)
    CONV.connect(net, "input", "maps", 3.0 * CONV.draw(2), delays=delays)
    net.connect("maps", "maps", es.self_recurrent(np.zeros(CONV.n_targets)))
    CONV.share_neurons(net, "maps")
    rng = np.random.default_rng(3)
    net.connect("maps", "output", rng.normal(0.0, 0.4, (CONV.n_targets, 2)))
    return net


def assert_same_net(one, other, arrays=Network.parameters, *, rtol=0.0, atol=0.0):
    """Both have the same values, to the bit or within a tolerance; either may be arrays by name."""
    found, expected = (net if isinstance(net, dict) else arrays(net) for net in (one, other))
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        if rtol or atol:
            np.testing.assert_allclose(found[key], values, rtol=rtol, atol=atol, err_msg=key)
        else:
            np.testing.assert_array_equal(found[key], values, err_msg=key)


def assert_same_run(one, other):
    """Both have the same history but for the clock, and the same networks."""
    for line, expected in zip(one.history, other.history, strict=True):
        assert {**line, **CLOCK} == {**expected, **CLOCK}
    assert_same_net(one.net, other.net, Network.to_arrays)
    assert_same_net(one.selected_net, other.selected_net, Network.to_arrays)


class Stop(Exception):
    """Raised by a callback to end a run."""


def stop_at(epoch, batch, error=Stop):
    def callback(event):
        if (event.kind, event.epoch, event.batch) == ("batch", epoch, batch):
            raise error

    return callback
