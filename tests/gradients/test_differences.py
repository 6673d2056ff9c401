"""The adjoint against central differences, parameter by parameter.

The differences are those of :mod:`tests.support.differences`, which shares no line with
``es.gradcheck``. They are taken once per net, on the fast backend: they test the forward map,
which :mod:`tests.parity` holds to be the same on every backend. One small net is also
differentiated through the reference itself.
"""

import functools

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from tests.support.differences import Differences, assert_gradients_match
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import one_layer, random_net, random_stream
from tests.support.tiers import beyond

NETS = {
    # name: (seed, net); with these seeds every neuron fires at least twice
    "membrane faster, dense": (
        506,
        {"hidden": (4, 3), "tau_ratio": 0.25, "delays": "synapse", "self_delays": "neuron"},
    ),
    "taus equal, dense": (
        506,
        {"hidden": (4, 3), "tau_ratio": 1.0, "delays": "scalar", "self_delays": "scalar"},
    ),
    "membrane slower, sparse": (
        557,
        {"hidden": (4, 3), "tau_ratio": 4.0, "sparse": True, "delays": "synapse"},
    ),
    "three layers, dense": (514, {"hidden": (4, 3, 3), "delays": "source", "self_delays": "none"}),
    "three layers, sparse": (
        538,
        {"hidden": (4, 3, 3), "sparse": True, "delays": "source", "self_delays": "neuron"},
    ),
    "no delays at all": (502, {"hidden": (4, 3), "delays": "none", "self_delays": "none"}),
    "pacemakers": (
        502,
        {"hidden": (4, 3), "pacemakers": True, "delays": "scalar", "self_delays": "neuron"},
    ),
}


@functools.cache
def problem(name):
    seed, options = NETS[name]
    net = random_net(seed, n_inputs=3, n_outputs=2, **options)
    stream = random_stream(502, n_samples=2, n_channels=3, duration=40.0, rate=120.0)
    return net, stream


def loss_of(net, kind):
    hidden = [name for name in net.populations if name.startswith("hidden")]
    if kind == "spikes":
        return SpikeTimes(*hidden)
    if kind == "last layer":
        return SpikeTimes(hidden[-1])
    return Sum(SpikeTimes(hidden[0]), Readout(25.0))


@functools.cache
def rows_of(name, kind):
    net, stream = problem(name)
    keys = [key for key in (*net.parameters(), "input_times") if on_path(key, kind)]
    return Differences(net, stream, loss_of(net, kind), backend="cpu", per_key=2).rows(keys)


def on_path(key, kind):
    """Whether the loss depends on it: without a readout loss, not on the readout's parameters."""
    return kind == "readout" or not (key.startswith("output.") or "->output" in key)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *beyond(3, [(name, "readout") for name in NETS], pytest.mark.thorough("seconds each")),
        ("membrane faster, dense", "spikes"),
        ("taus equal, dense", "last layer"),
        *(
            pytest.param(
                name, kind, marks=pytest.mark.nightly("the spikes of a readout's loss again")
            )
            for name, kind in [
                *((name, "spikes") for name in NETS if name != "membrane faster, dense"),
                ("three layers, sparse", "last layer"),
            ]
        ),
    ],
)
def test_every_gradient_matches_central_differences(backend, name, kind):
    net, stream = problem(name)
    rows = rows_of(name, kind)
    tape = es.simulate(net, stream, backend=backend)
    assert all((tape[p].counts().sum(axis=0) > 1).all() for p in tape.names)
    gradients = es.backward(net, tape, loss_of(net, kind))
    assert_gradients_match(gradients, rows)


@pytest.mark.thorough("simulates by the reference hundreds of times")
@pytest.mark.parametrize("refractory", [0.0, 1.0])
def test_gradients_through_the_reference_itself(refractory):
    net = random_net(31, n_inputs=2, hidden=(2, 2), n_outputs=1, self_delays="scalar")
    for name in ("hidden1", "hidden2"):
        net.parameters()[f"{name}.refractory"][:] *= refractory
    stream = random_stream(32, n_samples=1, n_channels=2, duration=30.0, rate=150.0)
    loss = Sum(SpikeTimes("hidden2"), Readout(12.0))
    rows = Differences(net, stream, loss, backend="reference", per_key=1).rows()
    tape = es.simulate(net, stream, backend="reference")
    assert_gradients_match(es.backward(net, tape, loss), rows)


