"""Device: arrays and kernel launches, by CuPy or by whatever else runs the same CUDA text.

Sizes, launch geometry, sorting and compaction are written once, against this interface. The tests
implement it a second time, on the host, so that all of it runs where there is no GPU.

The types of a kernel's parameters are read from its text, the only place where they are stated:
CuPy would pass a Python float as double and an int as int64, whatever the kernel expects. A
parameter that is a struct, one of :mod:`.roles`, takes an object with an attribute for each of its
fields; the text is compiled only if the structs are as large there as here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.arrays import Array, Precision
from eventsim.engine.contract.job import RUNAWAY_PER_MS
from eventsim.engine.contract.windowing import FEW, MANY, MOST_HALVINGS
from eventsim.engine.cuda.compile import load
from eventsim.engine.cuda.roles import declarations

Size = Sequence[int]

# The formulas of a neuron, for every processor, in eventsim/kernels, and what runs them on a
# device, in kernels beside this file. Later files use what earlier ones define. Those of spiking
# neurons are compiled a second time, for adaptive thresholds.
FORMULAS = (
    "numbers.hpp", "neuron/exponential.hpp", "neuron/propagators.hpp", "neuron/own_spikes.hpp",
    "neuron/crossing.hpp", "neuron/stretch.hpp", "neuron/adaptive.hpp", "neuron/adjoint_series.hpp",
    "neuron/readout.hpp",
)  # fmt: skip
NEURON_SOURCES = (
    "prelude.cuh",
    "walk.cuh",
    "stretch.cuh",
    "shared.cu",
    "shared_adjoint.cu",
    "fanin.cu",
    "queue.cuh",
    "queue.cu",
    "queue_adjoint.cu",
    "windows.cu",
)
SOURCES = (
    *NEURON_SOURCES,
    "readout.cu",
    "order.cu",
    "counts.cu",
    "parameters.cu",
    "optimiser.cu",
)

# Linear neurons have a text of their own for every number of states that a neuron may have.
LINEAR_FORMULAS = (
    "numbers.hpp",
    "neuron/exponential.hpp",
    "neuron/linear.hpp",
    "neuron/linear_cell.hpp",
    "neuron/linear_adjoint.hpp",
)
LINEAR_SOURCES = (
    "prelude.cuh",
    "queue.cuh",
    "linear.cu",
    "linear_adjoint.cu",
    "linear_loop.cu",
)

# Neurons of one block where all meet the same events: small blocks leave the multiprocessors many
# to choose from. Events staged at a time on the way forward.
TILE = 64
FORWARD_EVENTS = 128

# Threads that share a spike of a readout, at most half a warp, and the outputs that a block adds up
# in one pass.
LANES, OUTPUTS = 16, 64

_TYPES: dict[str, Any] = {
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
_COMMENT = re.compile(r"//[^\n]*")
_INCLUDED = re.compile(r'^#(?:pragma once|include "[^"]*")$', re.MULTILINE)
_DECLARED = re.compile(
    r"(?:const )?(?:__grid_constant__ )?(Given<)?"
    r"(float|double|int|unsigned char|unsigned|long long|[A-Z]\w*)>? ?(.*)"
)
_NAMED = re.compile(r"(\*?) ?(?:__restrict__ )?(\w+)((?:\[\w+\])*)")
_STRUCT = re.compile(r"^struct (\w+) \{([^{}#]*)\};", re.MULTILINE)
_CONSTANT = re.compile(r"^(?:#define (\w+) (\d+)|constexpr int (\w+) = (\d+);)$", re.MULTILINE)


class Device(Protocol):
    """A device that runs kernels and holds their arrays.

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
        states: int = 0,
    ) -> None:
        """Start ``grid`` blocks of ``block`` threads with ``shared`` bytes of shared memory.

        At most 48 KiB: what every device gives without being asked. Of the kernel's texts, that
        for ``adaptive`` thresholds, for linear neurons of that many ``states``, or the plain one.
        """


