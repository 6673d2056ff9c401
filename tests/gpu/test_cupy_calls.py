"""What the project asks of arrays on a device, held to the signatures of CuPy, without a device.

Three nets. The stand-in takes only the calls of its tables, in every test that runs on it; the
tables are held to CuPy here. What training asks is recorded and bound to CuPy itself. And calls
that no run reaches are read from the text.
"""

import ast
import inspect
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import eventsim
from eventsim.engine.contract.registry import using_backend
from tests.gpu.device_work import WORK
from tests.support.simt import small_grids, why_not
from tests.support.simt.signatures import (
    SIGNATURES,
    UFUNC_KEYWORDS,
    UFUNCS,
    Call,
    parsed,
    recorded,
)
from tests.support.tiers import beyond

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

ROOT = Path(eventsim.__file__).parent

LIBRARIES = ("xp", "cupy")

# Rooms that meet arrays of a device, and those in them that do not.
ROOMS = ("adjoint/", "bridge/", "engine/", "events/", "network/", "train/")
HOST_ROOMS = ("engine/cpu/", "engine/reference/")

# Calls of methods there that CuPy would refuse, of arrays that are NumPy's always: durations of a
# stream, counts of what a network is made of, results of finite differences.
ON_THE_HOST = {
    ("adjoint/chunks.py", "row.max"),
    ("adjoint/gradcheck.py", "np.abs(numeric).max"),
    ("adjoint/gradcheck.py", "relative.max"),
    ("engine/cuda/spikes.py", "guess_spikes(job, 1.0, GUESS_LEAST).max"),
    ("engine/algorithm.py", "delays[delays > 0.0].min"),
    ("engine/algorithm.py", "to_host(projection.delays).min"),
    ("engine/contract/linear.py", "job.duration.max"),
    ("engine/run/trace.py", "duration.max"),
    ("engine/run/trace.py", "released[-1].max"),
    ("events/hdf5.py", "found.get"),  # of a group in a file
    ("events/labelled.py", "labels.max"),
    ("events/nir_data.py", "lengths.max"),
    ("events/nir_data.py", "duration.max"),
    ("events/stored.py", "self.duration.max"),
    ("events/stream.py", "sources.until.max"),
    ("train/sparse.py", "free.max"),
    ("train/sparse.py", "stored.max"),
    ("events/stream.py", "self.duration.max"),
    ("network/nir/beyond.py", "np.abs(values).max"),
    ("network/nir/export.py", "branch.max"),
    ("network/nir/wiring.py", "branch.max"),
    ("network/sharing.py", "counts.max"),
    ("train/ctc.py", "lengths.max"),
    ("train/spiking.py", "duration.max"),
}


@cache
def trees():
    """The text of the package, by file."""
    paths = sorted(ROOT.rglob("*.py"))
    return {path.relative_to(ROOT): ast.parse(path.read_text("utf-8")) for path in paths}


@cache
def signature_of(name, kind="function"):
    """CuPy's, of a compiled function or method that which its docstring begins with."""
    owner = cupy.ndarray if kind == "method" else cupy
    found = owner
    for part in name.split("."):
        found = getattr(found, part)
    try:
        return inspect.signature(found)
    except ValueError:
        return signature_in(found.__doc__)


def signature_in(text):
    """Of a line such as ``ndarray.sort(self, int axis=-1) -> ndarray``."""
    name, parameters = re.match(r"(?:\w+\.)*(\w+)(\(.*?\))(?: ->|$)", text.splitlines()[0]).groups()
    return parsed(name + re.sub(r"\w+ (\w+)(?=[,=)])", r"\1", parameters))[name]


def bind(call):
    """Raise TypeError unless CuPy takes the call."""
    made = getattr(cupy, call.name) if call.kind == "ufunc" else None
    if not isinstance(made, cupy.ufunc):
        call.bind(signature_of(call.name, call.kind))
        return
    try:
        # Compiled, and without a signature: asked. It gets as far as to look for a device.
        made(*[1] * call.n_positional, **dict.fromkeys(call.keywords))
    except TypeError as error:
        if "Wrong" in str(error):
            raise TypeError(f"CuPy does not take {call}: {error}") from None
    except Exception:
        return


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("_base.sort(self, int axis=-1, kind=None)\n\nSort", "(self, axis=-1, kind=None)"),
        ("_base.dot(self, _base b, _base out=None)", "(self, b, out=None)"),
        ("size(_base a, axis=None) -> Py_ssize_t", "(a, axis=None)"),
        ("_base.choose(self, choices, mode='raise')", "(self, choices, mode='raise')"),
        ("_base.reshape(self, *shape, order='C')", "(self, *shape, order='C')"),
    ],
)
def test_signature_of_compiled_text_is_read_from_its_docstring(line, expected):
    assert str(signature_in(line)) == expected


