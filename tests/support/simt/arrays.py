"""Arrays on the host that behave like CuPy's: they refuse what CuPy's refuse.

Importing this module registers the namespace ``simt_arrays``, to which the arrays belong, so that
:func:`eventsim.arrays.namespace` finds it as it finds ``cupy``.

Refused, with TypeError: mixing with NumPy arrays in any operation, implicit conversion to NumPy,
``repeat`` with an array of repeats, ``lexsort`` of a tuple, and arguments and keywords that are not
in :mod:`tests.support.simt.signatures`, which are CuPy's. Not there, with AttributeError: what CuPy
lacks, and what is not written down there yet: add it to the tables if CuPy has it.

Refused though CuPy takes it, because no code of ours should do it: indexing by host arrays and
lists (a copy to the device at every call), ``bincount`` with weights and the ``at`` of ufuncs
(atomics: sums in no order), assigning twice to one place (CuPy takes any), indices out of range
(CuPy wraps them around).
"""

import copy
import functools
import sys
import types

import numpy as np

from tests.support.simt.counting import LAUNCH, TO_DEVICE, TO_HOST, note, note_call, note_index
from tests.support.simt.signatures import SIGNATURES, UFUNCS, check, words

NAME = "simt_arrays"


CONSTANTS = words("""
    bool_ can_cast dtype e finfo float16 float32 float64 floating iinfo inf int16 int32 int64 int8
    integer intp isscalar issubdtype nan newaxis pi promote_types result_type uint16 uint32 uint64
    uint8
""")

BINARY = words("""
    add sub mul truediv floordiv mod pow matmul and or xor lshift rshift eq ne lt le gt ge
""")
REFLECTED = words("add sub mul truediv floordiv mod pow matmul and or xor lshift rshift")
UNARY = words("neg pos abs invert")


class ndarray:
    """An array of the stand-in, around a NumPy array that nobody else sees."""

    __slots__ = ("__weakref__", "_values")
    __module__ = NAME
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, values):
        self._values = values

    dtype = property(lambda self: self._values.dtype)
    shape = property(lambda self: self._values.shape)
    ndim = property(lambda self: self._values.ndim)
    size = property(lambda self: self._values.size)
    strides = property(lambda self: self._values.strides)
    itemsize = property(lambda self: self._values.itemsize)
    nbytes = property(lambda self: self._values.nbytes)
    flags = property(lambda self: self._values.flags)
    T = property(lambda self: ndarray(self._values.T))

    @property
    def data(self):
        """The place of the array, as CuPy's ``data.ptr``."""
        return types.SimpleNamespace(ptr=address(self))

    def get(self):
        """A copy on the host."""
        note(TO_HOST)
        return self._values.copy()

    def set(self, values):
        """Take over an array of the host of the same type and shape."""
        if type(values) is not np.ndarray:
            raise TypeError("Only numpy.ndarray can be set")
        if (values.dtype, values.shape) != (self.dtype, self.shape):
            raise TypeError(f"{values.dtype}{values.shape} into {self.dtype}{self.shape}")
        note(TO_DEVICE)
        self._values[...] = values

    def item(self, *index):
        """One value, on the host."""
        note(TO_HOST)
        return self._values.item(*index)

    def tolist(self):
        """All values, on the host."""
        note(TO_HOST)
        return self._values.tolist()

    def copy(self, order="C"):
        """A copy on the device."""
        return ndarray(self._values.copy(order))

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        """As NumPy's; the same array where nothing changes and no copy is asked for."""
        values = self._values.astype(_checked(np.dtype(dtype)), order=order, copy=copy)
        return self if values is self._values else ndarray(values)

    def __len__(self):
        return len(self._values)

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index = _index(index)
        values = self._values[index]
        note_index(index, values, written=False)
        return _wrapped(values)

    def __setitem__(self, index, value):
        index = _index(index)
        value = _host_values(value, "assignment")
        if isinstance(index, np.ndarray) and index.dtype != bool and np.ndim(value):
            wrapped = index % max(len(self._values), 1)
            if np.unique(wrapped).size < index.size:
                raise IndexError("assignment to one place twice: a device may take any of the two")
        note_index(index, value, written=True)
        self._values[index] = value

    def __bool__(self):
        note(TO_HOST)
        return bool(self._values)

    def __int__(self):
        note(TO_HOST)
        return int(self._values)

    def __float__(self):
        note(TO_HOST)
        return float(self._values)

    def __complex__(self):
        note(TO_HOST)
        return complex(self._values)

    def __repr__(self):
        return repr(self._values)

    def __str__(self):
        return str(self._values)

    def __format__(self, spec):
        return format(self._values, spec)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        known = getattr(simt_arrays, ufunc.__name__, None)
        if method != "__call__" or known is None:
            return NotImplemented
        if "out" in options:
            (options["out"],) = options["out"]
        return known(*inputs, **options)

    def __array_function__(self, function, types, args, options):
        known = getattr(simt_arrays, function.__name__, None)
        return NotImplemented if known is None else known(*args, **options)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return simt_arrays.array, (self.get(),)


