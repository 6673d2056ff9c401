"""What the host asks of values on a device, in one launch, and how long it believes the answer."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import place
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.run.look import check_values
from eventsim.errors import ParameterError
from eventsim.held import Extent, any_nonzero, extent_of, holding, least_of, made_once
from tests.support.nets import random_net, random_stream
from tests.support.simt.counting import counted

INF = np.inf


@pytest.mark.parametrize(
    ("values", "minus", "expected"),
    [
        ([3.0, -2.0, 0.0], None, (-2.0, 3.0, 2.0)),
        ([3.0, -2.0, 0.0], [1.0, -2.0, 5.0], (-5.0, 2.0, 2.0)),
        ([0.0, 0.0], None, (0.0, 0.0, INF)),
        ([], None, (INF, -INF, INF)),
        ([1.0, INF, -1e-300], None, (-1e-300, INF, 1e-300)),
        (np.linspace(-7.0, 9.0, 5001), None, (-7.0, 9.0, None)),
    ],
)
def test_extents_are_those_of_numpy(host_cuda, values, minus, expected):
    a, b = (None if v is None else host_cuda.asarray(np.asarray(v, float)) for v in (values, minus))
    lookup = host_cuda.lookup([(a, b), (host_cuda.asarray(np.ones(2)), None)])
    found, other = lookup.read(host_cuda.get(lookup.start()))
    assert other == Extent(1.0, 1.0, 1.0)
    assert found[:2] == expected[:2]
    assert expected[2] in (None, found.magnitude)


def test_extent_of_what_has_a_nan_is_nan(host_cuda):
    values = host_cuda.asarray(np.r_[np.ones(300), np.nan, np.ones(300)])
    lookup = host_cuda.lookup([(values, None)])
    (found,) = lookup.read(host_cuda.get(lookup.start()))
    assert np.isnan([found.least, found.largest]).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tau_mem", 0.0),
        ("tau_syn", np.nan),
        ("resistance", 1e16),
        ("v_leak", np.inf),
        ("refractory", -1.0),
        ("threshold", -5.0),
        ("v_leak", 1e-20),
    ],
)
def test_value_that_has_left_its_domain_is_found_as_on_the_host(host_cuda, name, value):
    net = random_net(3, hidden=(4,))
    if value == 1e-20:
        net.population("hidden1").threshold[1] = 1e-20
        value = 0.0
    net.population("hidden1").parameters[name][1] = value
    with pytest.raises(ParameterError) as expected:
        net.check()
    with using_backend("cuda", host_cuda), pytest.raises(ParameterError) as actual:
        check_values(place(net, backend="cuda"), host_cuda)
    assert str(actual.value) == str(expected.value)


@pytest.mark.parametrize("bad", [np.nan, 2e20, -np.inf])
def test_weight_that_is_too_large_is_found(host_cuda, bad):
    with using_backend("cuda", host_cuda):
        net = place(random_net(4, hidden=(4,)), backend="cuda")
        next(iter(net.projections.values())).values[0, 1] = bad
        with pytest.raises(ParameterError, match="a weight is"):
            es.simulate(net, random_stream(5), backend="cuda")


def test_network_is_looked_at_once_while_it_is_held(host_cuda):
    with using_backend("cuda", host_cuda):
        net = place(random_net(6, hidden=(4,)), backend="cuda")
        check_values(net, host_cuda)
        with holding() as held, counted() as counts:
            check_values(net, host_cuda)
            check_values(net, host_cuda)
            known = net.population("hidden1").tau_mem
            assert extent_of(known) == held.extents[id(known)][1]
            assert least_of(known) == known.get().min()
            assert any_nonzero(known)
    assert counts.total("to_host") == 2  # one look, and what the test itself fetched


def test_what_is_held_is_forgotten_at_the_end():
    made = []

    def make():
        made.append(1)
        return len(made)

    assert [made_once("key", make) for _ in range(2)] == [1, 2]
    with holding() as outer:
        assert [made_once("key", make) for _ in range(2)] == [3, 3]
        with holding() as inner:
            assert inner is outer
            assert made_once("key", make) == 3
    assert made_once("key", make) == 4
    assert extent_of(np.ones(1)) is None
    assert not any_nonzero(np.zeros(2))
    assert least_of(np.array([2.0, 1.0])) == 1.0


@pytest.mark.parametrize("options", [{}, {"delays": "source"}, {"sparse": True}])
def test_synaptic_events_are_counted_as_on_the_host(host_cuda, options):
    net, stream = random_net(7, **options), random_stream(8, n_samples=3, duration=30.0)
    expected = es.simulate(net, stream, backend="cpu", precision="double")
    with using_backend("cuda", host_cuda):
        for there in (net, place(net, backend="cuda")):
            tape = es.simulate(there, stream, backend="cuda", resident=True)
            assert tape.synaptic_events == expected.synaptic_events
            assert min(tape.synaptic_events.values()) >= 0
            assert len(tape.synaptic_events) == len(net.projections)
            assert repr(tape.synaptic_events) == repr(expected.synaptic_events)