@functools.cache
def differences(problem, *arguments):
    """Net, stream, loss and rows of a problem, on the fast backend, once in a process."""
    net, stream, loss, keys = problem(*arguments)
    return net, stream, loss, Differences(net, stream, loss, backend="cpu", per_key=3).rows(keys)


def any_weighting(ratio, time_constant):
    net = random_net(61, n_inputs=3, hidden=(3,), n_outputs=2, tau_ratio=ratio)
    stream = random_stream(62, n_samples=2, n_channels=3, duration=40.0)
    if ratio is None:  # one time constant of each readout is that of the weighting
        net.parameters()["output.tau_mem"][:] = [12.0, 9.0]
        net.parameters()["output.tau_syn"][:] = [5.0, 12.0]
    keys = [k for k in net.parameters() if k.startswith("output.") or "->output" in k]
    return net, stream, Readout(time_constant), keys


@pytest.mark.parametrize(
    ("ratio", "time_constant"),
    [(None, 12.0), *((ratio, time) for ratio in (0.25, 1.0, 4.0) for time in (np.inf, 7.5, 200.0))],
)
def test_readout_gradients_match_at_any_weighting(backend, ratio, time_constant):
    net, stream, loss, rows = differences(any_weighting, ratio, time_constant)
    tape = es.simulate(net, stream, backend=backend)
    assert_gradients_match(es.backward(net, tape, loss), rows)


def nearly_equal_taus(difference):
    net = random_net(71, n_inputs=3, hidden=(3, 2), n_outputs=2, tau_ratio=1.0 + difference)
    stream = random_stream(72, n_samples=1, n_channels=3, duration=40.0, rate=80.0)
    loss = Sum(SpikeTimes("hidden1"), SpikeTimes("hidden2"), Readout(25.0))
    return net, stream, loss, [k for k in net.parameters() if ".tau_" in k]


@pytest.mark.parametrize("difference", [0.0, 1e-12, -1e-9, 1e-6, -1e-4, 1e-3])
def test_gradients_of_nearly_equal_taus_are_continuous(backend, difference):
    net, stream, loss, rows = differences(nearly_equal_taus, difference)
    tape = es.simulate(net, stream, backend=backend)
    assert_gradients_match(es.backward(net, tape, loss), rows)


def strong_self_weight(sparse):
    net = random_net(81, n_inputs=3, hidden=(3, 2), n_outputs=2, sparse=sparse, delays="none",
                     self_delays="none")  # fmt: skip
    net.parameters()["hidden1->hidden1.weights"][:] = [2.5, -2.0, 3.0]
    stream = random_stream(82, n_samples=1, n_channels=3, duration=30.0, rate=60.0)
    return net, stream, Sum(SpikeTimes("hidden1"), Readout(15.0)), None


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_hold_where_bursts_follow_a_strong_self_weight(backend, sparse):
    net, stream, loss, rows = differences(strong_self_weight, sparse)
    tape = es.simulate(net, stream, backend=backend)
    assert tape["hidden1"].times.size > 3 * stream.n_events / 2
    assert_gradients_match(es.backward(net, tape, loss), rows)


def test_gradcheck_takes_a_projection_without_synapses():
    net = one_layer("hidden", np.full((2, 3), 9.0))
    net.add_readout("output", 2)
    net.connect("hidden", "output", scipy.sparse.csr_array((3, 2)))
    stream = es.EventStream([1.0, 9.0], [0, 1], [0, 2], n_channels=2, duration=30.0)
    check = es.gradcheck(net, stream, SpikeTimes("hidden"))
    (row,) = [row for row in check.rows if row.name == "hidden->output.weights"]
    assert (row.n_compared, row.n_left_out) == (0, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_gradcheck_takes_arrays_in_any_order(order):
    weights = np.full((2, 3), 4.0, order=order)
    delays = np.asarray(2.5 + np.arange(6.0).reshape(2, 3), order=order)
    net = one_layer("hidden", weights, tau_mem=12.0, delays=delays)
    stream = es.EventStream([1.0, 9.0], [0, 1], [0, 2], n_channels=2, duration=50.0)
    check = es.gradcheck(net, stream, SpikeTimes("hidden"), backend="reference")
    assert check.n_compared > 0
    assert check.worst_relative_error < 1e-6
