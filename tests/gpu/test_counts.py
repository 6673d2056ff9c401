"""What a training step asks of a device, counted by the stand-in; see bench.gpu.counts."""

import numpy as np
import pytest

import eventsim as es
from bench.gpu.counts import CASES, counts_of
from eventsim.engine.contract.registry import using_backend
from tests.support.nets import one_sample
from tests.support.simt.arrays import simt_arrays as xp
from tests.support.simt.counting import counted
from tests.support.tiers import beyond

# Upper bounds of launches and of reads by the host.
MOST = {
    "dense": (122, 4),
    "dense, batch 12": (122, 4),
    "delays": (138, 4),
    "sparse": (167, 5),
    "loop": (595, 24),
    "linear": (370, 15),
    "linear, loop": (701, 38),
}

FLAT, GRID = np.arange(5.0), np.ones((2, 3))


@pytest.mark.parametrize(
    ("work", "launches", "reads"),
    [
        (lambda a, b: a + 1.0, 1, 0),
        (lambda a, b: -a, 1, 0),
        (lambda a, b: xp.exp(a), 1, 0),
        (lambda a, b: np.exp(a), 1, 0),
        (lambda a, b: a.sum(), 1, 0),
        (lambda a, b: a.__iadd__(a), 1, 0),
        (lambda a, b: a.astype(np.float32), 1, 0),
        (lambda a, b: a.astype(np.float64, copy=False), 0, 0),
        (lambda a, b: a[1:3], 0, 0),
        (lambda a, b: b.reshape(-1)[2:].view(np.int64), 0, 0),
        (lambda a, b: xp.broadcast_to(a, (2, 5)), 0, 0),
        (lambda a, b: xp.empty(3), 0, 0),
        (lambda a, b: xp.zeros(3), 0, 0),
        (lambda a, b: xp.ones(3), 1, 0),
        (lambda a, b: xp.concatenate([a, a[:0], a]), 2, 0),
        (lambda a, b: xp.concatenate([a] * 9), 1, 0),
        (lambda a, b: xp.concatenate([a] * 8 + [xp.empty(2, np.int32)]), 9, 0),
        (lambda a, b: xp.argsort(a), 3, 0),
        (lambda a, b: xp.argsort(xp.empty(20_000, np.int64)), 12, 0),
        (lambda a, b: xp.argsort(xp.empty(20_000, np.int32)), 8, 0),
        (lambda a, b: xp.lexsort(b), 3, 0),
        (lambda a, b: xp.lexsort(xp.empty((2, 5_000))), 11, 0),
        (lambda a, b: xp.cumsum(a), 2, 0),
        (lambda a, b: xp.cumsum(xp.empty(3, np.int32), dtype=np.int64), 3, 0),
        (lambda a, b: a.copy(), 1, 0),
        (lambda a, b: xp.asarray(a, np.float32), 1, 0),
        (lambda a, b: xp.broadcast_to(a, (2, 5)).ravel(), 1, 0),
        (lambda a, b: b.T.reshape(-1), 1, 0),
        (lambda a, b: b.ravel(), 0, 0),
        (lambda a, b: a.get(), 0, 1),
        (lambda a, b: a.tolist(), 0, 1),
        (lambda a, b: float(a[0]), 0, 1),
        (lambda a, b: bool((a > 0.0).any()), 2, 1),
        (lambda a, b: a[a > 1.0], 4, 1),
        (lambda a, b: xp.flatnonzero(a), 3, 1),
        (lambda a, b: a.__setitem__(slice(0, 2), 0.0), 1, 0),
        (lambda a, b: a[b.ravel().astype(np.int64)], 2, 0),
    ],
)
def test_operations_count_as_cupy_launches_them(work, launches, reads):
    a, b = xp.asarray(FLAT), xp.asarray(GRID)
    with counted() as counts:
        work(a, b)
    assert (counts.total("launches"), counts.total("to_host")) == (launches, reads)


@pytest.mark.parametrize(("n", "memsets"), [(100, 0), (20_000, 10)])
def test_sorts_clear_the_counters_of_their_passes(n, memsets):
    keys = xp.empty(n, np.int64)
    with counted() as counts:
        xp.argsort(keys)
    assert counts.total("memsets") == memsets


def test_copies_to_the_device_are_counted():
    with counted() as counts:
        xp.asarray(FLAT)
        xp.zeros(3).set(FLAT[:3])
    assert counts.total("to_device") == 2
    assert counts.total("memsets") == 1


def test_what_asks_is_named(host_cuda):
    with using_backend("cuda", host_cuda), counted() as counts:
        net = es.scsr(2, (3,), 2)
        es.simulate(net, one_sample([1.0, 2.0], [0, 1], n_channels=2, duration=9.0), backend="cuda")
    assert counts.within("simulate")["launches"] == counts.total("launches") > 0
    assert "_judged" in {name.rpartition(".")[2] for name in counts.by_function("to_host")}


@pytest.mark.parametrize(
    "case", beyond(2, CASES, pytest.mark.thorough("a training step of each kind; no number of any"))
)
def test_a_training_step_asks_no_more_of_a_device_than_it_did(host_cuda, case):
    with using_backend("cuda", host_cuda):
        found = counts_of(**CASES[case])
    assert found["launches"] <= MOST[case][0]
    assert found["reads"] <= MOST[case][1]
