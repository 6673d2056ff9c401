"""Gradients of adaptive thresholds: finite differences, the reference, and identities."""

import numpy as np
import pytest

import eventsim as es
from tests.gradients.test_chunks import assert_adds_up
from tests.support.compare import assert_agrees, assert_close_by_name
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import (
    lateral_net,
    one_neuron,
    one_sample,
    random_net,
    random_stream,
    ring_net,
    with_adaptation,
)

LAYERS = {
    "dense": lambda: random_net(61, hidden=(4, 3), tau_ratio=0.25),
    "sparse": lambda: random_net(62, hidden=(4, 3), tau_ratio=4.0, sparse=True),
    "equal time constants": lambda: random_net(63, hidden=(3, 3), tau_ratio=1.0, delays="none"),
    "instant self-connections": lambda: random_net(
        64, hidden=(4, 3), delays="none", self_delays="none"
    ),
    "pacemakers": lambda: random_net(65, hidden=(3, 2), delays="none", pacemakers=True),
}
LOOPS = {"loop": lambda: lateral_net(66, size=3), "ring": lambda: ring_net(67, size=3)}
NETS = [name for name in (LAYERS | LOOPS) if name not in ("dense", "loop")]
STREAM = {"n_samples": 2, "duration": 50.0, "rate": 80.0}
AGAIN = pytest.mark.nightly("seconds each; below all are held to the gradients of the reference")


def case(make, **stream):
    return with_adaptation(make(), 68, tau=(5.0, 40.0)), random_stream(69, **(STREAM | stream))


def loss_of(net):
    spiking = tuple(net.spiking)
    return Sum(SpikeTimes(*spiking), Readout(25.0))


@pytest.mark.parametrize(
    "name",
    [
        "dense",
        pytest.param("loop", marks=pytest.mark.thorough("seconds")),
        *(pytest.param(name, marks=AGAIN) for name in NETS),
    ],
)
def test_gradcheck_finds_every_gradient_right(name):
    net, stream = case((LAYERS | LOOPS)[name])
    tape = es.simulate(net, stream, backend="cpu")
    assert min(int(tape[n].total_counts().max()) for n in tape.names) >= 3
    check = es.gradcheck(net, stream, loss_of(net), step=1e-5, backend="cpu", n_directions=1)
    assert check.fraction_compared > 0.9
    assert check.worst_relative_error < 1e-6
    rows = {row.name: row for row in check.rows}
    for population in net.spiking:
        assert rows[f"{population}.adaptation"].n_compared == 1
        assert rows[f"{population}.tau_adaptation"].n_compared == 1


@pytest.mark.nightly("6 and 10 s; above cpu is held to differences, below to the reference")
@pytest.mark.parametrize("name", ["dense", "ring"])
def test_gradcheck_of_the_reference(name):
    net, stream = case((LAYERS | LOOPS)[name], n_samples=1, duration=30.0)
    tape = es.simulate(net, stream, backend="reference")
    assert min(int(tape[n].total_counts().max()) for n in tape.names) >= 3
    loss = loss_of(net)
    check = es.gradcheck(net, stream, loss, step=1e-5, backend="reference", n_directions=1)
    assert check.fraction_compared > 0.9
    assert check.worst_relative_error < 1e-6


@pytest.mark.parametrize("name", [*LAYERS, *LOOPS])
def test_cpu_has_the_gradients_of_the_reference(name):
    net, stream = case((LAYERS | LOOPS)[name])
    assert_agrees(net, stream, "cpu", loss_of(net), rtol=1e-9)
    found = es.backward(net, es.simulate(net, stream, backend="cpu"), loss_of(net)).flat()
    assert all(values.any() for key, values in found.items() if key.endswith("adaptation"))


@pytest.mark.parametrize("name", ["dense", "instant self-connections", "loop"])
def test_single_precision_has_nearly_the_gradients_of_double(name):
    net, stream = case((LAYERS | LOOPS)[name])
    found = [
        es.backward(
            net, es.simulate(net, stream, backend="cpu", precision=precision), loss_of(net)
        ).flat()
        for precision in ("double", "single")
    ]
    assert_close_by_name(found[1], found[0], rtol=5e-3, floor=1e-3)


def test_gradients_at_a_rise_of_zero_are_the_plain_ones_and_that_of_the_rise():
    net = with_adaptation(LAYERS["dense"](), 68, adaptation=(0.0, 0.0))
    stream, plain = random_stream(69, **STREAM), LAYERS["dense"]()
    loss = loss_of(net)
    one, two = (
        es.backward(n, es.simulate(n, stream, backend="cpu"), loss).flat() for n in (plain, net)
    )
    assert all(np.array_equal(two[key], one[key]) for key in one)
    assert not two["hidden1.tau_adaptation"].any()
    assert two["hidden1.adaptation"].any()
    check = es.gradcheck(net, stream, loss, step=1e-5, backend="cpu", n_directions=1)
    assert check.worst_relative_error < 1e-6


def test_gradient_of_a_crossing_by_a_falling_voltage():
    # The slope of V alone is negative there: the threshold falls faster.
    net = one_neuron([40.0], tau_mem=60.0, tau_syn=2.0, adaptation=2.0, tau_adaptation=8.0)
    stream = one_sample([1.0, 3.0], duration=60.0)
    tape = es.simulate(net, stream, backend="cpu")
    assert len(tape["hidden"]) == 2
    grads = es.backward(net, tape, SpikeTimes("hidden"))
    assert grads.grazes == 0
    check = es.gradcheck(net, stream, SpikeTimes("hidden"), step=1e-5, backend="cpu")
    assert check.worst_relative_error < 1e-6


@pytest.mark.parametrize(
    ("length", "precision", "tolerance"),
    [(9.0, "single", 2e-4), (0.9, "double", 1e-9), (13.0, "double", 1e-9)],
)
@pytest.mark.parametrize("name", [*LAYERS, *LOOPS])
def test_gradients_of_chunks_add_up(fast_backend, name, length, precision, tolerance):
    net, stream = case((LAYERS | LOOPS)[name])
    how = {"backend": fast_backend, "precision": precision}
    assert_adds_up(net, stream, length, tolerance, **how)


def test_gradients_of_chunks_of_a_loop_with_plain_neurons_add_up(fast_backend):
    net = with_adaptation(lateral_net(37, size=5), 39, populations=("a",))
    assert_adds_up(net, random_stream(40, n_samples=2, duration=40.0), 6.0, backend=fast_backend)
