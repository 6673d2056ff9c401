"""Delays that are trained: a task that only they can solve, and their bounds.

Two channels fire once, 6 ms apart; which one comes first is the class. A neuron tells it if its
delays bring the two spikes together in one class and further apart in the other: it fires earlier
when they coincide. All weights are equal and stay so.
"""

import numpy as np
import pytest
import scipy.sparse as sp

from eventsim.events import EventStream
from eventsim.network import rsnn
from eventsim.train import (
    AdamSettings,
    AdamW,
    LabelledEvents,
    LearningRates,
    TrainConfig,
    evaluate,
    select,
    train,
)
from eventsim.train.loss_settings import FirstSpikeLoss
from tests.support.nets import one_layer

GAP, DURATION = 6.0, 60.0
CONFIG = TrainConfig(
    epochs=8,
    batch_size=16,
    loss=FirstSpikeLoss(time_constant=3.0),
    validation_fraction=0.0,
    bip=(),
    train_delays=True,
    max_delay=10.0,
    rates=LearningRates(weights=0.0, delays=0.3),
    rate_strength=0.0,
    silent_lift=0.0,
)


def who_is_first(n_samples, *, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n_samples) % 2
    samples = []
    for label in labels:
        begin = rng.uniform(2.0, 8.0)
        samples.append((np.array([begin, begin + GAP]), np.array([label, 1 - label])))
    stream = EventStream.from_samples(samples, n_channels=2, duration=DURATION)
    return LabelledEvents(stream, labels, ("first", "second"))


def forward_net(delays):
    """Two neurons that hear both channels."""
    net = one_layer(
        "output", np.full((2, 2), 4.0), tau_mem=8.0, tau_syn=3.0, refractory=50.0, delays=delays
    )
    return net


def lateral_net(delays):
    """Neurons 0 and 1 repeat the channels; 2 and 3 hear them; the output repeats those."""
    net = one_layer(
        "hidden1", sp.csr_array(np.eye(2, 4) * 20.0), tau_mem=8.0, tau_syn=3.0, refractory=50.0
    )
    net.add_population("output", 2, tau_mem=8.0, tau_syn=3.0, refractory=50.0)
    lateral = np.zeros((4, 4))
    lateral[:2, 2:] = 4.0
    # A fifth, idle synapse: four delays of four neurons would be one per source.
    lateral[3, 0] = 1e-6
    net.connect(
        "hidden1", "hidden1", sp.csr_array(lateral), delays=np.append(np.ravel(delays), 1.0)
    )
    net.connect("hidden1", "output", sp.csr_array(np.eye(4, 2, -2) * 20.0))
    return net


@pytest.mark.crossed(
    "trains for seconds; gradients by delays are those of the reference", test=0, all=1
)
@pytest.mark.parametrize(
    ("build", "key"),
    [(forward_net, "input->output"), (lateral_net, "hidden1->hidden1")],
    ids=["feedforward", "lateral"],
)
def test_delays_alone_learn_who_is_first(tmp_path, fast_backend, build, key):
    start = np.array([[4.0, 4.1], [4.1, 4.0]])  # wrong way round for both neurons
    net, data, test = build(start), who_is_first(64, seed=1), who_is_first(40, seed=2)
    config = CONFIG.from_dict(CONFIG.to_dict() | {"backend": fast_backend})
    assert evaluate(net, test, config).accuracy < 0.6
    result = train(net, data, config, tmp_path / "run")
    assert evaluate(result.net, test, config).accuracy == 1.0
    before, after = net.parameters(), result.net.parameters()
    assert all(np.array_equal(before[k], after[k]) for k in before if not k.endswith(".delays"))
    learned = after[f"{key}.delays"].ravel()[:4].reshape(2, 2)
    assert learned[0, 0] - learned[1, 0] > 1.5  # class 0: channel 0 is first and waits
    assert learned[1, 1] - learned[0, 1] > 1.5
    assert (learned >= 0).all()
    assert (learned <= config.max_delay).all()


def test_delays_stay_between_zero_and_the_maximum():
    net = rsnn(3, (6,), 2, delays=(1.0, 2.0), forward_delays=1.5, inhibitory=0.3)
    keys = select(net, ["delays"])
    settings = AdamSettings(rates=LearningRates(delays=0.3), max_delay=2.5)
    for sign in (-1.0, 1.0):
        adam = AdamW(net, keys, settings)
        for _ in range(20):
            adam.step({key: np.full(net.parameters()[key].shape, sign) for key in keys})
        bound = 2.5 if sign < 0 else 0.0
        assert all((net.parameters()[key] == bound).all() for key in keys)
    net.check()


def test_delays_without_a_maximum_grow():
    net = rsnn(3, (6,), 2)
    adam = AdamW(net, ["hidden1->hidden1.delays"], AdamSettings(rates=LearningRates(delays=5.0)))
    adam.step({"hidden1->hidden1.delays": np.array(-1.0)})
    assert net.projections["hidden1->hidden1"].delays == pytest.approx(6.0)
