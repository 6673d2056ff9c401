"""Vectors of LANES numbers as values of kernels, where the compiler would not find them.

A loop over few neurons, inside one over events, becomes no vector code of its own: the compiler
cannot tell that the arrays do not overlap, and keeps no sum in a register. With these functions
such a loop is written out. One vector is a register of 512 bits in single precision; machines with
narrower ones take several, with the same bits.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import NDArray

from eventsim.arrays import aligned
from eventsim.engine.cpu.compile import lean_inlined
from eventsim.engine.cpu.scalar import (
    PSI_DOUBLE,
    PSI_SINGLE,
    TINY_DOUBLE,
    TINY_SINGLE,
    fma,
)

LANES = 16
LINE = 64  # bytes; a vector across two lines of the cache takes twice as long


class Lanes(types.Type):
    """Numba type of ``count`` numbers of type ``real``."""

    def __init__(self, real: Any, count: int = LANES) -> None:
        self.real, self.count = real, count
        super().__init__(name=f"lanes({real}, {count})")


def line_of(real: Any) -> Lanes:
    """Type of the numbers of a line of the cache, a register of 512 bits."""
    return Lanes(real, 8 * LINE // real.bitwidth)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    """A vector of LLVM."""

    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        element = ir.FloatType() if fe_type.real == types.float32 else ir.DoubleType()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.count))


def to_lanes(matrix: NDArray[Any]) -> NDArray[Any]:
    """Values [rows, size] as [blocks, rows, LANES], zero behind the last; aligned, new."""
    rows, size = matrix.shape
    blocks = aligned((-(-size // LANES), rows, LANES), matrix.dtype)
    for k, block in enumerate(blocks):
        mine = matrix[:, k * LANES : (k + 1) * LANES]
        block[:, : mine.shape[1]] = mine
    return blocks


def of_lanes(blocks: NDArray[Any], size: int) -> NDArray[Any]:
    """Undo :func:`to_lanes`."""
    rows = blocks.shape[1]
    return blocks.transpose(1, 0, 2).reshape(rows, -1)[:, :size]


def _at(context: Any, builder: Any, array_type: Any, array: Any, i: Any) -> Any:
    """Pointer to LANES entries of a C-contiguous array from its i-th on."""
    data = context.make_array(array_type)(context, builder, array).data
    vector = context.get_value_type(Lanes(array_type.dtype))
    return builder.bitcast(builder.gep(data, [i]), vector.as_pointer())


@intrinsic
def load(typingctx: Any, array: Any, i: Any) -> Any:
    """LANES entries of a C-contiguous array from its i-th on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _at(context, builder, signature.args[0], *args)
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return Lanes(array.dtype)(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, i: Any, values: Any) -> Any:
    """Write LANES entries of a C-contiguous array from its i-th on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _at(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, Lanes(array.dtype)), codegen


def _by_lane(builder: Any, name: str, kind: Lanes, args: Any) -> Any:
    """Call of an intrinsic of LLVM that takes and gives vectors of one kind."""
    vector = args[0].type
    function = ir.FunctionType(vector, [vector] * len(args))
    name = f"llvm.{name}.v{kind.count}f{kind.real.bitwidth}"
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), args)


@intrinsic
def lanes_fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` with one rounding."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _by_lane(builder, "fma", a, args)

    return a(a, a, a), codegen


@intrinsic
def lanes_add(typingctx: Any, a: Any, b: Any) -> Any:
    """``a + b``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return a(a, a), codegen


@intrinsic
def lanes_times(typingctx: Any, a: Any, b: Any) -> Any:
    """``a * b``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return a(a, a), codegen


def _in_row(context: Any, builder: Any, array_type: Any, args: Any, vector: Any) -> Any:
    """Pointer to a line from column args[2] of row args[1] of a C-contiguous matrix on."""
    array = context.make_array(array_type)(context, builder, args[0])
    row_length = cgutils.unpack_tuple(builder, array.shape, 2)[1]
    place = builder.add(builder.mul(args[1], row_length), args[2])
    return builder.bitcast(builder.gep(array.data, [place]), vector.as_pointer())


@intrinsic
def line_at(typingctx: Any, matrix: Any, row: Any, n: Any) -> Any:
    """A line of ``matrix[row]`` from column n on."""
    line = line_of(matrix.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = context.get_value_type(line)
        where = _in_row(context, builder, signature.args[0], args, vector)
        return builder.load(where, align=matrix.dtype.bitwidth // 8)

    return line(matrix, types.intp, types.intp), codegen


@intrinsic
def put_line(typingctx: Any, matrix: Any, row: Any, n: Any, values: Any) -> Any:
    """Write a line to ``matrix[row]`` from column n on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = _in_row(context, builder, signature.args[0], args, args[3].type)
        builder.store(args[3], where, align=matrix.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, values), codegen