@cache
def kernel_source(precision: Precision, adaptive: bool = False, states: int = 0) -> str:
    """The CUDA text of all kernels for one type of the state, or of those for adaptive thresholds.

    With ``states``: of those for linear neurons of that many.

    Kernels have the same name in both, and the same parameters; see walk.cuh.
    """
    single = precision == "single"
    head = (
        f"#define SINGLE {int(single)}\n"
        f"#define REAL {'float' if single else 'double'}\n"
        f"#define ADAPTIVE {int(adaptive)}\n"
        f"#define RUNAWAY_PER_MS {float(RUNAWAY_PER_MS)}\n"
        f"#define TILE {TILE}\n"
        f"#define MANY {MANY}\n"
        f"#define FEW {FEW}\n"
        f"#define MOST_HALVINGS {MOST_HALVINGS}\n"
        f"#define FORWARD_EVENTS {FORWARD_EVENTS}\n"
        f"#define LANES {LANES}\n"
        f"#define OUTPUTS {OUTPUTS}\n"
        f"#define STATES {states}\n"
    )
    spiking = (*FORMULAS, *(NEURON_SOURCES if adaptive else SOURCES))
    files = (*LINEAR_FORMULAS, *LINEAR_SOURCES) if states else spiking
    first = files.index("prelude.cuh") + 1  # the roles' arrays are of its types
    roles = f'#line 1 "roles"\n{declarations()}'
    text = "\n".join((head + joined(files[:first]), roles, joined(files[first:])))
    sizes = (
        f'static_assert(sizeof({name}) == {struct.dtype.itemsize}, "size of {name}");'
        for name, struct in structs(text).items()
    )
    return "\n".join((text, '#line 1 "sizes"', *sizes, ""))


def joined(names: Sequence[str]) -> str:
    """Files as one text; what a file includes is to stand in front of it."""
    parts = (
        f'#line 1 "{name}"\n{_INCLUDED.sub("", path_of(name).read_text("utf-8"))}' for name in names
    )
    return "\n".join(parts)


