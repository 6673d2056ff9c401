"""HostDevice: a Device that runs the CUDA text on the host."""

import ctypes
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from eventsim.engine.cuda import counts, spikes
from eventsim.engine.cuda.device import bind, kernel_source, signatures
from tests.support.simt import build
from tests.support.simt.arrays import address, ndarray, simt_arrays
from tests.support.simt.counting import LAUNCH, note
from tests.support.simt.source import kernels_that_meet, launch_bounds

# Of every device from compute capability 7.5 on; SHARED_BYTES without asking for more.
BLOCK_THREADS = 1024
BLOCK_SIZES = (1024, 1024, 64)
GRID_SIZES = (2**31 - 1, 65535, 65535)
SHARED_BYTES = 48 * 1024
ARGUMENTS = 64

# Every argument has eight bytes.
_PACKED = {
    "float32": "f4x",
    "float64": "d",
    "int32": "i4x",
    "uint32": "I4x",
    "int64": "q",
    "uint8": "B7x",
}


@dataclass(frozen=True)
class Kernel:
    """A kernel of a loaded library, and how its arguments are packed."""

    call: Any
    parameters: tuple
    packing: struct.Struct
    fibers: bool
    largest_block: int


class HostDevice:
    """The CUDA text behind the SIMT stand-in, with arrays that refuse what CuPy's refuse.

    Parameters
    ----------
    seed
        Permutes the order of blocks, and of threads after every barrier; 0 leaves it as it is.
    flavour
        A key of :data:`tests.support.simt.build.FLAVOURS`. All but "plain" must be run in a
        process of their own, started with :func:`tests.support.simt.build.sanitized_environment`.
    source
        A function from a precision, whether thresholds are adaptive, and the number of states of
        linear neurons, 0 of others, to the CUDA text; None for the kernels' own.
    folder
        Where libraries are built and kept; None for the user's cache.
    flush
        Kernels of single precision take denormal numbers for zero, as with ``--ftz=true``.
    """

    name = "host build of the CUDA text"
    out_of_memory = MemoryError
    xp = simt_arrays

    def __init__(self, seed=0, flavour="plain", *, source=None, folder=None, flush=False):
        self.seed, self.flavour, self.flush = seed, flavour, flush
        self._source = kernel_source if source is None else source
        self._folder = folder
        self._kernels = {}

    def asarray(self, values, dtype=None):
        """A C-contiguous device array; the same one if it is already."""
        return simt_arrays.asarray(values, dtype, order="C")

    def empty(self, shape, dtype):
        """Filled with 0xFF."""
        return simt_arrays.empty(shape, dtype)

    def zeros(self, shape, dtype):
        """Filled with zeros."""
        return simt_arrays.zeros(shape, dtype)

    def get(self, array):
        """A copy on the host."""
        if not isinstance(array, ndarray):
            raise TypeError(f"get: {type(array)} is no device array")
        return array.get()

    def launch(self, precision, kernel, grid, block, args, shared=0, *, adaptive=False, states=0):
        """Run a kernel; RuntimeError says what its threads did wrong."""
        grid, block = _three(grid), _three(block)
        if min(grid) == 0:
            return
        chosen = self._kernel((precision, adaptive, states), kernel)
        _check_limits(kernel, grid, block, shared, len(args), chosen.largest_block)
        bound = bind(kernel, chosen.parameters, args, lambda value: isinstance(value, ndarray))
        packed = chosen.packing.pack(*map(_slot, bound))
        flush = self.flush and precision == "single"
        how = build.LaunchStruct(grid, block, shared, self.seed, chosen.fibers, flush)
        note(LAUNCH)
        message = chosen.call(ctypes.byref(how), packed)
        if message is not None:
            raise RuntimeError(f"{kernel}: {message.decode()}")

    def _kernel(self, key, name):
        if key not in self._kernels:
            self._kernels[key] = self._load(*key)
        return self._kernels[key][name]

    def _load(self, precision, adaptive, states):
        source = self._source(precision, adaptive, states)
        path = build.library(source, self.flavour, folder=self._folder)
        loaded = ctypes.CDLL(str(path))
        meeting, bounds = kernels_that_meet(source), launch_bounds(source)
        fibers = build.FLAVOURS[self.flavour].always_fibers
        kernels = {}
        for name, parameters in signatures(source).items():
            call = loaded[f"launch_{name}"]
            call.restype = ctypes.c_char_p
            packing = "".join(
                "Q" if p.pointer or p.fields else _PACKED[p.dtype.name] for p in parameters
            )
            kernels[name] = Kernel(
                call,
                parameters,
                struct.Struct(f"={packing}"),
                fibers or name in meeting,
                bounds.get(name, BLOCK_THREADS),
            )
        return kernels


def _slot(value):
    """A number, or the address of an array or a struct."""
    if isinstance(value, ndarray):
        return address(value)
    return value.ctypes.data if isinstance(value, np.ndarray) else value


def devices(precision):
    """With threads in two orders; in single precision the second without denormal numbers.

    A device may be told to compute so, and flushes numbers of single precision only.
    """
    return [HostDevice(1), HostDevice(0, flush=precision == "single")]


def _three(sizes):
    sizes = tuple(int(size) for size in np.atleast_1d(sizes))
    return sizes + (1,) * (3 - len(sizes))


def _check_limits(kernel, grid, block, shared, n_arguments, largest_block):
    """Raise ValueError for a launch that no device would take."""
    limits = [
        *zip(("grid x", "grid y", "grid z"), grid, GRID_SIZES, strict=True),
        *zip(("block x", "block y", "block z"), block, BLOCK_SIZES, strict=True),
        ("threads of a block", int(np.prod(block)), largest_block),
        ("bytes of shared memory", shared, SHARED_BYTES),
        ("arguments", n_arguments, ARGUMENTS),
    ]
    for what, value, limit in limits:
        least = 0 if what in ("bytes of shared memory", "arguments") else 1
        if not least <= value <= limit:
            raise ValueError(f"{kernel}: {what}: {value}, a device takes {least} to {limit}")


@contextmanager
def small_grids():
    """Two blocks for what is searched and counted, of which most would find nothing here.

    Blocks run one by one on the host. Whole grids run in tests/gpu/test_bits.py.
    """
    with mock.patch.object(counts, "BLOCKS", 2), mock.patch.object(spikes, "BLOCKS", 2):
        yield