def address(array):
    """Where the values are."""
    return array._values.__array_interface__["data"][0]


def _wrapped(result):
    """Arrays and NumPy scalars as arrays of the stand-in, also inside a tuple or a list."""
    if isinstance(result, (np.ndarray, np.generic)):
        _checked(result.dtype)
        return ndarray(np.asarray(result))
    if isinstance(result, (tuple, list)):
        # Named results, as of numpy.unique_counts, are plain tuples here.
        return (list if isinstance(result, list) else tuple)(_wrapped(part) for part in result)
    return result


def _host_values(given, where):
    """What NumPy is to see of an argument; TypeError for an array that is on the host."""
    if isinstance(given, ndarray):
        return given._values
    if isinstance(given, np.ndarray):
        raise TypeError(f"{where}: Unsupported type {type(given)}: this array is on the host")
    if isinstance(given, (tuple, list)):
        return type(given)(_host_values(part, where) for part in given)
    return given


def _index(index):
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if isinstance(part, (np.ndarray, list)):
            raise TypeError(f"index: {type(part)} would be copied to the device at every call")
    values = tuple(_host_values(part, "index") for part in parts)
    return values if isinstance(index, tuple) else values[0]


def _checked(dtype):
    if dtype.kind not in "biufc" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def _on_device(function, name):
    """A function of NumPy that takes and gives arrays of the stand-in."""

    def called(*args, **options):
        args = [_host_values(value, name) for value in args]
        options = {key: _host_values(value, name) for key, value in options.items()}
        result = function(*args, **options)
        if options.get("out") is result and result is not None:
            return ndarray(result)
        return _wrapped(result)

    return called


def _as_cupy(kind, name, function):
    """The function, for calls that CuPy's of this name takes."""

    def called(*args, **options):
        check(kind, name, args, options)
        result = function(*args, **options)
        note_call(kind, name, args, result)
        return result

    functools.update_wrapper(called, function, assigned=["__doc__"])
    called.__name__ = called.__qualname__ = name
    called.__module__ = NAME
    return called


def _operator(name):
    operation = getattr(np.ndarray, name)

    def method(self, *others):
        for other in others:
            if isinstance(other, (list, tuple)):
                return NotImplemented
        made = _wrapped(operation(self._values, *(_host_values(o, name) for o in others)))
        note(LAUNCH, made is not NotImplemented and made.size > 0)
        return made

    method.__name__ = name
    return method


def _in_place(name):
    operation = getattr(np.ndarray, name)

    def method(self, other):
        operation(self._values, _host_values(other, name))
        note(LAUNCH, self.size > 0)
        return self

    method.__name__ = name
    return method


for _name in SIGNATURES["method"]:
    _own = ndarray.__dict__.get(_name) or _on_device(getattr(np.ndarray, _name), _name)
    setattr(ndarray, _name, _as_cupy("method", _name, _own))
for _name in BINARY:
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in REFLECTED:
    setattr(ndarray, f"__r{_name}__", _operator(f"__r{_name}__"))
    if _name != "matmul":
        setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in UNARY:
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))


# Functions of the namespace whose arguments are not simply NumPy's.


