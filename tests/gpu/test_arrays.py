"""The stand-in's arrays: they refuse what CuPy's refuse, and do the rest as NumPy's."""

import copy
import pickle

import numpy as np
import pytest

from eventsim.arrays import namespace
from tests.support.simt import arrays
from tests.support.simt.signatures import SIGNATURES, UFUNCS

xp = arrays.simt_arrays
HOST = np.arange(5.0)


@pytest.fixture
def a():
    return xp.asarray(HOST)


def test_the_namespace_is_found_as_that_of_cupy_is(a):
    assert namespace(a) is xp
    assert namespace(a + 1) is xp
    assert namespace(HOST) is np


@pytest.mark.parametrize(
    "refused",
    [
        lambda a: a + HOST,
        lambda a: HOST * a,
        lambda a: a + np.array(2.0),
        lambda a: np.add(HOST, a),
        lambda a: a.__iadd__(HOST),
        lambda a: a + [1.0, 2.0, 3.0, 4.0, 5.0],
        lambda a: xp.where(a > 1.0, a, HOST),
        lambda a: xp.concatenate([a, HOST]),
        lambda a: np.concatenate([a, HOST]),
        lambda a: xp.exp(HOST),
        lambda a: xp.take(HOST, a.astype(int)),
        lambda a: a.__setitem__(slice(None), HOST),
        lambda a: a[np.array([0, 1])],
        lambda a: a[[0, 1]],
        lambda a: HOST[a.astype(int)],
        lambda a: np.asarray(a),
        lambda a: np.array([a, a]),
        lambda a: HOST.__setitem__(slice(None), a),
        lambda a: list(range(a.astype(int)[2])),
        lambda a: hash(a),
        lambda a: np.add.at(a, 0, 1.0),
        lambda a: np.maximum.accumulate(a),
        lambda a: np.lexsort((a, a)),
        lambda a: xp.lexsort((a, a)),
        lambda a: xp.repeat(a, a.astype(int)),
        lambda a: a.repeat(HOST.astype(int)),
        lambda a: xp.bincount(a.astype(int), weights=a),
        lambda a: a.max(initial=0.0),
        lambda a: a.min(initial=0.0),
        lambda a: a.sum(initial=0.0),
        lambda a: a.sum(where=a > 1.0),
        lambda a: a.any(where=a > 1.0),
        lambda a: a.argsort(-1, "stable", None),
        lambda a: a.argsort(stable=True),
        lambda a: a.round(decimal=2),
        lambda a: a.item(0),
        lambda a: a.get(None, "C", None, True, 0),
        lambda a: xp.max(a, initial=0.0),
        lambda a: xp.max(a, None, None, False, 0.0),
        lambda a: np.max(a, initial=0.0),
        lambda a: np.sum(a, where=a > 1.0),
        lambda a: xp.cumsum(a, 0, None, None, None),
        lambda a: xp.diff(a, to=1),
        lambda a: xp.zeros(3, like=a),
        lambda a: xp.full(3, 1.0, device="cpu"),
        lambda a: xp.asarray(a, like=a),
        lambda a: xp.exp(a, where=a > 1.0),
        lambda a: xp.add(a, a, order="C"),
        lambda a: xp.add(a),
        lambda a: np.divide(a, a, out=a.copy(), where=a > 1.0),
    ],
)
def test_what_mixes_host_and_device_or_cupy_lacks_is_a_type_error(a, refused):
    with pytest.raises(TypeError):
        refused(a)


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (lambda a: xp.bincount(a[:0].astype(int), minlength=3), ValueError),
        (lambda a: xp.asarray(["a"]), ValueError),
        (lambda a: xp.asarray([None]), ValueError),
        (lambda a: xp.zeros(3, object), ValueError),
        (lambda a: a.astype(np.longdouble), ValueError),
        (lambda a: xp.argsort(a, kind="quicksort"), ValueError),
        (lambda a: xp.add.at(a, 0, 1.0), AttributeError),
        (lambda a: xp.apply_along_axis, AttributeError),
        (lambda a: a[xp.asarray([7])], IndexError),
        (lambda a: a.__setitem__(xp.asarray([0, 0]), a[:2]), IndexError),
        (lambda a: a.__setitem__(xp.asarray([4, -1]), a[:2]), IndexError),
        (lambda a: bool(a), ValueError),
        (lambda a: xp.searchsorted(a, HOST), NotImplementedError),
    ],
)
def test_what_no_device_does_is_refused(a, refused, error):
    with pytest.raises(error):
        refused(a)