@pytest.mark.parametrize(
    ("kind", "name", "n", "keywords"),
    [
        ("method", "max", 1, ["initial"]),
        ("method", "sum", 1, ["where"]),
        ("method", "item", 2, []),
        ("method", "argsort", 4, []),
        ("method", "dot", 1, []),
        ("function", "max", 1, ["initial"]),
        ("function", "lexsort", 2, []),
        ("function", "zeros", 1, ["like"]),
        ("ufunc", "exp", 1, ["order"]),
        ("ufunc", "exp", 3, []),
        ("ufunc", "add", 1, []),
        ("ufunc", "matmul", 2, ["where"]),
    ],
)
def test_calls_that_cupy_does_not_take_are_found(kind, name, n, keywords):
    with pytest.raises(TypeError, match="CuPy does not take"):
        bind(Call(kind, name, n, frozenset(keywords)))


@pytest.mark.parametrize("kind", ["function", "method"])
def test_every_call_that_the_tables_take_is_one_that_cupy_takes(kind):
    for name, own in SIGNATURES[kind].items():
        theirs = signature_of(name, kind).parameters
        rest = {p.kind for p in theirs.values()}
        for place, (key, parameter) in enumerate(own.parameters.items()):
            where = f"{kind} {name}, parameter {key}"
            if key not in theirs:
                assert inspect.Parameter.VAR_KEYWORD in rest, where
                continue
            twin = theirs[key]
            assert twin.kind == parameter.kind, where
            assert (twin.default is twin.empty) <= (parameter.default is parameter.empty), where
            if parameter.kind == parameter.POSITIONAL_OR_KEYWORD:
                assert list(theirs)[place] == key, where


def test_every_ufunc_has_the_arguments_and_keywords_of_the_tables():
    for name in UFUNCS:
        ours = getattr(np, name)
        for n in (ours.nin, ours.nargs):
            bind(Call("ufunc", name, n, frozenset()))
        for keyword in UFUNC_KEYWORDS:
            bind(Call("ufunc", name, ours.nin, frozenset({keyword})))


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
@pytest.mark.parametrize(
    "work",
    beyond(4, WORK, pytest.mark.thorough("the stand-in takes only calls of its tables, above")),
)
def test_calls_of_what_people_do_are_calls_that_cupy_takes(work, host_cuda, tmp_path):
    with using_backend("cuda", host_cuda), small_grids(), recorded() as calls:
        WORK[work](tmp_path)
    # The tables of a run are kernels of ours: only training and losses call ufuncs besides.
    ufuncs = set() if work == "chunks" else {"ufunc"}
    assert {"function", "method"} | ufuncs == {call.kind for call in calls}
    for call in sorted(calls, key=str):
        bind(call)


def chain(node):
    """Names from the library on: ("cuda", "Device") of ``self.xp.cuda.Device``; None without."""
    names = []
    while isinstance(node, ast.Attribute):
        if node.attr in LIBRARIES:
            return names[::-1]
        names.append(node.attr)
        node = node.value
    made = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "namespace"
    return names[::-1] if made or getattr(node, "id", "") in LIBRARIES else None


def call_of(kind, node, name):
    """As it is written; None where it passes on what it was given."""
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    if any(keyword.arg is None for keyword in node.keywords):
        return None
    keywords = frozenset(keyword.arg for keyword in node.keywords)
    return Call(kind, name, len(node.args) + (kind == "method"), keywords)


def written():
    """Every use of the library of a device's arrays: where, names, and the call or None."""
    for path, tree in trees().items():
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            names = chain(node) if isinstance(node, ast.Attribute) else None
            if names:
                where = f"{path}:{node.lineno}"
                yield where, names, calls.get(id(node))


# Parts of CuPy that are libraries of CUDA's, which are loaded, or missing, when they are asked for.
LOADED = (("cuda", "cublas"),)


def test_names_in_the_text_are_names_of_cupy():
    uses = list(written())
    assert len(uses) > 200
    for where, names, call in uses:
        if names[0].startswith("__"):
            continue
        if tuple(names) in LOADED:
            assert find_spec(f"cupy_backends.cuda.libs.{names[-1]}")
            continue
        found = cupy
        for name in names:
            assert hasattr(found, name), f"{where}: CuPy has no {'.'.join(names)}"
            found = getattr(found, name)
        kind = "ufunc" if names[0] in UFUNCS else "function"
        asked = call and len(names) == 1 and call_of(kind, call, names[0])
        if asked and not isinstance(found, type):
            try:
                bind(asked)
            except TypeError as error:
                pytest.fail(f"{where}: {error}")


def test_calls_of_methods_in_the_text_are_calls_that_cupy_takes():
    refused = set()
    for path, tree in trees().items():
        room = path.as_posix()
        if not room.startswith(ROOMS) or room.startswith(HOST_ROOMS):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name, owner = node.func.attr, ast.unparse(node.func.value)
            asked = name in SIGNATURES["method"] and call_of("method", node, name)
            if not asked or owner in ("np", "torch", "lax") or chain(node.func):
                continue
            try:
                bind(asked)
            except TypeError:
                refused.add((room, f"{owner}.{name}"))
    assert refused == ON_THE_HOST
