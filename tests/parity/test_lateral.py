"""Lateral recurrence: the queue of events on every backend, forward and backward."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import get_backend, make_job
from eventsim.errors import RunawayError
from eventsim.plan import make_plan
from tests.support.compare import (
    SINGLE_ATOL,
    TIME_ATOL,
    assert_agrees,
    assert_same_spikes,
    assert_sorted,
)
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import (
    equal_net,
    lateral_net,
    one_layer,
    random_net,
    random_stream,
    ring_net,
)
from tests.support.tiers import beyond
from tests.support.wiring import count_synaptic_events

CASES = {
    "no delays": lambda: lateral_net(1000, delays="none"),
    "no delays, dense": lambda: lateral_net(1001, delays="none", sparse=False, gain=0.15),
    "one delay": lambda: lateral_net(1002, delays="scalar"),
    "delays by source": lambda: lateral_net(1003, delays="source", sparse=False),
    "delays by synapse": lambda: lateral_net(1004, delays="synapse"),
    "delays by synapse, dense": lambda: lateral_net(1005, delays="synapse", sparse=False),
    "ring with self-delays": lambda: ring_net(1006),
    "ring, self-jumps": lambda: ring_net(1007, self_delays="none"),
}
LOSS = Sum(SpikeTimes("a", "b"), Readout(20.0))


@pytest.fixture(params=list(CASES))
def net(request):
    return CASES[request.param]()


@pytest.fixture
def stream():
    return random_stream(1010, n_samples=2, n_channels=5, duration=40.0)


def test_fast_backend_agrees_with_reference(fast_backend, net, stream):
    assert assert_agrees(net, stream, fast_backend, LOSS) > 15
    tape = es.simulate(net, stream, backend=fast_backend)
    assert dict(tape.synaptic_events) == count_synaptic_events(net, stream, tape)
    for name in tape.names:
        assert_sorted(tape[name])


@pytest.mark.parametrize(
    "case",
    beyond(
        1,
        ["no delays", "delays by synapse", "ring with self-delays"],
        pytest.mark.thorough("seconds; all cases are held to the gradients of the reference above"),
    ),
)
def test_gradients_agree_with_central_differences(case):
    net, stream = CASES[case](), random_stream(1011, n_samples=1, n_channels=5, duration=30.0)
    checked = es.gradcheck(net, stream, LOSS, backend="cpu", n_directions=2)
    assert checked.n_compared > 30
    assert checked.fraction_compared > 0.9
    assert checked.worst_relative_error < 1e-6


@pytest.mark.parametrize("precision", ["double", "single"])
def test_equal_neurons_that_keep_each_other_from_firing_fire_later(fast_backend, precision):
    atol = {"double": 1e-7, "single": 1e-2}[precision]
    for seed in range(12):
        net, stream = equal_net(seed), random_stream(seed, n_samples=1, duration=300.0)
        tape = es.simulate(net, stream, backend=fast_backend, precision=precision)
        expected = es.simulate(net, stream, backend="reference")
        assert assert_same_spikes(tape, expected, atol_ms=atol) > 1


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("self_delays", ["none", "neuron"])
@pytest.mark.parametrize("sparse", [False, True])
def test_self_connections_alone_give_the_spikes_of_a_layer(
    fast_backend, precision, self_delays, sparse, monkeypatch
):
    # A queue brings every neuron its own events: so does a layer whose matrix is kept sparse. One
    # that shares its events meets several at once, which rounds elsewhere.
    monkeypatch.setattr("eventsim.plan.plan.LEAST_FILLED", 2.0)
    net = random_net(1020, hidden=(12,), sparse=sparse, delays="source", self_delays=self_delays)
    stream = random_stream(1021, n_samples=3, n_channels=5, duration=80.0)
    plan, engine = make_plan(net), get_backend(fast_backend)
    tape = es.simulate(net, stream, backend=fast_backend, precision=precision, resident=True)
    job = make_job(plan, plan.stages[0], replace(tape, trains={}))
    spikes, layer = engine.queue_forward(job), tape["hidden1"]
    assert len(spikes) > 100
    rounding = SINGLE_ATOL if precision == "single" else TIME_ATOL["cpu"]
    rounding = rounding if job.stage.shares_events else 0.0
    for name, most in (("times", rounding), ("neurons", 0), ("offsets", 0)):
        mine, theirs = getattr(spikes, name), getattr(layer, name)
        assert bool((abs(mine - theirs) <= most).all()), name


def test_loop_without_delay_that_runs_away_names_the_neuron(fast_backend):
    net = one_layer("pair", np.array([[8.0, 0.0]]), tau_mem=10.0, tau_syn=5.0)
    net.connect("pair", "pair", np.array([[0.0, 400.0], [400.0, 0.0]]))
    stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=100.0)
    with pytest.raises(RunawayError) as caught:
        es.simulate(net, stream, backend=fast_backend)
    assert caught.value.population == "pair"
    assert caught.value.neuron in (0, 1)


def test_many_bursts_outgrow_every_buffer(fast_backend):
    net = one_layer("fast", np.zeros((1, 8)), tau_mem=10.0, tau_syn=5.0, v_leak=60.0)
    net.connect("fast", "fast", np.full((8, 8), 1e-3), delays=np.full((8, 8), 5.0))
    stream = es.EventStream([], [], [0, 0, 0], n_channels=1, duration=[20.0, 0.3])
    assert assert_agrees(net, stream, fast_backend) > 800