@pytest.mark.parametrize(
    "allowed",
    [
        lambda xp, a: a + 1,
        lambda xp, a: 2.0 - a,
        lambda xp, a: np.float32(2) * a,
        lambda xp, a: np.exp(-a),
        lambda xp, a: xp.where(a > 1.0, a, 0.0),
        lambda xp, a: xp.concatenate([a, a[::-1]]),
        lambda xp, a: np.concatenate([a, a]),
        lambda xp, a: a[a > 2.0],
        lambda xp, a: a[a.astype(np.int64)],
        lambda xp, a: a.reshape(1, -1).T @ a.reshape(1, -1),
        lambda xp, a: xp.cumsum(a, dtype=np.float32, out=xp.zeros(5, np.float32)),
        lambda xp, a: xp.argsort(-a, kind="stable"),
        lambda xp, a: xp.searchsorted(a, a + 0.5, side="right"),
        lambda xp, a: xp.repeat(a, 2),
        lambda xp, a: xp.stack([a, a]).sum(axis=0),
        lambda xp, a: xp.bincount(a.astype(int), minlength=9),
        lambda xp, a: xp.zeros_like(a),
        lambda xp, a: xp.maximum(a, 2.5),
        lambda xp, a: a.view(np.int64),
        lambda xp, a: xp.asarray([1, 2, 3], dtype=np.int32),
        lambda xp, a: a.astype(np.float32),
        lambda xp, a: xp.linspace(0.0, 1.0, 4),
    ],
)
def test_the_rest_is_numpys(a, allowed):
    actual, expected = allowed(xp, a), allowed(np, HOST)
    assert type(actual) is arrays.ndarray
    assert actual.dtype == expected.dtype
    assert np.array_equal(actual.get(), expected)


@pytest.mark.parametrize(
    "reduced",
    [
        lambda a: a.sum(), lambda a: xp.max(a), lambda a: a[2], lambda a: (a > 9.0).any(),
        lambda a: a.argmax(), lambda a: np.sum(a), lambda a: next(iter(a)),
    ],
)  # fmt: skip
def test_reductions_and_single_values_stay_on_the_device(a, reduced):
    value = reduced(a)
    assert type(value) is arrays.ndarray
    assert value.shape == ()
    assert type(float(value)) is float


def test_several_results_are_all_on_the_device(a):
    values, inverse, counts = xp.unique(a, return_inverse=True, return_counts=True)
    assert all(type(part) is arrays.ndarray for part in (values, inverse, counts))
    assert type(xp.nonzero(a)) is tuple


def test_slices_are_views_and_assignment_reaches_them(a):
    part = a[1:3]
    part[...] = 7.0
    part += 1.0
    a[a > 7.5] = 9.0
    a[xp.asarray([0, 4])] = xp.asarray([5.0, 6.0])
    assert np.array_equal(a.get(), [5.0, 9.0, 9.0, 3.0, 6.0])


def test_asarray_copies_only_what_it_must(a):
    assert xp.asarray(a) is a
    assert xp.asarray(a, np.float64) is a
    assert a.astype(np.float64, copy=False) is a
    assert xp.array(a) is not a
    strided = xp.zeros((3, 2))[:, 0]
    assert xp.asarray(strided, order="C").flags.c_contiguous
    copied = xp.asarray(HOST)
    copied[0] = 8.0
    assert HOST[0] == 0.0
    assert a.get() is not a.get()


def test_a_list_of_device_arrays_is_stacked(a):
    assert np.array_equal(xp.asarray([a, a]).get(), [HOST, HOST])


def test_copies_and_pickles_are_on_the_device(a):
    for twin in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert type(twin) is arrays.ndarray
        assert np.array_equal(twin.get(), HOST)


def test_the_tables_hold_only_what_cupy_has():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    names = [*UFUNCS, *SIGNATURES["function"], *arrays.CONSTANTS]
    assert [name for name in names if not hasattr(cupy, name)] == []
    own = [name for name in dir(arrays.ndarray) if not hasattr(cupy.ndarray, name)]
    assert set(own) == {"__weakref__", "_values"}
