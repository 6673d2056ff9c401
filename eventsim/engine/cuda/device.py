"""Device: arrays and kernel launches, by CuPy or by whatever else runs the same CUDA text.

Sizes, launch geometry, sorting and compaction are written once, against this interface. The tests
implement it a second time, on the host, so that all of it runs where there is no GPU.

The types of a kernel's parameters are read from its text, the only place where they are stated:
CuPy would pass a Python float as double and an int as int64, whatever the kernel expects.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.arrays import Array, Floats, Precision
from eventsim.engine import adjoint_series, series
from eventsim.engine.cuda.compile import load
from eventsim.engine.gain_windows import (
    FIRST_WINDOW,
    TERMS_DOUBLE,
    TERMS_SINGLE,
    WINDOW_BITS,
)
from eventsim.engine.job import RUNAWAY_PER_MS
from eventsim.engine.table import ALERT_MARGIN
from eventsim.engine.windowing import FEW, MANY, MOST_HALVINGS

Size = Sequence[int]

# Later files use what earlier ones define. Those of spiking neurons are compiled a second time, for
# adaptive thresholds.
NEURON_SOURCES = (
    "prelude.cuh",
    "scalar.cuh",
    "adaptive.cuh",
    "walk.cuh",
    "stretch.cuh",
    "shared.cu",
    "shared_adjoint.cu",
    "fanin.cu",
    "queue.cu",
    "queue_adjoint.cu",
)
SOURCES = (
    *NEURON_SOURCES,
    "windows.cu",
    "readout.cu",
    "order.cu",
    "counts.cu",
    "parameters.cu",
    "optimiser.cu",
)

# Neurons of one block where all meet the same events: small blocks leave the multiprocessors many
# to choose from. Events staged at a time on the way forward.
TILE = 64
FORWARD_EVENTS = 128

# Threads that share a spike of a readout, at most half a warp, and the outputs that a block adds up
# in one pass.
LANES, OUTPUTS = 16, 64

_TYPES = {
    "float": np.float32,
    "double": np.float64,
    "int": np.int32,
    "unsigned": np.uint32,
    "long long": np.int64,
    "unsigned char": np.uint8,
}
_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(([^)]*)\)'
)
_PARAMETER = re.compile(r"(?:const )?\s*(.*?)\s*(\*?)\s*(?:__restrict__)?\s*(\w+)$")


class Device(Protocol):
    """Where kernels run and their arrays live.

    ``out_of_memory`` is what it raises where an array does not fit.
    """

    name: str
    xp: Any
    out_of_memory: type[Exception]

    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        """A C-contiguous device array; the same one if it is already."""

    def empty(self, shape: int | Size, dtype: DTypeLike) -> Array:
        """Uninitialised."""

    def zeros(self, shape: int | Size, dtype: DTypeLike) -> Array:
        """Filled with zeros."""

    def get(self, array: Array) -> NDArray[Any]:
        """A copy on the host."""

    def launch(
        self,
        precision: Precision,
        kernel: str,
        grid: int,
        block: int,
        args: Sequence[Any],
        shared: int = 0,
        *,
        adaptive: bool = False,
    ) -> None:
        """Start ``grid`` blocks of ``block`` threads with ``shared`` bytes of shared memory.

        At most 48 KiB: what every device gives without being asked. Of the kernel's texts, that
        for ``adaptive`` thresholds or the plain one.
        """


@cache
def kernel_source(precision: Precision, adaptive: bool = False) -> str:
    """The CUDA text of all kernels for one type of the state, or of those for adaptive thresholds.

    Kernels have the same name in both, and the same parameters; see walk.cuh.
    """
    folder = Path(__file__).parent / "kernels"
    single = precision == "single"
    head = (
        f"#define SINGLE {int(single)}\n"
        f"#define REAL {'float' if single else 'double'}\n"
        f"#define ADAPTIVE {int(adaptive)}\n"
        f"#define RUNAWAY_PER_MS {float(RUNAWAY_PER_MS)}\n"
        f"#define ALERT_MARGIN {ALERT_MARGIN!r}\n"
        f"#define TILE {TILE}\n"
        f"#define MANY {MANY}\n"
        f"#define FEW {FEW}\n"
        f"#define MOST_HALVINGS {MOST_HALVINGS}\n"
        f"#define FORWARD_EVENTS {FORWARD_EVENTS}\n"
        f"#define MOST {adjoint_series.MOST}\n"
        f"#define TERMS {adjoint_series.TERMS[precision]}\n"
        f"#define EXTRA {adjoint_series.EXTRA}\n"
        f"#define ECONOMY {_initialiser(adjoint_series.economy(adjoint_series.TERMS[precision]))}\n"
        f"#define ITEMS {series.ITEMS}\n"
        f"#define SPAN REAL_({series.SPAN})\n"
        f"#define DEGREE {series.DEGREE_SINGLE if single else series.DEGREE_DOUBLE}\n"
        f"#define SERIES {series.SERIES_SINGLE if single else series.SERIES_DOUBLE}\n"
        f"#define SHORTER {_shorter(single)}\n"
        f"#define LANES {LANES}\n"
        f"#define OUTPUTS {OUTPUTS}\n"
        f"#define GAIN_TERMS {TERMS_SINGLE if single else TERMS_DOUBLE}\n"
        f"#define WINDOW_BITS {WINDOW_BITS}\n"
        f"#define FIRST_WINDOW {FIRST_WINDOW}\n"
    )
    names = NEURON_SOURCES if adaptive else SOURCES
    parts = [f'#line 1 "{name}"\n{(folder / name).read_text("utf-8")}' for name in names]
    return head + "\n".join(parts)


def _shorter(single: bool) -> str:
    """The rows of :func:`eventsim.engine.series.shorter` that are used, as an initialiser."""
    size = 1 + (series.SERIES_SINGLE if single else series.SERIES_DOUBLE)
    return _initialiser(series.shorter()[:size, :size])


def _initialiser(matrix: Floats) -> str:
    """A matrix in the words of the CUDA text."""
    rows = (", ".join(map(repr, row)) for row in matrix.tolist())
    return "{" + ", ".join(f"{{{row}}}" for row in rows) + "}"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: a pointer to, or a value of, ``dtype``."""

    name: str
    dtype: np.dtype[Any]
    pointer: bool


