"""Events that are spread to the neurons of a block: the same bits in any number of blocks."""

import numpy as np
import pytest
import scipy

import eventsim as es
from eventsim.engine import make_job
from eventsim.engine.cpu import fanin, weights
from eventsim.errors import RunawayError
from eventsim.plan import make_plan
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import assert_same_bits, assert_same_spikes
from tests.support.nets import one_layer, one_sample, random_stream

CASES = {
    "plain": {},
    "delays": {"delays": "source"},
    "refractory, own delays": {"refractory": 2.0, "own_delays": True, "delays": "scalar"},
    "adaptive": {"adaptation": 0.3},
    "delays by synapse": {"delays": "synapse", "own_delays": True},
    "linear": {"delays": "synapse", "linear": True},
    "linear, without delays": {"refractory": 2.0, "linear": True},
}


def sparse_net(*, delays="none", own_delays=False, refractory=0.0, adaptation=0.0, linear=False):
    """Two sparse layers, the second of which hears the input as well."""
    rng, n = np.random.default_rng(77), 200
    net = es.Network()
    net.add_input("input", 60)
    taus = {"tau_mem": rng.uniform(5.0, 20.0, n), "tau_syn": rng.uniform(2.0, 8.0, n)}
    for name in ("first", "second"):
        if linear:
            neuron = es.AdLIF(**taus, a=0.5, b=0.2, tau_w=50.0)
            net.add_population(name, n, neuron=neuron, refractory=refractory)
        else:
            net.add_population(name, n, **taus, refractory=refractory, adaptation=adaptation)
        own = rng.uniform(0.0, 5.0, n) if own_delays else 0.0
        net.connect(name, name, es.self_recurrent(rng.normal(0.0, 0.2, n)), delays=own)
    for source, target, mean in (("input", "first", 1.5), ("input", "second", 0.5),
                                 ("first", "second", 1.0)):  # fmt: skip
        size = net.population(source).size
        weights = rng.normal(mean, 0.5, (size, n)) * (rng.random((size, n)) < 0.06)
        wires = scipy.sparse.csr_array(weights)
        entries = {"none": 1, "scalar": 1, "source": size, "synapse": wires.nnz}[delays]
        delay = {"none": 0.0, "scalar": 1.5}.get(delays, rng.uniform(0.0, 5.0, entries).round(1))
        net.connect(source, target, wires, delays=delay)
    return net


def stream_of(seed=78, duration=80.0):
    stream = random_stream(seed, n_samples=3, n_channels=60, duration=duration, rate=80.0)
    return stream.round_times(0.5)  # several events at one time


def gradients_of(net, tape):
    seeds = {
        name: es.SpikeSeed(np.cos(tape[name].times), np.sin(tape[name].times))
        for name in tape.names
    }
    found = es.backward(net, tape, seeds)
    return [*found.values.values(), found.input_times]


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", list(CASES))
def test_any_number_of_blocks_gives_the_same_bits_forward_and_back(case, precision, monkeypatch):
    net, stream = sparse_net(**CASES[case]), stream_of()
    first = es.simulate(net, stream, backend="cpu", precision=precision)
    gradients = gradients_of(net, first)
    assert all(np.abs(values).max() > 0.0 for values in gradients[:3])
    monkeypatch.setattr(fanin, "MOST_BLOCKS", np.inf)
    for most in (1 << 40, 500, 1):
        monkeypatch.setattr(fanin, "MOST_ARRIVALS", most)
        monkeypatch.setattr(fanin, "LEAST_NEURONS", 200)
        other = es.simulate(net, stream, backend="cpu", precision=precision)
        for name in ("first", "second"):
            assert len(first[name]) > 500
            assert_same_bits(other[name], first[name])
        for found, expected in zip(gradients_of(net, other), gradients, strict=True):
            assert np.array_equal(found, expected)


