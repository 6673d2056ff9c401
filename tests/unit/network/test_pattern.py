"""Sparse weights that are malformed: from a file, from a caller, or edited in place."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.errors import NetworkError
from eventsim.network.projection import PlacedEntries
from tests.support.nets import one_layer


def matrix():
    return sp.csr_array(np.arange(1.0, 21.0).reshape(5, 4) * (np.arange(20).reshape(5, 4) % 3 > 0))


def sparse_net(weights=None):
    net = one_layer("hidden", matrix() if weights is None else weights)
    return net


def test_unsorted_weights_of_a_caller_are_put_in_order_and_pairs_stay_apart():
    weights = sp.csr_array(([1.0, 2.0, 4.0], [3, 0, 3], [0, 3, 3, 3, 3, 3]), shape=(5, 4))
    projection = sparse_net(weights).projections["input->hidden"]
    assert projection.weights.indices.tolist() == [0, 3, 3]
    assert projection.weights.data.tolist() == [2.0, 1.0, 4.0]
    assert weights.indices.tolist() == [3, 0, 3]


def test_weights_with_room_to_spare_are_taken():
    weights = matrix()
    weights.data = np.append(weights.data, 0.0)
    weights.indices = np.append(weights.indices, weights.indices[:1])
    projection = sparse_net(weights).projections["input->hidden"]
    assert projection.weights.data.tolist() == matrix().data.tolist()


def test_pattern_of_placed_weights_is_checked_without_reading_their_values():
    class Unread:
        """Values on a device: their number is known, a read is an error."""

        size = 13

    net = sparse_net()
    projection = net.projections["input->hidden"]
    w = projection.weights
    object.__setattr__(projection, "weights", PlacedEntries(Unread(), w.indices, w.indptr, w.shape))
    projection.check_pattern(5, 4)
    w.indices[0] = 4
    with pytest.raises(NetworkError, match="entry 0 is 4"):
        projection.check_pattern(5, 4)


@pytest.mark.parametrize("at_once", [1, 2, 3, 12, 13])
@pytest.mark.parametrize("entry", range(1, 13))
def test_disorder_is_found_wherever_patterns_are_looked_at_in_parts(monkeypatch, at_once, entry):
    monkeypatch.setattr("eventsim.arrays.AT_ONCE", at_once)
    net = sparse_net()
    net.check()
    w = net.projections["input->hidden"].weights
    if entry in w.indptr:
        w.indices[entry] = 0  # the first of its row
        net.check()
        return
    low, high = w.indices[entry - 1 : entry + 1]
    w.indices[entry] = low  # two synapses of one pair
    net.check()
    assert net.projections["input->hidden"].has_multapses
    w.indices[entry - 1 : entry + 1] = high, low
    with pytest.raises(NetworkError, match=f"entry {entry} is .*expected ascending indices"):
        net.check()


@pytest.mark.parametrize("entry", [0, 7, 8, 12])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 2e20])
def test_value_out_of_its_domain_is_found_where_values_are_looked_at_in_parts(
    monkeypatch, entry, bad
):
    for module in ("arrays", "network.domain"):
        monkeypatch.setattr(f"eventsim.{module}.AT_ONCE", 4)
    net = sparse_net()
    net.check()
    net.projections["input->hidden"].weights.data[entry] = bad
    with pytest.raises(es.errors.ParameterError, match=re.escape(f"a weight is {bad}")):
        net.check()


def test_indices_of_64_bits_are_kept_in_32():
    weights = matrix()
    weights.indices, weights.indptr = (
        a.astype(np.int64) for a in (weights.indices, weights.indptr)
    )
    kept = sparse_net(weights).projections["input->hidden"].weights
    assert kept.indices.dtype == kept.indptr.dtype == np.int32
    assert np.array_equal(kept.toarray(), matrix().toarray())
    assert weights.indices.dtype == np.int64
