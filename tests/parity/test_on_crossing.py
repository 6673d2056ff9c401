"""An event at the very time of a crossing comes first, also where the spike acts at once.

So the run is that of an event a moment earlier: with excitation the neuron fires and reaches the
others without delay; under strong inhibition a LIF neuron does not fire. Of linear neurons, which
have reached their threshold then, rounding decides it.
"""

import numpy as np
import pytest

import eventsim as es

MOMENT = 1e-9
KINDS = {"lif": {"tau_mem": 14.0, "tau_syn": 6.0}, "linear": {"neuron": es.AdLIF(a=1.0, b=0.3)}}


def loop(kind, refractory):
    """Three neurons that reach each other without delay; channel n + 1 reaches neuron n alone."""
    net = es.Network()
    net.add_input("input", 4)
    net.add_population("loop", 3, refractory=refractory, **KINDS[kind])
    net.connect("input", "loop", [[11.0, 9.0, 7.0], *np.diag([40.0, 40.0, 40.0]).tolist()])
    net.connect("loop", "loop", [[0.0, 3.0, -2.0], [1.5, 0.0, 2.5], [-1.0, 2.0, 0.0]])
    return net


def run(net, backend, *extra):
    times, channels = zip((1.0, 0), (9.0, 0), (17.0, 0), *extra, strict=True)
    order = np.lexsort((channels, times))
    stream = es.EventStream(
        np.array(times)[order], np.array(channels)[order], [0, len(times)], n_channels=4,
        duration=40.0,
    )  # fmt: skip
    return es.simulate(net, stream, backend=backend)["loop"]


@pytest.mark.parametrize("refractory", [0.0, 2.0])
@pytest.mark.parametrize(
    ("kind", "weight"),
    [("lif", 0.0), ("lif", 4.0), ("lif", -60.0), ("linear", 0.0), ("linear", 4.0)],
)
def test_an_event_at_a_crossing_comes_first_also_where_the_spike_acts_at_once(
    kind, refractory, weight, backend
):
    net = loop(kind, refractory)
    net.projections["input->loop"].weights[1:] = weight * np.eye(3)
    alone = run(net, backend)
    assert len(alone) > 8
    for number in range(5):
        time, neuron = float(alone.times[number]), int(alone.neurons[number])
        at, before = (run(net, backend, (t, neuron + 1)) for t in (time, time - MOMENT))
        np.testing.assert_array_equal(at.neurons, before.neurons)
        np.testing.assert_allclose(at.times, before.times, rtol=0, atol=1e4 * MOMENT)
        near = np.abs(at.times[at.neurons == neuron] - time) < 1e-6
        assert near.any() == (weight >= 0.0)