@pytest.mark.parametrize("case", list(CASES))
def test_spikes_are_those_of_the_reference(case):
    net, stream = sparse_net(**CASES[case]), stream_of(duration=20.0)[0]
    found = es.simulate(net, stream, backend="cpu")
    assert len(found["first"]) > 30
    assert_same_spikes(found, es.simulate(net, stream, backend="reference"), atol_ms=1e-6)


@pytest.mark.parametrize("case", list(CASES))
def test_what_is_spread_in_chunks_is_what_is_spread_at_once(case):
    net, stream = sparse_net(**CASES[case]), stream_of()
    assert assert_chunks_equal_whole(net, stream, 7.3, backend="cpu") > 1000


def test_blocks_are_as_many_as_pay_and_more_where_arrivals_need_room(monkeypatch):
    net, stream = sparse_net(), stream_of()
    plan, tape = make_plan(net), es.simulate(net, stream, backend="cpu")
    job = make_job(plan, plan.stages[0], tape)
    events = int(np.diff(stream.offsets).max())
    arrivals = events * net.projections["input->first"].values.size / 60
    assert fanin.n_blocks(job) == 200 // fanin.LEAST_NEURONS
    monkeypatch.setattr(fanin, "LEAST_NEURONS", 10)
    assert fanin.n_blocks(job) == fanin.PARTS
    monkeypatch.setattr(fanin, "BLOCKS_PER_SYNAPSE", 0.3)  # of some 12 synapses a source
    assert fanin.n_blocks(job) in (3, 4)
    monkeypatch.setattr(fanin, "MOST_BLOCKS", np.inf)
    monkeypatch.setattr(fanin, "MOST_ARRIVALS", int(arrivals / 20))
    assert fanin.n_blocks(job) in (20, 21)
    assert fanin.blocks_back(job, 200) == 3 * fanin.PARTS
    delayed = make_plan(sparse_net(delays="synapse"))
    assert fanin.n_blocks(make_job(delayed, delayed.stages[0], tape)) in (39, 40, 41)
    monkeypatch.setattr(fanin, "MOST_ARRIVALS", 1)
    assert fanin.n_blocks(job) == 200
    assert fanin.blocks_back(job, 200) == 200


def test_blocks_are_not_so_many_that_their_bounds_take_more_room_than_their_arrivals(monkeypatch):
    net, stream = sparse_net(), stream_of()
    plan, tape = make_plan(net), es.simulate(net, stream, backend="cpu")
    job = make_job(plan, plan.stages[0], tape)
    arrivals = int(np.diff(stream.offsets).max()) * net.projections["input->first"].values.size / 60
    for name, value in (("MOST_ARRIVALS", 1), ("LEAST_NEURONS", 200)):
        monkeypatch.setattr(fanin, name, value)
    blocks = fanin.n_blocks(job)
    assert blocks > 10
    bounds, each = 4.0 * 60 * blocks, 12.0 * arrivals / blocks  # bytes
    assert 0.7 < bounds / each < 1.5
    back = fanin.blocks_back(job, 200)
    assert back % fanin.PARTS == 0
    assert blocks <= back < blocks + fanin.PARTS


def test_a_neuron_that_runs_away_is_the_same_in_any_number_of_blocks(monkeypatch):
    net, stream = sparse_net(), stream_of(duration=20.0)
    net.projections["second->second"].values[[150, 151]] = 500.0
    monkeypatch.setattr(fanin, "MOST_BLOCKS", np.inf)
    with pytest.raises(RunawayError) as expected:
        es.simulate(net, stream, backend="reference")
    for most in (1 << 40, 500, 1):
        monkeypatch.setattr(fanin, "MOST_ARRIVALS", most)
        with pytest.raises(RunawayError) as caught:
            es.simulate(net, stream, backend="cpu")
        assert str(caught.value) == str(expected.value)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("others", [0, 60])
