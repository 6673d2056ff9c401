"""What people do with arrays on a device, small: each entry of WORK, given an empty folder."""

from dataclasses import replace
from functools import partial

import numpy as np

import eventsim as es
from eventsim.energy import count
from eventsim.engine import place
from eventsim.train import (
    Augmentation,
    CrossEntropy,
    MaximumLoss,
    SpiKL,
    SumOfLosses,
    TrainConfig,
    VanRossum,
    WordsLoss,
    evaluate,
    gradient,
    train,
)
from tests.support.losses import LABELS, all_losses
from tests.support.nets import lateral_net, random_net, random_stream
from tests.unit.train.task import first_spike_net, small_net, two_patterns

CONFIG = TrainConfig(
    epochs=1, batch_size=4, validation_fraction=0.25, backend="cuda", checkpoint_every=1
)
CONVOLUTION = {"output_maps": 3, "kernel": (3, 3), "forward_delays": (0.0, 20.0), "mean": 4.0}


def convolution():
    return es.convolutional(6, (4,), 2, **CONVOLUTION)


def readout_net(n_outputs):
    return es.scsr(6, (8,), n_outputs, mean=4.0, spread=4.0, output_delays=(0.0, 10.0))


def every_loss(make, folder):
    """Values and gradients of all losses, of a network on the host and of one on the device."""
    net, stream = make(), random_stream(124, n_samples=3, duration=50.0)
    spiking = [p for p in net.populations.values() if p.kind == "spiking"]
    spiking[-1].threshold[:2] = 30.0
    targets = es.simulate(net, stream, backend="cpu")[spiking[0].name]
    loss = SumOfLosses(
        (
            *all_losses(spiking[-1].name).terms,
            (1.0, CrossEntropy(LABELS, time_constant=30.0)),
            (1.0, VanRossum(targets, population=spiking[0].name)),
        )
    )
    for there in (net, place(net, backend="cuda")):
        tape = es.simulate(there, stream, backend="cuda", resident=True)
        gradient(there, tape, loss)


def learn(make, changes, folder, data=None):
    """One epoch with validation and checkpoints, and an evaluation."""
    config, data = replace(CONFIG, **changes), data or two_patterns(12)
    found = train(make(), data, config, folder)
    evaluate(found.net, data, config)


def words(folder):
    data = replace(two_patterns(8), class_names=("one", "two one"))
    learn(partial(readout_net, 3), {"loss": WordsLoss(interval=5.0)}, folder, data)


def excitation_and_inhibition(folder):
    net = partial(es.rsnn, 6, (10,), 2, inhibitory=0.2, mean=4.0, spread=4.0)
    learn(net, {"dale": True, "train_delays": True, "max_delay": 4.0, "shards": 2}, folder)


def linear(make, folder):
    """Training of neurons of another kind, and their chunks."""
    net = partial(make, 6, (8,), 2, neuron=es.AdLIF(a=0.5, b=0.2), mean=4.0, spread=4.0)
    learn(net, {"bip": ("neuron", "tau_syn", "threshold"), "shards": 2}, folder)
    stream = random_stream(8, n_channels=6, duration=40.0)
    for _ in es.simulate_chunks(net(), stream.chunks(19.0), backend="cuda"):
        pass


def resumed(folder):
    """A run that is stopped after a batch, and goes on."""

    class Stopped(Exception):
        pass

    def stop(event):
        raise Stopped

    config, data = replace(CONFIG, averaged=0.9, ease_in=0.0), two_patterns(12)
    try:
        train(small_net(), data, config, folder, callback=stop)
    except Stopped:
        train(small_net(), data, config, folder, resume=True)


def tapes(folder):
    """What is asked of a run: counts, parts, files, voltages, energy."""
    net = place(random_net(5, sparse=True), backend="cuda")
    stream = random_stream(6, n_samples=3)
    tape = es.simulate(net, stream, backend="cuda", resident=True)
    for name in tape.names:
        tape[name].counts(), tape[name].total_counts(), tape[name].sample(1)
        tape[name].of_neurons(1, 3)
    tape.save(folder / "tape.npz")
    es.voltage(net.to_host(), tape.to_host(), "output", np.linspace(1.0, 50.0, 5))
    count(net, tape)
    net.check()
    net.copy().to_host()


def chunks(folder):
    net, stream = random_net(7, delays="synapse"), random_stream(8, duration=40.0)
    for _ in es.simulate_chunks(net, stream.chunks(9.0), backend="cuda"):
        pass


MISSES = {"near_miss_strength": 0.5, "near_miss_margin": 2.0, "label_smoothing": 0.1}
AUGMENTED = {"augmentation": Augmentation(noise=5.0, crop=50.0, mix=0.3, jitter=1.0)}
TUNED = {
    "bip": ("threshold", "v_leak", "v_reset"),
    "spikl": SpiKL(resistance=0.1, tau_mem=0.1),
}
DECIDED = {"loss": MaximumLoss(dropout=0.3), "tail": 20.0}

WORK = {
    "losses, dense": partial(every_loss, lambda: random_net(121, delays="source")),
    "losses, sparse": partial(every_loss, lambda: random_net(122, sparse=True)),
    "losses, loop": partial(every_loss, lambda: lateral_net(123)),
    "cross-entropy": partial(learn, small_net, {"precision": "double"}),
    "maximum": partial(learn, partial(readout_net, 2), {"loss": "cross_entropy_maximum"}),
    "last": partial(learn, small_net, {"loss": "cross_entropy_last"}),
    "first spike": partial(learn, first_spike_net, {"loss": "first_spike"}),
    "spike count": partial(learn, first_spike_net, {"loss": "spike_count"}),
    "van Rossum": partial(learn, first_spike_net, {"loss": "van_rossum"}),
    "CTC": words,
    "convolution": partial(learn, convolution, DECIDED),
    "convolution, last": partial(learn, convolution, {"loss": "cross_entropy_last"}),
    "misses": partial(learn, small_net, {**MISSES, **AUGMENTED, "rate_low": 5.0, "shards": 3}),
    "plasticity": partial(learn, small_net, TUNED),
    "Dale": excitation_and_inhibition,
    "linear": partial(linear, es.scsr),
    "linear, loop": partial(linear, es.rsnn),
    "resumed": resumed,
    "tapes": tapes,
    "chunks": chunks,
}
