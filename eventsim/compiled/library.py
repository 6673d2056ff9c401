"""Kernels that were compiled ahead of time: finds their library, checks it, calls it.

Their text is in ``eventsim/kernels``; ``cpu/library.cpp`` there is the other side of this file, and
the modules ``roles*`` have what goes across. The library holds every kernel once for each level,
which is a set of instructions: all give the same bits. ``EVENTSIM_LEVEL`` chooses one; else it is
the best that the processor runs.

The tasks of a call are dealt to a crew of threads, which run side by side, since a call does not
hold Python's lock. No result depends on their number. A long call of a loop lets Python's main
thread see to signals, some ten times a second, and raises what their handlers do, as
KeyboardInterrupt.
"""

import ctypes
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from struct import Struct
from threading import Thread, current_thread, main_thread
from typing import Any, NamedTuple, Protocol

import numpy as np

from eventsim.compiled.calls import CallEntry, entries_of, layout
from eventsim.errors import BackendError, InternalError, ParameterError
from eventsim.extras import DISTRIBUTION
from eventsim.processors import n_threads

FOLDER = Path(__file__).resolve().parents[1] / "kernels"

# By their numbers, a processor's slower one in front: dispatch.hpp.
LEVELS = ("v3", "v4", "neon")

# Raised where only the meaning of a call changes: library.cpp.
INTERFACE = 1

# What a kernel returns: calls.hpp.
DONE, NO_MEMORY = 0, 1

# What an array of a call must be; its twin is Expected in library.cpp.
_EXPECTED = np.dtype([("at", "i4"), ("kind", "S1"), ("size", "i1"), ("out", "?"), ("none", "?")])


class Watcher(Protocol):
    """An observer of a thread's calls.

    Attributes
    ----------
    done
        ms of all samples that were run, to which loops add while they run.
    """

    done: ctypes.c_double

    def look(self) -> None:
        """Notice how far they are: after every call, and within one some ten times a second."""


_watch: ContextVar[Watcher | None] = ContextVar("watch", default=None)


class CallForm(NamedTuple):
    """Layout of a call for the kernel of one type of the state, which lies at ``address``.

    ``arrays`` are the places of its arrays among all fields; ``expected`` says what these must be.
    """

    address: int
    pack: Struct
    buffer: Any
    arrays: tuple[int, ...]
    expected: bytes


@dataclass(eq=False)
class Crew:
    """Threads that run parts of calls: ``kernels/cpu/crew.cpp``."""

    address: int
    process: int
    size: int = 0

    def grow(self, n: int, serve: Callable[[int], None]) -> None:
        """Let it have ``n`` threads at least, which call ``serve`` and never return."""
        for _ in range(self.size, n):
            Thread(target=serve, args=(self.address,), name="eventsim", daemon=True).start()
            self.size += 1