def test_what_arrives_at_one_time_comes_in_the_order_of_rows(precision, others):
    """Whatever was sent first: a sum of such weights tells the order."""
    drive = np.vstack([[[9.0, 1e20], [1e20, -1e20], [-1e20, 9.0]], np.zeros((others, 2))])
    channels = np.arange(3 + others)
    delays = np.repeat(1.0 + channels[:, None] / 4, 2, axis=1)
    net = one_layer("first", drive, delays=delays)
    times = 20.0 - delays[::-1, 0]
    stream = one_sample(times, channels[::-1], n_channels=channels.size, duration=50.0)
    found = es.simulate(net, stream, backend="cpu", precision=precision)["first"]
    assert set(found.neurons.tolist()) == {1}


@pytest.mark.parametrize("precision", ["double", "single"])
def test_crowded_arrivals_have_the_bits_that_they_have_in_slots_of_their_own(precision):
    """Slots are as long as the time in which all arrive: a late event puts the others into one."""
    rng, n = np.random.default_rng(79), 70
    delays = rng.permutation(np.linspace(0.0, 0.25, 2 * n)).reshape(n, 2)
    net = one_layer("first", rng.normal(0.5, 0.2, (n, 2)), delays=delays)
    channels, times = rng.permutation(n), np.full(n, 4.0)
    found = []
    for late in (0, 1):
        sent = np.append(times, [55.0] * late), np.append(channels, channels[:late])
        stream = one_sample(*sent, n_channels=n, duration=60.0)
        tape = es.simulate(net, stream, backend="cpu", precision=precision)
        early = tape["first"].times < 50.0
        assert early.sum() > 1
        back = es.backward(net, tape, {"first": es.SpikeSeed(early * 1.0, early * 0.0)})
        found.append([tape["first"].times[early], *back.values.values(), back.input_times[:n]])
    for few, many in zip(*found, strict=True):
        assert np.array_equal(few, many)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("delays", ["none", "synapse"])
def test_weights_that_are_not_copied_are_multiplied_by_the_resistance(
    delays, precision, monkeypatch
):
    net, stream = sparse_net(delays=delays), stream_of()
    for name in ("first", "second"):
        net.population(name).resistance[:] = np.linspace(0.7, 1.3, 200)
    copied = es.simulate(net, stream, backend="cpu", precision=precision)
    gradients = gradients_of(net, copied)
    monkeypatch.setattr(weights, "IN_PLACE_FROM", 0)
    found = es.simulate(net, stream, backend="cpu", precision=precision)
    for name in ("first", "second"):
        assert_same_bits(found[name], copied[name])
    for values, expected in zip(gradients_of(net, found), gradients, strict=True):
        assert np.array_equal(values, expected)


def test_v_is_let_go_behind_what_arrives_just_then():
    wires = scipy.sparse.csr_array(([9.0, 2.0], ([0, 1], [5, 5])), shape=(40, 40))
    net = one_layer("first", wires, refractory=2.0)
    alone = one_sample([1.0], n_channels=40, duration=30.0)
    spike = es.simulate(net, alone, backend="cpu")["first"].times[0]
    stream = one_sample([1.0, spike + 2.0], [0, 1], n_channels=40, duration=30.0)
    found = es.simulate(net, stream, backend="cpu")["first"]
    assert found.times.tolist() == [spike]
    left = found.current[0] * np.exp(-2.0 / net.population("first").tau_syn[0])
    np.testing.assert_allclose(found.restart_current, left + 2.0, rtol=1e-9)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("named", [9, 39])
def test_of_those_that_run_away_the_earliest_is_named_or_else_the_first(named, precision):
    stream = one_sample([1.0], n_channels=40, duration=30.0)
    # Some go before neuron 9, since their lane is.
    for other in range(10, 39, 3) if named == 9 else [39]:
        mine = np.array([9, other]) if named == 9 else np.arange(40)
        drive = np.where(mine == 39, 80.0, 50.0)
        wires = scipy.sparse.csr_array((drive, (np.zeros_like(mine), mine)), shape=(40, 40))
        net = one_layer("first", wires)
        net.connect("first", "first", es.self_recurrent(np.full(40, 500.0)))
        with pytest.raises(RunawayError) as caught:
            es.simulate(net, stream, backend="cpu", precision=precision)
        assert caught.value.neuron == named