def path_of(name: str) -> Path:
    """Path of a file of FORMULAS or SOURCES, or of those of linear neurons."""
    here = Path(__file__)
    formulas = name in (*FORMULAS, *LINEAR_FORMULAS)
    return (here.parents[2] if formulas else here.parent) / "kernels" / name


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kernel, or field of a struct: a pointer to, or values of, ``dtype``.

    A struct has its name, and ``fields``; ``shape`` is that of a field that is an array.
    """

    name: str
    dtype: np.dtype[Any]
    pointer: bool = False
    struct: str | None = None
    fields: tuple["Parameter", ...] = ()
    shape: tuple[int, ...] = ()


@cache
def signatures(source: str) -> dict[str, tuple[Parameter, ...]]:
    """Parameters of every kernel in a CUDA text."""
    found = {}
    for kernel, given in _KERNEL.findall(_COMMENT.sub("", source)):
        parameters: list[Parameter] = []
        for declared in given.split(","):
            read = _declared(declared, source, structs(source))
            if read is None:
                raise ValueError(
                    f"kernel {kernel}: parameter {declared.strip()!r} has no known type"
                )
            parameters += read
        found[kernel] = tuple(parameters)
    return found


@cache
def structs(source: str) -> dict[str, Parameter]:
    """Structs of a CUDA text: of numbers, arrays of them, pointers to them, and such structs."""
    found: dict[str, Parameter] = {}
    for name, body in _STRUCT.findall(_COMMENT.sub("", source)):
        lines = [line for line in body.split(";") if line.strip()]
        read = [_declared(line, source, found) for line in lines]
        if all(read):
            fields = tuple(field for some in read if some is not None for field in some)
            layout = [(f.name, np.uintp if f.pointer else f.dtype, f.shape) for f in fields]
            dtype = np.dtype(layout, align=True)
            found[name] = Parameter("", dtype, struct=name, fields=fields)
    return found


def size_of(struct: str, precision: Precision) -> int:
    """Bytes of a struct of the kernels: of what the threads of a block share."""
    return structs(kernel_source(precision))[struct].dtype.itemsize


@cache
def _types(source: str) -> dict[str, Any]:
    real = re.search(r"#define REAL (\w+)", source)
    return _TYPES | ({"REAL": _TYPES[real[1]]} if real else {})


@cache
def _constants(source: str) -> dict[str, int]:
    found = (match.groups() for match in _CONSTANT.finditer(source))
    return {macro or name: int(value or number) for macro, value, name, number in found}


def _numbers(declared: str, source: str) -> list[Parameter] | None:
    """Parameters of a declaration of numbers, None if it is none."""
    match = _DECLARED.fullmatch(" ".join(declared.split()))
    types, sizes = _types(source), _constants(source)
    if match is None or match[2] not in types:
        return None
    dtype, found = np.dtype(types[match[2]]), []
    for one in match[3].split(","):
        named = _NAMED.fullmatch(one.strip())
        if named is None:
            return None
        bounds = re.findall(r"\w+", named[3])
        if not all(bound.isdigit() or bound in sizes for bound in bounds):
            return None
        shape = tuple(int(sizes.get(bound, bound)) for bound in bounds)
        found.append(Parameter(named[2], dtype, bool(match[1] or named[1]), shape=shape))
    return found


def _declared(declared: str, source: str, known: dict[str, Parameter]) -> list[Parameter] | None:
    """The parameter that is declared: of numbers, or a struct that is known."""
    match = _DECLARED.fullmatch(" ".join(declared.split()))
    if match is None or match[2] not in known or not match[3].isidentifier():
        return _numbers(declared, source)
    return [replace(known[match[2]], name=match[3])]


def bind(
    kernel: str,
    parameters: Sequence[Parameter],
    args: Sequence[Any],
    is_array: Callable[[Any], bool],
) -> list[Any]:
    """Arguments in the types that the kernel expects; raises TypeError for an array of another.

    A struct becomes a NumPy array of one entry, which CuPy passes by value.
    """
    if len(parameters) != len(args):
        raise TypeError(f"{kernel}: {len(args)} arguments given, {len(parameters)} expected")
    return [
        np.array(_packed(kernel, parameter, value, is_array), parameter.dtype)
        if parameter.fields
        else _bound(kernel, parameter, value, is_array)
        for parameter, value in zip(parameters, args, strict=True)
    ]


def _bound(where: str, parameter: Parameter, value: Any, is_array: Callable[[Any], bool]) -> Any:
    """A number, or an array, of the type that is expected."""
    if not parameter.pointer:
        return parameter.dtype.type(value)
    if not is_array(value):
        raise TypeError(f"{where}: {parameter.name} is {type(value)}, expected a device array")
    if value.dtype != parameter.dtype or not value.flags.c_contiguous:
        raise TypeError(
            f"{where}: {parameter.name} has dtype {value.dtype}, expected {parameter.dtype} "
            "in C order"
        )
    return value


def _packed(
    where: str, struct: Parameter, values: Any, is_array: Callable[[Any], bool]
) -> tuple[Any, ...]:
    """Values of a struct's fields, from the attributes of ``values``; None is no address."""
    where = f"{where}: {struct.name}"
    packed: list[Any] = []
    for field in struct.fields:
        value: Any = getattr(values, field.name, bind)
        if value is bind:
            raise TypeError(f"{where}: {type(values)} has no {field.name}")
        if field.fields:
            packed.append(_packed(where, field, value, is_array))
        elif field.pointer:
            packed.append(0 if value is None else _bound(where, field, value, is_array).data.ptr)
        else:
            packed.append(value)
    return tuple(packed)


class CupyDevice(Device):
    """The current CUDA device, through CuPy; kernels are compiled once per device and cached."""

    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        self.out_of_memory: type[Exception] = cupy.cuda.memory.OutOfMemoryError
        self._modules: dict[tuple[Any, ...], Any] = {}
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
        states: int = 0,
    ) -> None:
        # An empty grid is no launch.
        if grid == 0:
            return
        text: tuple[Precision, bool, int] = (precision, adaptive, states)
        expected = signatures(kernel_source(*text))[kernel]
        bound = bind(kernel, expected, args, lambda a: isinstance(a, self.xp.ndarray))
        function = self._module(*text).get_function(kernel)
        function((grid,), (block,), tuple(bound), shared_mem=shared)

    def _module(self, precision: Precision, adaptive: bool, states: int) -> Any:
        key = (self.xp.cuda.Device().id, precision, adaptive, states)
        if key not in self._modules:
            self._modules[key] = load(self.xp, kernel_source(precision, adaptive, states))
        return self._modules[key]