class Library:
    """A library of kernels, at one level.

    ``asked``: the level; None for the best that the library has and the processor runs.

    Raises BackendError (the file is not there, cannot be loaded, was built from other sources than
    those of this installation, or does not have the level, or the processor does not run it),
    ParameterError (there is no such level).
    """

    def __init__(self, path: Path, asked: str | None = None):
        own, self._addresses, self._run = _loaded(path)
        built, runs = own.eventsim_levels_built(), own.eventsim_levels_of_machine()
        self.built, self.runs = _names(built), _names(runs)
        self.level = _chosen(asked, self.built, self.runs)
        self._number = LEVELS.index(self.level)
        self._form: Callable[[Any, Any], CallForm] = cache(partial(_form, own))
        self._crews = list[Crew]()  # those that nobody leads
        self._new_crew, self._serve, self._is_alone = _functions_of_crews(own)
        of_arrays = _of_python("PyTuple_GetItem", "PyCapsule_GetPointer")
        self._python = (ctypes.c_void_p * 3)(*of_arrays, id(None))
        self._interpreter = (ctypes.c_void_p * 5)(*_of_python(
            "PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals",
            "PyObject_CallFunctionObjArgs", "Py_DecRef",
        ))  # fmt: skip

    def run(
        self, call: Any, real: type[np.floating[Any]] = np.float64, threads: int | None = None
    ) -> None:
        """Run a call for states of that type, its tasks dealt to so many threads.

        A kernel has the name of its call: that of ``DenseForward`` is ``dense_forward``, in
        ``eventsim/kernels/cpu``. A call without states is the same in both types. ``threads`` is
        None for as many as kernels use now, see :mod:`~eventsim.processors`.

        Raises MemoryError; InternalError if an array is not what the kernel takes; what a handler
        of signals raises, or who watches, within a long call of a loop: it has no result then.
        """
        form = self._form(type(call), real)
        whole, arrays = self._written(call, form, real)
        n = call.tasks.n
        if n > 1:
            n = min(n_threads() if threads is None else threads, n)
        if n <= 1:
            self._start(form, whole, arrays)
            return
        with self.crew(n - 1) as crew:
            self._start(form, whole, arrays, crew, n)

    @contextmanager
    def crew(self, n: int) -> Iterator[int]:
        """Address of a crew of ``n`` threads at least, which nobody else leads meanwhile."""
        crew = self._crews.pop() if self._crews else None
        if crew is None or crew.process != os.getpid():  # a forked child has no threads of a parent
            crew = Crew(self._new_crew(), os.getpid())
        crew.grow(n, self._serve)
        try:
            yield crew.address
        finally:
            self._crews.append(crew)

    def is_alone(self) -> bool:
        """Whether the threads were of no use a moment ago: calls are not shared for a while."""
        return bool(self._crews) and bool(self._is_alone(self._crews[-1].address))

    def _written(
        self, call: Any, form: CallForm, real: type[np.floating[Any]]
    ) -> tuple[Any, list[Any]]:
        """The call as the kernel takes it, and its arrays; what lies otherwise is copied."""
        values = [value for role in call for value in role]
        given = [values[k] for k in form.arrays]
        for k in form.arrays:
            values[k] = 0
        buffer = form.buffer()
        form.pack.pack_into(buffer, 0, *values)
        while True:
            interfaces = tuple([a if a is None else a.__array_struct__ for a in given])
            good = self._addresses(self._python, interfaces, form.expected, len(given), buffer)
            if good == len(given):
                return buffer, given
            entry = entries_of(call.__class__)[form.arrays[good]]
            given[good] = _in_order(given[good], entry, real)

    def _start(
        self,
        form: CallForm,
        buffer: Any,
        arrays: list[Any],
        crew: int | None = None,
        parts: int = 1,
    ) -> None:
        """Run all tasks of ``buffer``, shared by a crew; the arrays live on until that is done."""
        watch, asked = _watch.get(), current_thread() is main_thread()
        look = done = None
        if watch is not None:
            asked, look, done = True, watch.look, ctypes.addressof(watch.done)
        status = self._run(
            self._interpreter, asked, None if look is None else id(look), done, form.address,
            self._number, buffer, form.pack.size, crew, parts,
        )  # fmt: skip
        if look is not None:
            look()
        self._check(status)

    def _check(self, status: int) -> None:
        if status == NO_MEMORY:
            raise MemoryError("Backend 'cpu': no memory is left to work in. Pass fewer samples.")
        if status != DONE:
            raise InternalError(f"A kernel of level {self.level!r} returned {status}.")


@contextmanager
def watched(by: Watcher) -> Iterator[None]:
    """Let someone watch the calls of this thread."""
    token = _watch.set(by)
    try:
        yield
    finally:
        _watch.reset(token)


def watch() -> Watcher | None:
    """The watcher of this thread's calls, if any."""
    return _watch.get()


@cache
def library() -> Library:
    """The library of this installation, at the level that ``EVENTSIM_LEVEL`` names; loaded once."""
    return Library(library_file(), os.environ.get("EVENTSIM_LEVEL") or None)


def library_file() -> Path:
    """Path of this installation's library."""
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    return FOLDER / f"libeventsim.{suffix}"


def _loaded(path: Path) -> tuple[Any, Any, Any]:
    """The library, and its functions that ask arrays for their addresses, and that run a call.

    Raises BackendError (it is missing, of another platform, or built from other sources).
    """
    if not path.is_file():
        raise BackendError(
            f"Backend 'cpu': its kernels are not built, {path} is missing. {_todo()}"
        )
    try:
        own = ctypes.CDLL(str(path))
        held = ctypes.PyDLL(str(path))  # keeps Python's lock
    except OSError as error:
        raise BackendError(
            f"Backend 'cpu': {path} cannot be loaded on {platform.system()} {platform.machine()} "
            f"({error}). It may be for another platform. {_todo()}"
        ) from error
    differs = _difference(own)
    if differs:
        raise BackendError(
            f"Backend 'cpu': {path} was built from other sources than these: {differs}. {_todo()}"
        )
    addresses = held.eventsim_addresses
    addresses.argtypes = [
        ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p
    ]  # fmt: skip
    addresses.restype = ctypes.c_int64
    run = held.eventsim_run
    run.argtypes = [
        ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64,
    ]  # fmt: skip
    return own, addresses, run


def _of_python(*names: str) -> list[int | None]:
    """Addresses of functions of the interpreter."""
    return [ctypes.cast(getattr(ctypes.pythonapi, n), ctypes.c_void_p).value for n in names]


