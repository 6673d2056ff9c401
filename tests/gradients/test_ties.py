"""Gradients where neurons of a loop cross at one time and reach each other without a delay.

Which of them is first decides how the others' spikes move, so that L has a kink there and its
derivatives are one-sided. Gradients are those of the order in which events of one time are taken:
the lower neuron first, its arrivals before the crossings of those above it.
"""

import numpy as np
import pytest
from scipy import sparse

import eventsim as es
from tests.support.compare import assert_agrees
from tests.support.nets import one_layer

KINDS = {
    "lif": {"tau_mem": 20.0, "tau_syn": 5.0},
    "receptors": {"neuron": es.LIF(tau_mem=20.0, tau_syn={"x": 5.0, "y": 9.0})},
    "adlif": {"neuron": es.AdLIF(a=2.0, b=0.3)},
}
STREAM = es.EventStream([2.0, 9.0, 11.0], [0, 1, 0], [0, 3], n_channels=2, duration=40.0)
STEP = 1e-7
# Rest, weight onto itself and refractory time of a neuron whose threshold is 1
RESTING = [(1.2, 0.2, 0.0), (1.0, 0.2, 0.0), (0.9, 0.2, 0.0), (1.2, 0.0, 0.0), (1.2, 0.2, 1.0)]


def tied(kind, refractory, *, backwards=False, delays_of="synapse"):
    """Two neurons of h and one of g, which all see the same and cross at one time.

    Synapses have delays of their own; of ``delays_of`` "some synapses" those to g have.
    """
    net, sizes = es.Network(), {"h": 2, "g": 1}
    receptors = ("x", "y") if kind == "receptors" else (None,)
    net.add_input("input", 2)
    for name, size in sizes.items():
        hold = np.broadcast_to(refractory, 2)[:size]
        net.add_population(name, size, refractory=hold, **KINDS[kind])
        net.connect("input", name, [[9.0] * size, [5.0] * size], receptor=receptors[0])
    pairs, weight = [("h", "h"), ("h", "g"), ("g", "h")], iter(np.linspace(0.5, 1.5, 16))
    for source, target in pairs[::-1] if backwards else pairs:
        for receptor in receptors:
            shape = sizes[source], sizes[target]
            weights = [[next(weight) for _ in range(shape[1])] for _ in range(shape[0])]
            each = delays_of == "synapse" or (delays_of == "some synapses" and target == "g")
            delays = np.zeros(shape) if each else 0.0
            net.connect(source, target, weights, delays=delays, receptor=receptor)
    return net


def seeds_of(tape):
    """dL/dt of all spikes, each another one."""
    return {name: 1.0 + np.arange(len(tape[name])) for name in tape.names}


def loss(_, tape):
    seeds = seeds_of(tape)
    return sum(float(seed @ tape[name].times) for name, seed in seeds.items()), seeds


def value(net, backend):
    tape = es.simulate(net, STREAM, backend=backend)
    return loss(net, tape)[0], tape


def drawn(net, rng):
    """A direction in which the lower neuron stays the first one, by key."""
    found = {key: rng.uniform(-1.0, 1.0, np.shape(v)) for key, v in net.parameters().items()}
    for key, direction in found.items():
        if key.endswith("delays"):
            np.abs(direction, out=direction)
        if key.endswith("refractory"):
            direction[:] = 0.0
    found["h.threshold"][:] = 0.0, 20.0
    found["g.threshold"][:] = 40.0
    return found


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("refractory", [0.0, 2.0])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_at_a_tie_are_the_derivatives_on_the_side_of_its_order(
    kind, refractory, backwards, backend
):
    net = tied(kind, refractory, backwards=backwards)
    start, tape = value(net, backend)
    (first, second), third = tape["h"].times[:2], tape["g"].times[0]
    assert first == second == third
    gradients = es.backward(net, tape, seeds_of(tape)).flat()
    rng = np.random.default_rng(7)
    for _ in range(3):
        direction, ahead = drawn(net, rng), []
        for steps in (1, 2):
            moved = net.copy()
            for key, values in moved.parameters().items():
                values += steps * STEP * direction[key]
            level, there = value(moved, backend)
            ahead.append(level)
            assert there["h"].times[0] < there["h"].times[1] < there["g"].times[0]
            assert [len(there[n]) for n in "hg"] == [len(tape[n]) for n in "hg"]
        difference = (4.0 * ahead[0] - ahead[1] - 3.0 * start) / (2.0 * STEP)
        found = sum(float((gradients[key] * v).sum()) for key, v in direction.items())
        assert found == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("delays_of", ["synapse", "some synapses", "projection"])
