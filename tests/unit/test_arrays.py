"""Calls that NumPy and CuPy do not share, on arrays of both kinds."""

import numpy as np
import pytest

from eventsim.arrays import beside, counts_of, largest, namespace, owners, to_host
from eventsim.events import SpikeTrains
from tests.support.simt.arrays import simt_arrays


@pytest.fixture(params=["numpy", "device"])
def xp(request):
    return {"numpy": np, "device": simt_arrays}[request.param]


def test_namespace_is_the_library_of_the_array(xp):
    assert namespace(xp.zeros(3)) is xp
    assert namespace(xp.zeros(())) is xp
    assert namespace(np.float64(1.0)) is np


def test_values_go_where_another_array_is(xp):
    for values in (np.arange(3.0), simt_arrays.arange(3.0)):
        there = beside(values, xp.zeros(0))
        assert namespace(there) is xp
        assert beside(there, xp.zeros(0)) is there
        assert type(to_host(there)) is np.ndarray
        np.testing.assert_array_equal(to_host(there), [0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([2, 0, 0, 3], [0, 0, 3, 3, 3]), ([0, 1, 0], [1]), ([0, 0], []), ([], [])],
)
def test_owner_of_every_item_is_its_group(xp, counts, expected):
    first = xp.asarray(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    found = owners(first, len(expected))
    assert namespace(found) is xp
    assert found.dtype == np.int64
    assert to_host(found).tolist() == expected


@pytest.mark.parametrize("index", [[3, 1, 3, 0], []])
def test_counts_have_an_entry_for_every_number(xp, index):
    found = counts_of(xp.asarray(np.array(index, np.int32)), 5)
    assert namespace(found) is xp
    assert found.dtype == np.int64
    assert to_host(found).tolist() == [index.count(k) for k in range(5)]


@pytest.mark.parametrize(
    ("values", "expected"), [([1.5, -3.0, 2.5], 2.5), ([-1.0], 0.25), ([], 0.25), ([0.25], 0.25)]
)
def test_largest_entry_is_at_least_what_is_asked_for(xp, values, expected):
    found = largest(xp.asarray(np.array(values, np.float64)), least=0.25)
    assert type(found) is float
    assert found == expected


def test_trains_are_counted_and_cut_where_they_are(xp):
    offsets, neurons = np.array([0, 0, 3, 4]), np.array([2, 0, 2, 1], np.int32)
    times = np.array([1.0, 2.0, 3.0, 4.0])
    on_host = SpikeTrains(times, neurons, offsets, 3, current=times + 1, restart_current=times + 2)
    trains = on_host.map(xp.asarray)
    assert to_host(trains.counts()).tolist() == [[0, 0, 0], [1, 0, 2], [0, 1, 0]]
    assert to_host(trains.total_counts()).tolist() == [1, 1, 2]
    part = trains.of_neurons(1, 3)
    assert to_host(part.times).tolist() == [1.0, 3.0, 4.0]
    assert to_host(part.neurons).tolist() == [1, 1, 0]
    assert to_host(part.offsets).tolist() == [0, 0, 2, 3]
    assert part.offsets.dtype == np.int64
    assert to_host(part.restart_current).tolist() == [3.0, 5.0, 6.0]
