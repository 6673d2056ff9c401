import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.energy import Widths, arrivals, count, footprint
from eventsim.mapping import quantise
from eventsim.train import prune
from tests.support.nets import (
    lateral_net,
    one_layer,
    one_sample,
    random_net,
    random_stream,
    rebuilt,
    ring_net,
)
from tests.unit.energy.recount import recount

NETS = {
    "dense, delays by synapse": lambda: random_net(1),
    "dense, delays by source": lambda: random_net(2, delays="source"),
    "dense, one delay": lambda: random_net(3, delays="scalar", self_delays="scalar"),
    "dense, no delays": lambda: random_net(4, delays="none", self_delays="none"),
    "sparse, delays by synapse": lambda: random_net(5, sparse=True),
    "sparse, delays by source": lambda: random_net(6, sparse=True, delays="source"),
    "sparse, no delays": lambda: random_net(7, sparse=True, delays="none", self_delays="none"),
    "pacemakers": lambda: random_net(8, pacemakers=True),
    "lateral": lambda: lateral_net(1),
    "ring": lambda: ring_net(1),
    "pruned": lambda: prune(random_net(9), 0.5),
    "rounded to 2 bits": lambda: quantise(random_net(10), 2).net,
    "pruned and rounded": lambda: quantise(prune(random_net(11, delays="source"), 0.5), 3).net,
}


@pytest.fixture(params=NETS, ids=str, scope="module")
def run(request):
    net = NETS[request.param]()
    return net, es.simulate(net, random_stream(3, n_samples=4), backend="cpu")


def as_lists(table):
    return {name: np.asarray(values).tolist() for name, values in table.items()}


def test_every_count_equals_that_of_loops_over_events(run):
    net, tape = run
    found, expected = count(net, tape), recount(net, tape)
    totals = {name: int(values.sum()) for name, values in found.synaptic_events.items()}
    assert totals == dict(tape.synaptic_events)
    assert sum(totals.values()) > 300
    for key in ("spikes", "silent", "synaptic_events", "effective_events", "membrane_updates"):
        assert as_lists(getattr(found, key)) == expected[key], key
    assert {name: s.active for name, s in found.synapses.items()} == expected["active"]
    for key in ("events_in", "events_out"):
        assert getattr(found, key).tolist() == expected[key], key


@pytest.mark.parametrize("make", [lambda: lateral_net(1), lambda: ring_net(1)])
def test_spikes_that_no_population_hears_leave_the_chip_where_no_answer_does(make):
    net = rebuilt(make(), kept=lambda p: not p.is_readout)
    tape = es.simulate(net, random_stream(3, n_samples=4), backend="cpu")
    found = count(net, tape)
    expected = recount(net, tape)["events_out"]
    assert sum(expected) > 0
    assert found.events_out.tolist() == expected
    assert found.only(list(net.projections)).events_out.tolist() == [0] * 4
    net.set_answer(es.Answer(population=net.outputs[0], rule="spike_count"))
    assert count(net, tape).events_out.tolist() == [1] * 4


def test_rounding_leaves_synapses_that_carry_events_and_do_nothing():
    net = NETS["rounded to 2 bits"]()
    found = count(net, es.simulate(net, random_stream(3, n_samples=4), backend="cpu"))
    stored, effective = (
        sum(int(values.sum()) for values in table.values())
        for table in (found.synaptic_events, found.effective_events)
    )
    assert 0 < effective < 0.8 * stored


def test_counts_do_not_depend_on_how_many_arrivals_are_written_out_at_a_time(run, monkeypatch):
    net, tape = run
    expected = count(net, tape)
    monkeypatch.setattr(arrivals, "CHUNK", 1)
    found = count(net, tape)
    assert as_lists(found.membrane_updates) == as_lists(expected.membrane_updates)
    assert as_lists(found.synaptic_events) == as_lists(expected.synaptic_events)


@given(
    seed=st.integers(0, 10**6),
    sparse=st.booleans(),
    delays=st.sampled_from(["none", "scalar", "source", "synapse"]),
    duration=st.floats(5.0, 60.0),
)
def test_random_nets_are_counted_right(seed, sparse, delays, duration):
    net = random_net(seed, n_inputs=3, hidden=(3, 2), n_outputs=2, sparse=sparse, delays=delays)
    stream = random_stream(seed, n_samples=2, n_channels=3, duration=duration)
    tape = es.simulate(net, stream, backend="cpu")
    found, expected = count(net, tape), recount(net, tape)
    for key in ("spikes", "synaptic_events", "effective_events", "membrane_updates"):
        assert as_lists(getattr(found, key)) == expected[key], key
    assert {name: s.active for name, s in found.synapses.items()} == expected["active"]


