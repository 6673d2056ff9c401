"""What CuPy's functions and methods take: the stand-in takes no more, and notes what it is asked.

``tests/gpu/test_cupy_calls.py`` holds the tables to CuPy, without a device: every call that they
accept is one that CuPy accepts.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np


def words(text):
    """A table of names."""
    return text.split()


UFUNCS = words("""
    abs absolute add arccos arcsin arctan arctan2 arctanh bitwise_and bitwise_or bitwise_xor cbrt
    ceil copysign cos cosh deg2rad divide equal exp exp2 expm1 fabs floor floor_divide fmax fmin
    fmod frexp greater greater_equal heaviside hypot invert isfinite isinf isnan ldexp left_shift
    less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor matmul maximum minimum mod multiply negative nextafter not_equal power rad2deg
    reciprocal remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh
    true_divide trunc
""")

FUNCTIONS = """
all(a, axis=None, out=None, keepdims=False)
allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
any(a, axis=None, out=None, keepdims=False)
append(arr, values, axis=None)
arange(start, stop=None, step=1, dtype=None)
argmax(a, axis=None)
argmin(a, axis=None)
argpartition(a, kth, axis=-1)
argsort(a, axis=-1, kind=None)
argwhere(a)
array(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False)
array_equal(a1, a2, equal_nan=False)
array_split(ary, indices_or_sections, axis=0)
asarray(a, dtype=None, order=None, *, copy=None, blocking=False)
ascontiguousarray(a, dtype=None)
asnumpy(a, stream=None, order='C', out=None, *, blocking=True)
atleast_1d(*arys)
average(a, axis=None, weights=None, returned=False, *, keepdims=False)
bincount(x, weights=None, minlength=None)
broadcast_arrays(*args)
broadcast_to(array, shape)
clip(a, a_min, a_max, out=None)
column_stack(tup)
concatenate(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
copyto(dst, src, casting='same_kind', where=None)
count_nonzero(a, axis=None)
cumprod(a, axis=None, dtype=None, out=None)
cumsum(a, axis=None, dtype=None, out=None)
delete(arr, indices, axis=None)
diag(v, k=0)
diagonal(a, offset=0, axis1=0, axis2=1)
diff(a, n=1, axis=-1, prepend=None, append=None)
dot(a, b, out=None)
einsum(*operands)
empty(shape, dtype=float, order='C')
empty_like(prototype, dtype=None, order='K', subok=None, shape=None)
eye(N, M=None, k=0, dtype=float, order='C')
flatnonzero(a)
full(shape, fill_value, dtype=None, order='C')
full_like(a, fill_value, dtype=None, order='K', subok=None, shape=None)
histogram(x, bins=10, range=None, density=False, weights=None)
indices(dimensions, dtype=int)
inner(a, b)
isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)
isin(element, test_elements, assume_unique=False, invert=False)
lexsort(keys)
linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
max(a, axis=None, out=None, keepdims=False)
mean(a, axis=None, dtype=None, out=None, keepdims=False)
median(a, axis=None, out=None, overwrite_input=False, keepdims=False)
meshgrid(*xi, indexing='xy', sparse=False, copy=True)
min(a, axis=None, out=None, keepdims=False)
moveaxis(a, source, destination)
nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None)
nanmax(a, axis=None, out=None, keepdims=False)
nanmean(a, axis=None, dtype=None, out=None, keepdims=False)
nanmin(a, axis=None, out=None, keepdims=False)
nansum(a, axis=None, dtype=None, out=None, keepdims=False)
ndim(a)
nonzero(a)
ones(shape, dtype=float, order='C')
ones_like(a, dtype=None, order='K', subok=None, shape=None)
outer(a, b, out=None)
pad(array, pad_width, mode='constant', constant_values=0)
partition(a, kth, axis=-1)
percentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False)
prod(a, axis=None, dtype=None, out=None, keepdims=False)
ptp(a, axis=None, out=None, keepdims=False)
quantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False)
ravel(a, order='C')
ravel_multi_index(multi_index, dims, mode='wrap', order='C')
repeat(a, repeats, axis=None)
reshape(a, newshape, order='C', *, copy=None)
roll(a, shift, axis=None)
round(a, decimals=0, out=None)
searchsorted(a, v, side='left', sorter=None)
select(condlist, choicelist, default=0)
shape(a)
size(a, axis=None)
sort(a, axis=-1, kind=None)
split(ary, indices_or_sections, axis=0)
stack(tup, axis=0, out=None, *, dtype=None, casting='same_kind')
std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
sum(a, axis=None, dtype=None, out=None, keepdims=False)
swapaxes(a, axis1, axis2)
take(a, indices, axis=None, out=None)
take_along_axis(a, indices, axis)
tile(A, reps)
trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)
transpose(a, axes=None)
tril(m, k=0)
unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None)
unravel_index(indices, dims, order='C')
var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
vstack(tup, *, dtype=None, casting='same_kind')
where(condition, x=None, y=None)
zeros(shape, dtype=float, order='C')
zeros_like(a, dtype=None, order='K', subok=None, shape=None)
"""

METHODS = """
all(self, axis=None, out=None, keepdims=False)
any(self, axis=None, out=None, keepdims=False)
argmax(self, axis=None, out=None)
argmin(self, axis=None, out=None)
argsort(self, axis=-1, kind=None)
astype(self, dtype, order='K', casting=None, subok=None, copy=True)
choose(self, choices, out=None, mode='raise')
clip(self, min=None, max=None, out=None)
copy(self, order='C')
cumprod(self, axis=None, dtype=None, out=None)
cumsum(self, axis=None, dtype=None, out=None)
diagonal(self, offset=0, axis1=0, axis2=1)
dot(self, b, out=None)
fill(self, value)
flatten(self, order='C')
get(self, stream=None, order='C', out=None, blocking=True)
item(self)
max(self, axis=None, out=None, keepdims=False)
mean(self, axis=None, dtype=None, out=None, keepdims=False)
min(self, axis=None, out=None, keepdims=False)
nonzero(self)
prod(self, axis=None, dtype=None, out=None, keepdims=False)
ravel(self, order='C')
repeat(self, repeats, axis=None)
reshape(self, *shape, order='C', copy=None)
round(self, decimals=0, out=None)
set(self, arr, stream=None)
sort(self, axis=-1, kind=None)
squeeze(self, axis=None)
std(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
sum(self, axis=None, dtype=None, out=None, keepdims=False)
swapaxes(self, axis1, axis2)
take(self, indices, axis=None, out=None)
tolist(self)
trace(self, offset=0, axis1=0, axis2=1, dtype=None, out=None)
transpose(self, *axes)
var(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
view(self, dtype=None, type=None)
"""

# Of every ufunc; ``where`` is taken by some versions and not by others.
UFUNC_KEYWORDS = frozenset({"out", "dtype", "casting"})


class Call(NamedTuple):
    """How something was called; ``kind`` is "function", "method" or "ufunc"."""

    kind: str
    name: str
    n_positional: int
    keywords: frozenset[str]

    def __str__(self):
        given = [f"{self.n_positional} positional", *(f"{key}=" for key in sorted(self.keywords))]
        return f"{self.kind} {self.name}({', '.join(given)})"

    def bind(self, signature):
        """Raise TypeError unless ``signature`` takes the call."""
        try:
            signature.bind(*[None] * self.n_positional, **dict.fromkeys(self.keywords))
        except TypeError as error:
            raise TypeError(f"CuPy does not take {self}: {error}; it has {signature}") from None


def parsed(table):
    """Signatures by name, of lines such as ``max(a, axis=None)``."""
    found = {}
    exec("\n".join(f"def {line}: pass" for line in table.strip().splitlines()), found)
    return {key: inspect.signature(made) for key, made in found.items() if inspect.isfunction(made)}


SIGNATURES = {"function": parsed(FUNCTIONS), "method": parsed(METHODS)}

_recordings: list[set[Call]] = []


@contextmanager
def recorded() -> Iterator[set[Call]]:
    """The calls that the stand-in gets meanwhile."""
    calls: set[Call] = set()
    _recordings.append(calls)
    try:
        yield calls
    finally:
        _recordings.remove(calls)


def check(kind, name, args, options):
    """Raise TypeError for a call that CuPy does not take; for a method ``args`` begin with self."""
    call = Call(kind, name, len(args), frozenset(options))
    for calls in _recordings:
        calls.add(call)
    if (refusal := _refusal(call)) is not None:
        raise TypeError(refusal)


@cache
def _refusal(call):
    try:
        if call.kind == "ufunc":
            _bind_ufunc(call)
        else:
            call.bind(SIGNATURES[call.kind][call.name])
    except TypeError as error:
        return str(error)
    return None


def _bind_ufunc(call):
    ufunc = getattr(np, call.name)
    unknown = call.keywords - UFUNC_KEYWORDS
    if unknown or not ufunc.nin <= call.n_positional <= ufunc.nargs:
        raise TypeError(
            f"CuPy does not take {call}: it has {ufunc.nin} to {ufunc.nargs} arguments, "
            f"and {', '.join(sorted(UFUNC_KEYWORDS))}"
        )
