"""Sparse weights that are malformed: from a file, from a caller, or edited in place."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.errors import NetworkError, ShapeError, StorageError
from eventsim.network.projection import PlacedEntries
from tests.support.nets import one_layer, random_stream


def matrix():
    return sp.csr_array(np.arange(1.0, 21.0).reshape(5, 4) * (np.arange(20).reshape(5, 4) % 3 > 0))


def sparse_net(weights=None):
    net = one_layer("hidden", matrix() if weights is None else weights)
    return net


def swap(w):
    w.indices[:2] = w.indices[:2][::-1].copy()


EDITS = {
    "far": (lambda w: w.indices.__setitem__(0, 10**6), r"entry 0 is 1000000, expected 0 \.\. 3"),
    "negative": (lambda w: w.indices.__setitem__(1, -1), r"entry 1 is -1, expected 0 \.\. 3"),
    "twice": (lambda w: w.indices.__setitem__(1, w.indices[0]), "without duplicates"),
    "unsorted": (swap, "ascending indices"),
    "begin": (lambda w: w.indptr.__setitem__(0, 1), "ascend from 0"),
    "falls": (lambda w: w.indptr.__setitem__(2, 0), "ascend from 0"),
    "end": (lambda w: w.indptr.__setitem__(-1, 99), "ends at 99"),
    "fractions": (lambda w: setattr(w, "indices", w.indices + 0.5), "float64, expected integers"),
    "short": (lambda w: setattr(w, "data", w.data[:-1]), "12 values"),
    "rows": (lambda w: setattr(w, "indptr", w.indptr[:-1]), "must have 6 entries"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_weights_edited_in_place_are_refused_before_the_run(edit):
    net, (change, message) = sparse_net(), EDITS[edit]
    change(net.projections["input->hidden"].weights)
    for check in (net.check, lambda: es.simulate(net, random_stream(1), backend="cpu")):
        with pytest.raises(NetworkError, match=f"input->hidden.*{message}"):
            check()


@pytest.mark.parametrize("edit", ["far", "negative", "begin", "falls", "end", "fractions", "rows"])
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_malformed_weights_of_a_caller_are_refused(form, edit):
    weights = matrix().asformat(form)
    if form == "csc" and edit == "rows":
        weights = sp.csc_array(np.ones((5, 4)))
    EDITS[edit][0](weights)
    with pytest.raises(NetworkError, match="input->hidden.*malformed"):
        sparse_net(weights)


def test_unsorted_weights_with_duplicates_of_a_caller_are_put_in_order():
    weights = sp.csr_array(([1.0, 2.0, 4.0], [3, 0, 3], [0, 3, 3, 3, 3, 3]), shape=(5, 4))
    projection = sparse_net(weights).projections["input->hidden"]
    assert projection.weights.indices.tolist() == [0, 3]
    assert projection.weights.data.tolist() == [2.0, 5.0]


def test_weights_with_room_to_spare_are_taken():
    weights = matrix()
    weights.data = np.append(weights.data, 0.0)
    weights.indices = np.append(weights.indices, weights.indices[:1])
    projection = sparse_net(weights).projections["input->hidden"]
    assert projection.weights.data.tolist() == matrix().data.tolist()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("indices", lambda v: np.append(v[:-1], 10**6)),
        ("indices", lambda v: v[:-1]),
        ("indptr", lambda v: v[::-1].copy()),
        ("indptr", lambda v: np.append(v[:-1], 10**6)),
        ("indptr", lambda v: v[:-1]),
        ("indices", lambda v: v + 0.5),
    ],
)
def test_file_with_malformed_sparse_weights_is_refused(key, values):
    arrays = sparse_net().to_arrays()
    arrays[f"input->hidden.{key}"] = values(arrays[f"input->hidden.{key}"])
    # Lengths and types are refused with the file's headers, before any value is looked at.
    with pytest.raises((NetworkError, ShapeError, StorageError), match="input->hidden"):
        es.Network.from_arrays(arrays)


def test_delays_per_synapse_of_weights_that_lost_synapses_are_refused():
    net = one_layer("hidden", matrix(), delays=np.ones(matrix().nnz))
    weights = net.projections["input->hidden"].weights
    weights.data[0] = 0.0
    weights.eliminate_zeros()
    with pytest.raises(NetworkError, match="13 delays for 12 synapses"):
        net.check()


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


def test_complex_sparse_weights_are_refused():
    with pytest.raises(ShapeError, match="input->hidden.*complex128"):
        sparse_net(matrix() * 1j)


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
    w.indices[entry] = w.indices[entry - 1]
    with pytest.raises(NetworkError, match=f"entry {entry} is .*without duplicates"):
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