@intrinsic
def line(typingctx: Any, x: Any) -> Any:
    """The same number everywhere in a line."""
    kind = line_of(x)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index = ir.IntType(32)
        none = ir.Constant(context.get_value_type(kind), ir.Undefined)
        first = builder.insert_element(none, args[0], ir.Constant(index, 0))
        places = ir.Constant(ir.VectorType(index, kind.count), [0] * kind.count)
        return builder.shuffle_vector(first, none, places)

    return kind(x), codegen


@intrinsic
def line_from(typingctx: Any, array: Any, n: Any) -> Any:
    """A line of a contiguous array from its n-th entry on."""
    line = line_of(array.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        vector = context.get_value_type(line)
        where = builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())
        return builder.load(where, align=array.dtype.bitwidth // 8)

    return line(array, types.intp), codegen


@intrinsic
def lanes_abs(typingctx: Any, a: Any) -> Any:
    """Absolute values."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _by_lane(builder, "fabs", a, args)

    return a(a), codegen


@intrinsic
def marks(typingctx: Any, a: Any, b: Any) -> Any:
    """Bit k of a whole number says whether a >= b in lane k."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.fcmp_ordered(">=", args[0], args[1])
        return builder.zext(builder.bitcast(bits, ir.IntType(a.count)), ir.IntType(64))

    return types.uint64(a, b), codegen


@intrinsic
def first_mark(typingctx: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set; one is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@intrinsic
def where_most(typingctx: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """X where a <= b, y elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<=", args[0], args[1]), args[2], args[3])

    return x(a, b, x, y), codegen


@intrinsic
def where_less(typingctx: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """X where a < b, y elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return x(a, b, x, y), codegen


@intrinsic
def lanes_minus(typingctx: Any, a: Any, b: Any) -> Any:
    """``a - b``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fsub(*args)

    return a(a, b), codegen


def fused(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` with one rounding, of numbers or of lanes."""
    raise NotImplementedError


@overload(fused, jit_options={"forceinline": True})
def _fused(a, b, c):
    of_lanes = isinstance(a, Lanes)

    def lanes(a, b, c):
        return lanes_fma(a, b, c)

    def numbers(a, b, c):
        return fma(a, b, c)

    return lanes if of_lanes else numbers


def product(a: Any, b: Any) -> Any:
    """``a * b``, of numbers or of lanes."""
    raise NotImplementedError


@overload(product, jit_options={"forceinline": True})
def _product(a, b):
    of_lanes = isinstance(a, Lanes)

    def lanes(a, b):
        return lanes_times(a, b)

    def numbers(a, b):
        return a * b

    return lanes if of_lanes else numbers


def flush_line(x: Any) -> Any:
    """:func:`eventsim.engine.cpu.scalar.flush` of lanes."""
    raise NotImplementedError


@overload(flush_line, jit_options={"forceinline": True})
def _flush_line(x):
    single = x.real == types.float32
    tiny = np.float32(TINY_SINGLE) if single else TINY_DOUBLE
    zero = np.float32(0.0) if single else 0.0
    return lambda x: where_most(lanes_abs(x), line(tiny), line(zero), x)


def polynomial(coefficients: Sequence[Any]) -> Any:
    """Function of lanes, for kernels: sum of coefficients[q] z^q."""
    *first, last = coefficients

    def found(z):
        return line(last)

    for c in reversed(first):
        found = _one_more(lean_inlined(found), c)
    return lean_inlined(found)


def _one_more(inner: Any, c: Any) -> Any:
    def outer(z):
        return fused(inner(z), z, line(c))

    return outer


_PSI = {types.float32: polynomial(PSI_SINGLE), types.float64: polynomial(PSI_DOUBLE)}


def psi_line(z: Any) -> Any:
    """:func:`eventsim.engine.cpu.scalar.psi_small` of lanes."""
    raise NotImplementedError


@overload(psi_line, jit_options={"forceinline": True})
def _psi_line(z):
    psi = _PSI[z.real]
    return lambda z: psi(z)