def _difference(own: Any) -> str | None:
    """The first difference between the library and this installation, None without any."""
    try:
        own.eventsim_sources.restype = ctypes.c_char_p
        sources = own.eventsim_sources().decode()
        own.eventsim_declared.restype = ctypes.c_char_p
        theirs = own.eventsim_declared().decode().splitlines()
        for function in ("eventsim_levels_built", "eventsim_levels_of_machine"):
            getattr(own, function)
    except AttributeError as error:
        return f"it has no function that is expected ({error})"
    if _is_checkout():  # what is installed does not change
        # No room: what a build is made of, which an installation need not load.
        expected = import_module("eventsim.kernels.build").source_hash()
        if sources != expected:
            return f"they have changed (their hash is {expected}, that of the library {sources})"
    mine = f"interface {INTERFACE} levels {' '.join(LEVELS)}\n{layout()}".splitlines()
    for line in mine:
        if line not in theirs:
            kind = line.partition(" ")[0]
            found = [other for other in theirs if other.startswith(f"{kind} ")] or ["nothing"]
            return f"expected {line!r}, it has {found[0]!r}"
    return None


def _functions_of_crews(own: Any) -> tuple[Any, Any, Any]:
    """Functions that make a crew, add a thread to it, and say whether it runs alone: crew.cpp."""
    new, serve = own.eventsim_crew, own.eventsim_serve
    own.eventsim_is_alone.argtypes = [ctypes.c_void_p]
    new.restype = ctypes.c_void_p
    serve.argtypes, serve.restype = [ctypes.c_void_p], None
    return new, serve, own.eventsim_is_alone


def _is_checkout() -> bool:
    return (FOLDER.parents[1] / "pyproject.toml").is_file()


def _todo() -> str:
    if _is_checkout():
        return f"Build it: python {FOLDER / 'build.py'}"
    return f"Install eventsim again: python -m pip install --force-reinstall {DISTRIBUTION}"


def _names(levels: int) -> tuple[str, ...]:
    return tuple(name for k, name in enumerate(LEVELS) if levels >> k & 1)


def _chosen(asked: str | None, built: Sequence[str], runs: Sequence[str]) -> str:
    """The level that is asked for, or the best that the library has and the processor runs."""
    if asked is not None and asked not in LEVELS:
        raise ParameterError(f"EVENTSIM_LEVEL is {asked!r}, expected one of {', '.join(LEVELS)}.")
    usable = [level for level in built if level in runs]
    has = f"The library has {', '.join(built)}; this processor runs {', '.join(runs) or 'none'}."
    if asked is not None:
        if asked not in usable:
            raise BackendError(
                f"EVENTSIM_LEVEL is {asked!r}, which cannot be used here. {has} "
                f"Choose one of {', '.join(usable) or 'none'}, or leave it unset."
            )
        return asked
    if not usable:
        needed = "It needs AVX2 and FMA, as x86-64 has since 2013, or 64-bit ARM."
        raise BackendError(
            "Backend 'cpu': no level of its kernels runs on this processor. "
            f"{has} {_todo() if runs else needed}"
        )
    return usable[-1]


def _in_order(array: Any, entry: CallEntry, real: type[np.floating[Any]]) -> Any:
    """A copy in C order of an array that is only read.

    Raises InternalError if something other than its order is wrong with it.
    """
    kind, size = _numbers(entry.kind, real)
    if array is not None and not entry.written and array.dtype == np.dtype(f"{kind}{size}"):
        found = np.require(array, requirements=["C", "A"])
        if found is not array:
            return found
    found = "None" if array is None else f"{array.dtype} with flags\n{array.flags}"
    raise InternalError(f"{entry.name} is {found}; expected {kind}{size}, in C order.")


def _form(own: Any, call: type, real: type[np.floating[Any]]) -> CallForm:
    name = re.sub("(?<=.)(?=[A-Z])", "_", call.__name__).lower()
    entries = entries_of(call)
    if any(entry.kind == "R" for entry in entries):
        name += "_float" if real is np.float32 else "_double"
    pack = Struct("=" + "".join(entry.code for entry in entries))
    expected = np.array(
        [(a.at, *_numbers(a.kind, real), a.written, a.optional) for a in entries if a.code == "Q"],
        _EXPECTED,
    )
    arrays = tuple(k for k, entry in enumerate(entries) if entry.code == "Q")
    address = ctypes.cast(getattr(own, f"eventsim_{name}"), ctypes.c_void_p).value
    assert address is not None
    return CallForm(address, pack, ctypes.c_char * pack.size, arrays, expected.tobytes())


def _numbers(kind: str, real: type[np.floating[Any]]) -> tuple[str, int]:
    """Letter and bytes of an array's numbers."""
    return ("f", np.dtype(real).itemsize) if kind == "R" else (kind[0], int(kind[1]))