@pytest.mark.parametrize("refractory", [2.0, (0.0, 2.0), (2.0, 0.0)])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_backend_takes_a_tie_in_one_order(
    kind, backwards, refractory, delays_of, fast_backend
):
    net = tied(kind, refractory, backwards=backwards, delays_of=delays_of)
    assert_agrees(net, STREAM, fast_backend, loss, rtol=1e-9)


def test_a_dense_loop_of_equal_neurons_goes_back_in_the_same_order(fast_backend):
    """A spike's arrivals in two populations are rows apart, between those of its time."""
    rng = np.random.default_rng(27)
    net = one_layer("a", np.full((1, 8), 6.0), tau_mem=10.0, tau_syn=5.0, refractory=1.0)
    net.add_population("b", 6, tau_mem=8.0, tau_syn=4.0, refractory=0.5)
    for source, target, shape in (("a", "b", (8, 6)), ("b", "a", (6, 8)), ("a", "a", (8, 8))):
        net.connect(source, target, rng.uniform(-0.5, 1.0, shape))
    stream = es.EventStream([1.0, 2.0, 2.0, 8.0], [0] * 4, [0, 4], n_channels=1, duration=20.0)
    assert_agrees(net, stream, fast_backend, loss, rtol=1e-9)
    first = es.simulate(net, stream, backend=fast_backend)["a"].times[:8]
    assert np.unique(first).size == 1


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("form", ["dense", "sparse", "delays"])
@pytest.mark.parametrize("weight", [0.4, -0.4])
def test_a_refractory_time_begins_to_grow_behind_what_a_neuron_sends_itself(
    kind, form, weight, backend
):
    """As for ``self_recurrent``. Left out, the derivative was off by 4 % here."""
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("g", 1, v_reset=-0.2, refractory=0.0, **KINDS[kind])
    net.add_population("h", 2, v_reset=-0.2, refractory=0.0, **KINDS[kind])
    receptors = ("x", "y") if kind == "receptors" else (None, None)
    net.connect("input", "h", [[9.0, 8.0], [5.0, 4.0]], receptor=receptors[0])
    net.connect("input", "g", [[8.5], [5.0]], receptor=receptors[0])
    own = np.array([[weight, 0.1], [0.2, 0.7 * weight]])
    delays = np.array([[0.0, 0.3], [0.2, 0.0]]) if form == "delays" else 0.0
    net.connect("h", "g", [[0.1], [0.3]], delays=1.0, receptor=receptors[0])
    own = sparse.csr_array(own) if form == "sparse" else own
    net.connect("h", "h", own, delays=delays, receptor=receptors[1])
    net.connect("g", "h", [[0.3, 0.2]], delays=2.0, receptor=receptors[0])
    values, gradients = [], None
    for refractory in (0.0, STEP):
        net.population("h").refractory[...] = refractory, 0.0
        level, tape = value(net, backend)
        values.append(level)
        if gradients is None:
            gradients = es.backward(net, tape, loss)
    found = gradients["h"].refractory[0]
    assert found == pytest.approx((values[1] - values[0]) / STEP, rel=1e-5)


@pytest.mark.parametrize("kind", ["lif", "adlif"])
@pytest.mark.parametrize(("v_leak", "weight", "refractory"), RESTING)
def test_a_derivative_that_lacks_the_start_of_a_neuron_is_told_once(
    kind, v_leak, weight, refractory, caplog
):
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("h", 2, v_leak=[0.5, v_leak], refractory=refractory, **KINDS[kind])
    net.connect("h", "h", [[0.1, 0.1], [0.1, weight]])
    tape = es.simulate(net, STREAM, backend="reference")
    for _ in range(2):
        es.backward(net, tape, seeds_of(tape))
    told = [record.getMessage() for record in caplog.records]
    wrong = v_leak >= 1.0 and weight != 0.0 and refractory == 0.0
    begins = [text[:24] for text in told]
    assert begins == ["Population 'h', neuron 1"] * wrong
