"""Vectors of LANES numbers as values of kernels, where the compiler would not find them.

A loop over few neurons, inside one over events, becomes no vector code of its own: the compiler
cannot tell that the arrays do not overlap, and keeps no sum in a register. With these functions
such a loop is written out. One vector is a register of 512 bits in single precision; machines with
narrower ones take several, with the same bits.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model
from numpy.typing import DTypeLike, NDArray

LANES = 16
LINE = 64  # bytes; a vector across two lines of the cache takes twice as long


class Lanes(types.Type):
    """Numba type of LANES numbers of type ``real``."""

    def __init__(self, real: Any) -> None:
        self.real = real
        super().__init__(name=f"lanes({real})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    """A vector of LLVM."""

    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        element = ir.FloatType() if fe_type.real == types.float32 else ir.DoubleType()
        super().__init__(dmm, fe_type, ir.VectorType(element, LANES))


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that begin at a line of the cache."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    return room[begin : begin + size].view(dtype).reshape(shape)


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


@intrinsic
def all_lanes(typingctx: Any, x: Any) -> Any:
    """The same number in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        index = ir.IntType(32)
        none = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        first = builder.insert_element(none, args[0], ir.Constant(index, 0))
        return builder.shuffle_vector(
            first, none, ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
        )

    return Lanes(x)(x), codegen


@intrinsic
def lanes_fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` with one rounding."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = args[0].type
        name = f"llvm.fma.v{LANES}f{a.real.bitwidth}"
        function = ir.FunctionType(vector, [vector] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, function, name), args)

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


@intrinsic
def widened(typingctx: Any, a: Any) -> Any:
    """The same numbers as float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if a.real == types.float64:
            return args[0]
        return builder.fpext(args[0], context.get_value_type(signature.return_type))

    return Lanes(types.float64)(a), codegen


@intrinsic
def lanes_sum(typingctx: Any, a: Any) -> Any:
    """Sum of all lanes, by halves."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (values,), size, index = args, LANES, ir.IntType(32)
        while size > 1:
            size //= 2
            low, high = (
                ir.Constant(ir.VectorType(index, size), list(range(begin, begin + size)))
                for begin in (0, size)
            )
            values = builder.fadd(
                builder.shuffle_vector(values, values, low),
                builder.shuffle_vector(values, values, high),
            )
        return builder.extract_element(values, ir.Constant(index, 0))

    return a.real(a), codegen