def test_events_that_arrive_at_or_after_the_end_do_not_count():
    net = one_layer("output", np.ones((2, 3)), delays=[5.0, 4.0], readout=True)
    # 95 + 5 is the end itself; 95 + 4 lies before it.
    tape = es.simulate(net, one_sample([95.0, 95.0], [0, 1], n_channels=2), backend="cpu")
    found = count(net, tape)
    assert found.synaptic_events["input->output"].tolist() == [3]
    assert found.membrane_updates["output"].tolist() == [3]
    assert found.synapses["input->output"].active == 3


def test_simultaneous_arrivals_are_one_update_and_two_events():
    net = one_layer("output", np.ones((2, 3)), readout=True)
    tape = es.simulate(net, one_sample([7.0, 7.0], [0, 1], n_channels=2), backend="cpu")
    found = count(net, tape)
    assert found.synaptic_events["input->output"].tolist() == [6]
    assert found.membrane_updates["output"].tolist() == [3]


def test_stored_zeros_carry_events_but_are_no_effective_or_active_synapses_and_no_updates():
    weights = sp.csr_array(np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]]))
    weights.data[0] = 0.0
    net = one_layer("output", weights, readout=True)
    tape = es.simulate(net, one_sample([7.0], [0], n_channels=2), backend="cpu")
    found = count(net, tape)
    assert found.synaptic_events["input->output"].tolist() == [2]
    assert found.effective_events["input->output"].tolist() == [1]
    assert found.membrane_updates["output"].tolist() == [1]
    synapses = found.synapses["input->output"]
    assert (synapses.possible, synapses.stored, synapses.nonzero, synapses.active) == (6, 3, 2, 1)
    assert found.connection_sparsity == pytest.approx(1 - 2 / 6)


def test_sparsities_and_rates_follow_from_the_counts():
    net = random_net(1)
    tape = es.simulate(net, random_stream(3, n_samples=4), backend="cpu")
    found = count(net, tape)
    fired = sum(
        len({(s, n) for s in range(4) for n in tape[p].sample(s)[1]})
        for p in ("hidden1", "hidden2")
    )
    assert found.silent_share == pytest.approx(1 - fired / (4 * 11))
    seconds = tape.stream.duration.sum() / 1000
    assert found.rates["hidden1"] == pytest.approx(len(tape["hidden1"]) / (6 * seconds))
    assert found.connection_sparsity == 0.0


def test_footprint_counts_what_must_be_stored_at_the_named_widths():
    net = es.Network()
    net.add_input("input", 4)
    net.add_population("hidden", 8, tau_mem=np.linspace(10.0, 20.0, 8))
    net.add_readout("output", 2)
    net.connect("input", "hidden", sp.csr_array(np.eye(4, 8)), delays=[1.0, 2.0, 3.0, 4.0])
    net.connect("hidden", "hidden", es.self_recurrent(0.1), delays=1.5)
    net.connect("hidden", "output", np.zeros((8, 2)))
    found = footprint(net, Widths(weight=8, index=16, delay=4, parameter=32, state=16))
    assert found.weights == 4 + 8 + 16
    assert found.indices == 2 * (4 + 5)
    assert found.delays == (4 + 1) / 2
    # tau_mem differs; six other parameters of the neurons and four of the readout do not.
    assert found.parameters == 4 * (8 + 6 + 4)
    assert found.states == 2 * 2 * (8 + 2)
    assert found.total == 28 + 18 + 2.5 + 72 + 40
    net.decide("output", np.ones((2, 3)), bias=[0.0, 1.0, 2.0])
    assert footprint(net, Widths(weight=8)).weights == 28 + 2 * 3 + 3


def test_run_without_spikes_counts_nothing():
    net = random_net(1)
    empty = es.EventStream([], [], [0, 0], n_channels=5, duration=50.0)
    found = count(net, es.simulate(net, empty, backend="cpu"))
    assert found.synaptic_events["input->hidden1"].tolist() == [0]
    assert found.membrane_updates["output"].tolist() == [0]
    assert found.silent_share == 1.0


def test_summary_is_json():
    import json

    net = random_net(1)
    found = count(net, es.simulate(net, random_stream(3), backend="cpu")).to_dict()
    assert json.loads(json.dumps(found)) == found
