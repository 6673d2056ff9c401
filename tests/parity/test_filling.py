"""Sparse matrices kept with their zeros, and without: the same spikes, gradients and counts."""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.plan import make_plan
from tests.support.compare import assert_close_by_name, assert_same_gradients, assert_same_spikes
from tests.support.nets import one_layer, random_net, random_stream

STREAM = random_stream(3001, n_samples=3, duration=80.0)
TOLERANCE = {"double": 1e-9, "single": 2e-4}


def run_and_back(net, backend, precision):
    tape = es.simulate(net, STREAM, backend=backend, precision=precision)
    seeds = {name: np.cos(np.arange(len(tape[name]))) for name in ("hidden1", "hidden2")} | {
        "output": es.ReadoutSeed(time_constant=40.0, integral=np.ones((3, 3)))
    }
    return tape, es.backward(net, tape, seeds)


def kept_whole(net):
    return [stage.shares_events for stage in make_plan(net).stages]


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("delays", ["none", "scalar", "source"])
def test_both_ways_give_the_same(fast_backend, precision, delays, monkeypatch):
    def both(least):
        monkeypatch.setattr("eventsim.plan.plan.LEAST_FILLED", least)
        net = random_net(3002, hidden=(9, 7), sparse=True, delays=delays, self_delays="none")
        assert kept_whole(net) == [least < 1.0] * 3
        return run_and_back(net, fast_backend, precision)

    (whole, by_whole), (own, by_own) = both(0.0), both(2.0)
    assert min(len(own[name]) for name in own.names) > 20
    assert_same_spikes(whole, own, atol_ms=TOLERANCE[precision])
    assert whole.synaptic_events == own.synaptic_events
    close = {"rtol": 100 * TOLERANCE[precision], "floor": 1e-12}
    assert_close_by_name(by_whole.flat(), by_own.flat(), **close)


def test_dense_and_sparse_sources_together_agree_with_the_reference(fast_backend):
    rng = np.random.default_rng(3003)
    net = random_net(3004, hidden=(8, 6), delays="source", self_delays="none")
    pattern = rng.random((5, 3)) < 0.5
    net.add_population("mixed", 3, tau_mem=9.0)
    net.connect("input", "mixed", scipy.sparse.csr_array(pattern * rng.uniform(1.0, 3.0, (5, 3))))
    net.connect("hidden2", "mixed", rng.uniform(0.0, 1.0, (6, 3)), delays=1.5)
    assert all(kept_whole(net))
    tapes = [es.simulate(net, STREAM, backend=name) for name in (fast_backend, "reference")]
    assert len(tapes[0]["mixed"]) > 10
    assert_same_spikes(*tapes, atol_ms=1e-9)
    found = [es.backward(net, tape, {"mixed": np.ones(len(tape["mixed"]))}) for tape in tapes]
    assert_same_gradients(*found, rtol=1e-9)


def test_thin_large_or_delayed_apart_is_not_kept_whole(monkeypatch):
    def stage_of(weights, delays=0.0):
        net = one_layer("neurons", weights, delays=delays)
        return make_plan(net).stages[0]

    full = scipy.sparse.csr_array(np.ones((40, 50)))
    thin = scipy.sparse.random_array((40, 50), density=0.02, format="csr", rng=1)
    assert stage_of(full).shares_events
    assert not stage_of(thin).shares_events
    assert not stage_of(full, np.ones(2000)).shares_events
    monkeypatch.setattr("eventsim.plan.plan.MOST_PLACES", 1999)
    assert not stage_of(full).shares_events
    assert stage_of(np.ones((40, 50))).shares_events
