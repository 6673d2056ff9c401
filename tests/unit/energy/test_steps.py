import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eventsim as es
from eventsim.energy import arrivals, clocked, count
from tests.support.nets import one_sample, random_net, random_stream
from tests.unit.energy.recount import recount_steps
from tests.unit.energy.test_counts import NETS

KEYS = ("dense", "effective_acs", "effective_macs", "active_updates", "activations")


def check(net, tape, step_ms, batch_size):
    found = clocked(net, tape, step_ms=step_ms, batch_size=batch_size)
    expected = recount_steps(net, tape, step_ms, batch_size)
    assert found.steps.tolist() == expected["steps"]
    for key in KEYS:
        counted = {name: values.tolist() for name, values in getattr(found, key).items()}
        assert counted == expected[key], key
    return found


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("step_ms", [0.1, 1.0, 7.3])
@pytest.mark.parametrize("name", NETS)
def test_every_count_equals_that_of_loops_over_events(name, step_ms, batch_size):
    net = NETS[name]()
    tape = es.simulate(net, random_stream(3, n_samples=4), backend="cpu")
    check(net, tape, step_ms, batch_size)


@pytest.mark.parametrize("name", NETS)
def test_counts_do_not_depend_on_how_many_arrivals_are_written_out_at_a_time(name, monkeypatch):
    net = NETS[name]()
    tape = es.simulate(net, random_stream(3, n_samples=4), backend="cpu")
    monkeypatch.setattr(arrivals, "CHUNK", 1)
    check(net, tape, 1.0, 3)


@given(
    seed=st.integers(0, 10**6),
    sparse=st.booleans(),
    delays=st.sampled_from(["none", "scalar", "source", "synapse"]),
    step_ms=st.floats(0.05, 40.0),
    batch_size=st.integers(1, 4),
)
def test_random_nets_are_counted_right(seed, sparse, delays, step_ms, batch_size):
    net = random_net(seed, n_inputs=3, hidden=(3, 2), n_outputs=2, sparse=sparse, delays=delays)
    stream = random_stream(seed, n_samples=3, n_channels=3, duration=30.0)
    found = check(net, es.simulate(net, stream, backend="cpu"), step_ms, batch_size)
    assert all((values <= found.steps * found.sizes[name]).all()
               for name, values in found.active_updates.items())  # fmt: skip


def test_effective_acs_are_the_exact_events_once_no_step_holds_two():
    net = random_net(4)
    tape = es.simulate(net, random_stream(3), backend="cpu")
    fine = clocked(net, tape, step_ms=1e-6)
    exact = count(net, tape)
    for name, values in exact.effective_events.items():
        assert fine.effective_acs[name].tolist() == values.tolist()
        assert not fine.effective_macs[name].any()


def test_second_event_in_a_step_turns_the_whole_call_into_multiplications():
    net = es.Network()
    net.add_input("input", 2)
    net.add_readout("output", 3)
    net.connect("input", "output", np.ones((2, 3)))
    stream = one_sample([0.2, 0.4, 0.6, 1.5], [0, 0, 1, 1], n_channels=2, duration=3.0)
    found = clocked(net, es.simulate(net, stream, backend="cpu"), step_ms=1.0)
    assert found.effective_macs["input->output"].tolist() == [6]
    assert found.effective_acs["input->output"].tolist() == [3]
    assert found.dense["input->output"].tolist() == [18]
    assert found.neuron_updates.tolist() == [9]
    assert found.active_updates["output"].tolist() == [6]


def test_times_on_a_border_of_steps_are_in_the_later_step_whatever_the_quotient_rounds_to():
    # 0.3 / 0.1 is 2.9999999999999996, 0.07 / 0.01 is 7.000000000000001.
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("out", 2)
    net.connect("input", "out", [[0.1, 0.1]])
    (name,) = net.projections
    tape = es.simulate(net, one_sample([0.2, 0.3, 0.6, 0.7], duration=1.2), backend="cpu")
    found = check(net, tape, 0.1, 1)
    assert found.effective_macs[name].tolist() == [0]  # no step has two events
    assert found.effective_acs[name].tolist() == [4 * 2]
    short = es.simulate(net, one_sample([], duration=0.07), backend="cpu")
    assert clocked(net, short, step_ms=0.01).steps.tolist() == [7]
