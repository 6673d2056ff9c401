"""The alert level lies a margin below the threshold, since a voltage is rounded.

A neuron is searched for a crossing where its voltage may have reached the alert level. Right behind
a crossing the rounded voltage may still be below the threshold. An event that comes there, and
changes nothing, must not change the spike.
"""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.engine.contract import table

SIZE = 150
ADAPTIVE = {"adaptation": 0.4, "tau_adaptation": 30.0}
FURTHER = (1, 2, 5, 30)  # of the last bits of the spike's time


def heard_alone(kind):
    """Neurons that all hear channel 0, and each, by a weight of zero, a channel of its own."""
    rng, net = np.random.default_rng(3), es.Network()
    tau_mem, tau_syn = rng.uniform(5.0, 30.0, SIZE), rng.uniform(2.0, 15.0, SIZE)
    net.add_input("input", SIZE + 1)
    if kind == "linear":
        net.add_population("out", SIZE, neuron=es.AdLIF(a=1.0, b=0.3), refractory=100.0)
    else:
        more = ADAPTIVE if kind == "adaptive" else {}
        net.add_population("out", SIZE, tau_mem=tau_mem, tau_syn=tau_syn, refractory=15.0, **more)
    rows = np.repeat([0, 1], SIZE) * np.tile(np.arange(1, SIZE + 1), 2)
    columns, values = np.tile(np.arange(SIZE), 2), np.zeros(2 * SIZE)
    values[:SIZE] = rng.uniform(12.0, 40.0, SIZE)
    net.connect("input", "out", sp.csr_array((values, (rows, columns)), shape=(SIZE + 1, SIZE)))
    return net


def spikes(net, events, **how):
    """Times of all spikes by neuron; the events are pairs of times and channels."""
    times, channels = map(np.concatenate, zip(([1.0], [0]), *events, strict=True))
    order = np.lexsort((channels, times))
    stream = es.EventStream(
        times[order], channels[order].astype(int), [0, times.size], n_channels=SIZE + 1,
        duration=60.0,
    )  # fmt: skip
    train = es.simulate(net, stream, **how)["out"]
    return [train.times[train.neurons == neuron] for neuron in range(SIZE)]


def moved(kind, **how):
    """How many neurons spike at another time because of an event right behind their last spike."""
    net = heard_alone(kind)
    alone, found = spikes(net, [], **how), 0
    fired = np.flatnonzero([times.size for times in alone])
    assert fired.size > 0.9 * SIZE
    last = np.array([alone[neuron][-1] for neuron in fired])
    for bits in FURTHER:
        behind = spikes(net, [(last + bits * np.spacing(last), fired + 1)], **how)
        for neuron, time in zip(fired, last, strict=True):
            found += time not in behind[neuron]
    return found


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("kind", ["lif", "adaptive", "linear"])
def test_an_event_right_behind_a_spike_does_not_change_it(kind, precision, fast_backend):
    assert moved(kind, backend=fast_backend, precision=precision) == 0


def test_without_the_margin_spikes_would_move(monkeypatch):
    monkeypatch.setattr(table, "ALERT_MARGIN", 0.0)
    assert moved("lif", backend="cpu", precision="single") > 0