@cache
def signatures(source: str) -> dict[str, tuple[Parameter, ...]]:
    """Parameters of every kernel in a CUDA text."""
    real = re.search(r"#define REAL (\w+)", source)
    text = re.sub(r"//[^\n]*", "", source)
    types = _TYPES | ({"REAL": _TYPES[real[1]]} if real else {})
    found = {}
    for kernel, given in _KERNEL.findall(text):
        parameters = []
        for declared in given.split(","):
            match = _PARAMETER.match(" ".join(declared.split()))
            if match is None or match[1] not in types:
                raise ValueError(
                    f"kernel {kernel}: parameter {declared.strip()!r} has no known type"
                )
            parameters.append(Parameter(match[3], np.dtype(types[match[1]]), match[2] == "*"))
        found[kernel] = tuple(parameters)
    return found


def bind(
    kernel: str,
    parameters: Sequence[Parameter],
    args: Sequence[Any],
    is_array: Callable[[Any], bool],
) -> list[Any]:
    """Arguments in the types that the kernel expects; raises TypeError for an array of another."""
    if len(parameters) != len(args):
        raise TypeError(f"{kernel}: {len(args)} arguments given, {len(parameters)} expected")
    bound = []
    for parameter, value in zip(parameters, args, strict=True):
        if not parameter.pointer:
            bound.append(parameter.dtype.type(value))
            continue
        if not is_array(value):
            raise TypeError(f"{kernel}: {parameter.name} is {type(value)}, expected a device array")
        if value.dtype != parameter.dtype or not value.flags.c_contiguous:
            raise TypeError(
                f"{kernel}: {parameter.name} has dtype {value.dtype}, expected {parameter.dtype} "
                "in C order"
            )
        bound.append(value)
    return bound


class CupyDevice(Device):
    """The current CUDA device, through CuPy; kernels are compiled once per device and cached."""

    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        self.out_of_memory: type[Exception] = cupy.cuda.memory.OutOfMemoryError
        self._modules: dict[tuple[int, str, bool], Any] = {}
        properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        self.name: str = properties["name"].decode()

    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        return self.xp.asarray(values, dtype=dtype, order="C")

    def empty(self, shape: int | Size, dtype: DTypeLike) -> Array:
        return self.xp.empty(shape, dtype)

    def zeros(self, shape: int | Size, dtype: DTypeLike) -> Array:
        return self.xp.zeros(shape, dtype)

    def get(self, array: Array) -> NDArray[Any]:
        result: NDArray[Any] = self.xp.asnumpy(array)
        return result

    def launch(
        self,
        precision: Precision,
        kernel: str,
        grid: int,
        block: int,
        args: Sequence[Any],
        shared: int = 0,
        *,
        adaptive: bool = False,
    ) -> None:
        # An empty grid is no launch.
        if grid == 0:
            return
        expected = signatures(kernel_source(precision, adaptive))[kernel]
        bound = bind(kernel, expected, args, lambda a: isinstance(a, self.xp.ndarray))
        function = self._module(precision, adaptive).get_function(kernel)
        function((grid,), (block,), tuple(bound), shared_mem=shared)

    def _module(self, precision: Precision, adaptive: bool) -> Any:
        key = (self.xp.cuda.Device().id, precision, adaptive)
        if key not in self._modules:
            self._modules[key] = load(self.xp, kernel_source(precision, adaptive))
        return self._modules[key]
