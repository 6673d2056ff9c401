"""Events that are spread to the neurons of a block, and those that every neuron collects.

Both give the same bits, in any number of blocks, whole and in chunks.
"""

import numpy as np
import pytest
import scipy

import eventsim as es
from eventsim.engine import make_job
from eventsim.engine.cpu import layer
from eventsim.errors import RunawayError
from eventsim.plan import make_plan
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.nets import random_stream

CASES = {
    "plain": {},
    "delays": {"delays": "source"},
    "refractory, own delays": {"refractory": 2.0, "own_delays": True, "delays": "scalar"},
    "adaptive": {"adaptation": 0.3},
}


def sparse_net(*, delays="none", own_delays=False, refractory=0.0, adaptation=0.0):
    """Two sparse layers, the second of which hears the input as well."""
    rng, n = np.random.default_rng(77), 200
    net = es.Network()
    net.add_input("input", 60)
    taus = {"tau_mem": rng.uniform(5.0, 20.0, n), "tau_syn": rng.uniform(2.0, 8.0, n)}
    for name in ("first", "second"):
        net.add_population(name, n, **taus, refractory=refractory, adaptation=adaptation)
        own = rng.uniform(0.0, 5.0, n) if own_delays else 0.0
        net.connect(name, name, es.self_recurrent(rng.normal(0.0, 0.2, n)), delays=own)
    for source, target, mean in (("input", "first", 1.5), ("input", "second", 0.5),
                                 ("first", "second", 1.0)):  # fmt: skip
        size = net.population(source).size
        weights = rng.normal(mean, 0.5, (size, n)) * (rng.random((size, n)) < 0.06)
        delay = {"none": 0.0, "scalar": 1.5, "source": rng.uniform(0.0, 5.0, size)}[delays]
        net.connect(source, target, scipy.sparse.csr_array(weights), delays=delay)
    return net


def stream_of(seed=78):
    stream = random_stream(seed, n_samples=3, n_channels=60, duration=80.0, rate=80.0)
    return stream.round_times(0.5)  # several events at one time


def assert_same_bits(found, expected):
    for name in ("first", "second"):
        assert len(expected[name]) > 500
        for field in ("times", "neurons", "offsets", "current", "restart_current"):
            one, other = getattr(found[name], field), getattr(expected[name], field)
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), (name, field)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", list(CASES))
def test_what_is_spread_is_what_is_collected(case, precision, monkeypatch):
    net, stream = sparse_net(**CASES[case]), stream_of()
    asked, known = [], layer.blocks_to_spread

    def noted(job):
        assert not job.stage.shares_events
        asked.append(known(job))
        return asked[-1]

    monkeypatch.setattr(layer, "blocks_to_spread", noted)
    spread = es.simulate(net, stream, backend="cpu", precision=precision)
    assert asked == [8, 8]
    monkeypatch.setattr(layer, "blocks_to_spread", lambda _: 61)
    smaller = es.simulate(net, stream, backend="cpu", precision=precision)
    monkeypatch.setattr(layer, "blocks_to_spread", lambda _: 0)
    collected = es.simulate(net, stream, backend="cpu", precision=precision)
    assert_same_bits(spread, collected)
    assert_same_bits(smaller, collected)


@pytest.mark.parametrize("case", list(CASES))
def test_what_is_spread_in_chunks_is_what_is_spread_at_once(case):
    net, stream = sparse_net(**CASES[case]), stream_of()
    assert assert_chunks_equal_whole(net, stream, 7.3, backend="cpu") > 1000


def test_events_are_spread_where_that_pays_and_there_is_room(monkeypatch):
    net, stream = sparse_net(), stream_of()
    plan, tape = make_plan(net), es.simulate(net, stream, backend="cpu")
    job = make_job(plan, plan.stages[0], tape)
    events = int(np.diff(stream.offsets).max())
    arrivals = events * net.projections["input->first"].values.size / 60
    assert layer.blocks_to_spread(job) == layer.FANIN_PARTS
    monkeypatch.setattr(layer, "MOST_SPREAD", int(arrivals / 20))
    assert layer.blocks_to_spread(job) in (20, 21)
    monkeypatch.setattr(layer, "BLOCKS_PER_SYNAPSE", 1.0)
    assert layer.blocks_to_spread(job) == 0
    monkeypatch.undo()
    monkeypatch.setattr(layer, "MOST_BOUNDS", 60 * layer.FANIN_PARTS)
    assert layer.blocks_to_spread(job) == 0


def test_a_neuron_that_runs_away_is_the_same_by_both_ways(monkeypatch):
    net, stream = sparse_net(), stream_of()
    net.projections["second->second"].values[150] = 500.0
    said = []
    for blocks in (8, 30, 0):
        monkeypatch.setattr(layer, "blocks_to_spread", lambda _, blocks=blocks: blocks)
        with pytest.raises(RunawayError) as caught:
            es.simulate(net, stream, backend="cpu")
        said.append((caught.value.population, caught.value.neuron, str(caught.value)))
    assert said == [said[0]] * 3
    assert said[0][:2] == ("second", 150)
