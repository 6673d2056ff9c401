"""What the host asks of values on a device, in one launch, and how long it believes the answer."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import place
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.run.look import check_values
from eventsim.engine.run.run import begin_course
from eventsim.errors import ParameterError
from eventsim.memo import Extent, Memo
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
        check_values(place(net, backend="cuda"), host_cuda, Memo())
    assert str(actual.value) == str(expected.value)


@pytest.mark.parametrize("bad", [np.nan, 2e20, -np.inf])
def test_weight_that_is_too_large_is_found(host_cuda, bad):
    with using_backend("cuda", host_cuda):
        net = place(random_net(4, hidden=(4,)), backend="cuda")
        next(iter(net.projections.values())).values[0, 1] = bad
        with pytest.raises(ParameterError, match="a weight is"):
            es.simulate(net, random_stream(5), backend="cuda")


def test_network_is_looked_at_once_a_memo(host_cuda):
    with using_backend("cuda", host_cuda):
        net, memo = place(random_net(6, hidden=(4,)), backend="cuda"), Memo()
        with counted() as counts:
            check_values(net, host_cuda, memo)
            check_values(net, host_cuda, memo)
            known = net.population("hidden1").tau_mem
            assert memo.least(known) == memo.extent(known).least == known.get().min()
            assert memo.any_nonzero(known)
    assert counts.total("to_host") == 2  # one look, and what the test itself fetched


def test_what_is_made_is_made_once_by_its_owner():
    made = []

    def make():
        made.append(1)
        return len(made)

    memo, other = Memo(), Memo(back=True)
    assert [memo.once("key", make) for _ in range(2)] == [1, 1]
    assert [memo.once("large", make, kept=memo.again) for _ in range(2)] == [2, 3]
    assert [other.once("large", make, kept=other.again) for _ in range(2)] == [4, 4]
    assert [Memo(pieces=True).again, Memo(pieces=True).back] == [True, False]
    assert other.once("key", make) == 5
    assert memo.extent(np.ones(1)) is None
    assert not memo.any_nonzero(np.zeros(2))
    assert (memo.least(np.array([2.0, 1.0])), memo.largest(np.array([2.0, 1.0]))) == (1.0, 2.0)


@pytest.mark.parametrize("step", [False, True])
def test_what_a_run_made_ends_with_its_owner(step):
    """Without the collector of cycles: a memo leads to arrays, and no array back to it."""
    net, stream = random_net(7), random_stream(8, n_samples=3, duration=30.0)
    memo = Memo(back=True)
    tape = begin_course(
        net, stream, tail=None, backend="cpu", precision="double", memo=memo
    ).finish()
    tape = replace(tape, memo=memo if step else None)
    seeds = {name: np.ones(len(trains)) for name, trains in tape.trains.items()}
    gc.disable()
    try:
        es.backward(net, tape, seeds)
        assert memo.made
        ends = weakref.ref(memo)
        del memo, tape
        assert ends() is None
    finally:
        gc.enable()


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