def array(values, dtype=None, copy=True, order="K"):
    """A new array on the device."""
    if isinstance(values, (list, tuple)) and any(isinstance(part, ndarray) for part in values):
        values = ndarray(np.array(_host_values(values, "array")))
    if isinstance(values, ndarray):
        made = values if dtype is None else values.astype(dtype, copy=False)
        if order == "C" and not made.flags.c_contiguous:
            return made.copy()
        return made.copy() if copy and made is values else made
    made = np.array(values, dtype=dtype, order=order)
    _checked(made.dtype)
    note(TO_DEVICE)
    return ndarray(made)


def asarray(values, dtype=None, order=None):
    """The same array if it is on the device and of that type, else a new one."""
    return array(values, dtype, copy=False, order=order or "K")


def ascontiguousarray(values, dtype=None):
    """As :func:`asarray`, in C order."""
    return asarray(values, dtype, order="C")


def asnumpy(values):
    """A copy on the host."""
    return values.get() if isinstance(values, ndarray) else np.asarray(values)


def empty(shape, dtype=float, order="C"):
    """An array of NaN or -1, as memory may be that nobody has written to."""
    made = np.empty(shape, _checked(np.dtype(dtype)), order)
    made.reshape(-1, order="A").view(np.uint8).fill(0xFF)
    return ndarray(made)


def empty_like(like, dtype=None):
    """As :func:`empty`, with the shape of another array."""
    return empty(like.shape, like.dtype if dtype is None else dtype)


def repeat(a, repeats, axis=None):
    """CuPy 13 takes only numbers for ``repeats``."""
    if isinstance(repeats, (ndarray, np.ndarray)):
        raise TypeError("repeat: 'repeats' must be an int or a list of ints, not an array")
    return a.repeat(repeats, axis)


def lexsort(keys):
    """CuPy takes one array, the last row first."""
    if not isinstance(keys, ndarray):
        raise TypeError(f"lexsort: keys are {type(keys)}, expected one 2-D array")
    return ndarray(np.lexsort(keys._values))


def argsort(a, axis=-1, kind=None):
    """CuPy sorts stably, and takes no other ``kind``."""
    if kind not in (None, "stable"):
        raise ValueError(f"argsort: kind is {kind!r}, expected None or 'stable'")
    return ndarray(np.argsort(a._values, axis=axis, kind="stable"))


def sort(a, axis=-1, kind=None):
    """As :func:`argsort`."""
    if kind not in (None, "stable"):
        raise ValueError(f"sort: kind is {kind!r}, expected None or 'stable'")
    return ndarray(np.sort(a._values, axis=axis, kind="stable"))


def searchsorted(a, v, side="left", sorter=None):
    """CuPy takes an array, or a Python number for ``v``."""
    if not isinstance(a, ndarray) or not isinstance(v, (ndarray, int, float)):
        raise NotImplementedError("Only python scalars or ndarrays are supported for v")
    return _wrapped(np.searchsorted(a._values, _host_values(v, "searchsorted"), side))


def bincount(x, weights=None, minlength=None):
    """CuPy sums weights by atomics, in any order: take the backend's ``sum_by`` for that."""
    if weights is not None:
        raise TypeError("bincount: with weights its sums have no order; use the backend's sum_by")
    if x.size == 0:
        raise ValueError("zero-size array to reduction operation maximum which has no identity")
    return ndarray(np.bincount(x._values, minlength=minlength or 0))


def _make_namespace():
    module = types.ModuleType(NAME, __doc__)
    own = (
        array, asarray, ascontiguousarray, asnumpy, empty, empty_like, repeat, lexsort, argsort,
        sort, searchsorted, bincount,
    )  # fmt: skip
    own = {function.__name__: function for function in own}
    for name in UFUNCS:
        function = _on_device(getattr(np, name), name)
        setattr(module, name, _as_cupy("ufunc", name, function))
    for name in SIGNATURES["function"]:
        function = own.get(name) or _on_device(getattr(np, name), name)
        setattr(module, name, _as_cupy("function", name, function))
    for name in CONSTANTS:
        setattr(module, name, copy.copy(getattr(np, name)))
    module.ndarray = ndarray
    return module


simt_arrays = sys.modules[NAME] = _make_namespace()
