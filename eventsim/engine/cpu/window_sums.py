r"""What arrives in a piece of a window, summed by neuron.

An arrival of weight w that comes s ms before the end adds :math:`w \varphi_q(s)` to sum q of its
target, see :mod:`eventsim.engine.windowing`, and :math:`\max(w, 0) s` to its last sum: one fused
multiply-add of a vector as wide as its sums.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from eventsim.engine.cpu.compile import lean, lean_inlined
from eventsim.engine.cpu.scalar import fma
from eventsim.engine.cpu.weights import fetch_at, load_double, load_single
from eventsim.engine.windowing import WIDTHS

# Neurons that are brought along together; their arrays are padded to a multiple of it.
BLOCK = 128

# Neurons whose sums are turned at once.
TURNED = 8

# Arrivals that all neurons meet, and that are added to their sums at once.
TOGETHER = 4


@lean
def fetch_bundle(target, base, width, low, high):
    """Ask for the synapses low : high, so that they are in the cache when they meet an arrival."""
    start = target.ctypes.data
    for k in range(low, high, 16):
        fetch_at(np.int64(start + 4 * k))
    for k in range(low, high, 64 // width):
        fetch_at(np.int64(base + width * k))


def _vector_add(width: int) -> Any:
    @intrinsic
    def vector_add(
        typingctx: Any, moments: Any, n: Any, weight: Any, positive: Any, phi: Any
    ) -> Any:
        """``moments[n] += weight * phi``, the last with ``positive`` for the weight."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of_moments, _, real, _, of_phi = signature.args
            element = ir.FloatType() if real == types.float32 else ir.DoubleType()
            size = 4 if real == types.float32 else 8
            vector, whole = ir.VectorType(element, width), ir.IntType(64)
            numbers = ir.VectorType(ir.IntType(32), width)

            def pointer(array_type: Any, array: Any, offset: Any) -> Any:
                data = context.make_array(array_type)(context, builder, array).data
                return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())

            def spread(value: Any) -> Any:
                nothing = ir.Constant(vector, ir.Undefined)
                one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
                return builder.shuffle_vector(one, nothing, ir.Constant(numbers, [0] * width))

            row = builder.mul(builder.zext(args[1], whole), ir.Constant(whole, width))
            place = pointer(of_moments, args[0], row)
            before = builder.load(place, align=size)
            factor = builder.load(pointer(of_phi, args[4], ir.Constant(whole, 0)), align=size)
            picked = [*range(width - 1), 2 * width - 1]
            weights = builder.shuffle_vector(
                spread(args[2]), spread(args[3]), ir.Constant(numbers, picked)
            )
            fused = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(vector, [vector] * 3),
                f"llvm.fma.v{width}f{8 * size}",
            )
            builder.store(builder.call(fused, [weights, factor, before]), place, align=size)
            return context.get_dummy_value()

        return types.void(moments, types.uint32, weight, weight, phi), codegen

    return vector_add


def _adding(width: int) -> Any:
    vector_add = _vector_add(width)

    @lean
    def add(moments, target, base, width, low, high, phi):
        real = type(phi[0])
        zero = real(0.0)
        if width == 8:
            for k in range(low, high):
                w = real(load_double(base, k))
                n = np.uint32(target[np.uint64(k)])
                vector_add(moments, n, w, w if w > zero else zero, phi)
        else:
            for k in range(low, high):
                w = real(load_single(base, k))
                n = np.uint32(target[np.uint64(k)])
                vector_add(moments, n, w, w if w > zero else zero, phi)

    return add


def _by_precision(single: Any, double: Any) -> Any:
    """A function of the sums that compiles one of two; both would take twice as long."""

    def chosen(moments: Any, *arguments: Any) -> Any:
        raise NotImplementedError

    @overload(chosen, strict=False)
    def _chosen(moments: Any, *arguments: Any) -> Any:
        function = single if moments.dtype == types.float32 else double
        return lambda moments, *arguments: function(moments, *arguments)

    return chosen


_FEW = WIDTHS[0]
_add_few = _adding(WIDTHS[0])
_add_many = _by_precision(_adding(WIDTHS[1]), _adding(WIDTHS[2]))


@lean_inlined
def add_bundle(moments, target, base, width, low, high, phi):
    """The synapses low : high meet an arrival."""
    if phi.size == _FEW:
        _add_few(moments, target, base, width, low, high, phi)
    else:
        _add_many(moments, target, base, width, low, high, phi)


@lean_inlined
def add_one(moments, n, weight, phi):
    """Neuron n alone meets an arrival."""
    zero, last = type(phi[0])(0.0), phi.size - 1
    for q in range(last):
        moments[n, q] = fma(weight, phi[q], moments[n, q])
    moments[n, last] = fma(weight if weight > zero else zero, phi[last], moments[n, last])


def _turning(width: int) -> Any:
    """Of TURNED neurons, all sums of each to one kind behind the other."""

    @intrinsic
    def turn(typingctx: Any, moments: Any, n: Any, sums: Any, i: Any) -> Any:
        """``sums[:, i : i + TURNED] = moments[n : n + TURNED].T``; the moments begin anew."""

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of_moments, whole, of_sums, _ = signature.args
            element = ir.FloatType() if moments.dtype == types.float32 else ir.DoubleType()
            size, index = moments.dtype.bitwidth // 8, ir.IntType(32)
            row, column = ir.VectorType(element, width), ir.VectorType(element, TURNED)

            def mask(numbers: Any) -> Any:
                return ir.Constant(ir.VectorType(index, len(numbers)), numbers)

            source = context.make_array(of_moments)(context, builder, args[0]).data
            first = builder.mul(args[1], context.get_constant(whole, width))
            place = builder.bitcast(builder.gep(source, [first]), row.as_pointer())
            places = [builder.gep(place, [ir.Constant(index, k)]) for k in range(TURNED)]
            parts = [builder.load(pointer, align=size) for pointer in places]
            for pointer in places:
                builder.store(ir.Constant(row, [0.0] * width), pointer, align=size)
            while len(parts) > 1:
                both = mask(list(range(2 * parts[0].type.count)))
                pairs = zip(parts[::2], parts[1::2], strict=True)
                parts = [builder.shuffle_vector(low, high, both) for low, high in pairs]
            target = context.make_array(of_sums)(context, builder, args[2])
            length = cgutils.unpack_tuple(builder, target.shape, 2)[1]
            for q in range(width):
                found = builder.shuffle_vector(
                    parts[0], parts[0], mask([q + width * k for k in range(TURNED)])
                )
                to = builder.add(builder.mul(length, context.get_constant(whole, q)), args[3])
                where = builder.bitcast(builder.gep(target.data, [to]), column.as_pointer())
                builder.store(found, where, align=size)
            return context.get_dummy_value()

        return types.void(moments, types.intp, sums, types.intp), codegen

    @lean
    def gather(moments, b, sums):
        for i in range(0, BLOCK, TURNED):
            turn(moments, b + i, sums, i)

    return gather


_gather_few = _turning(WIDTHS[0])
_gather_many = _by_precision(_turning(WIDTHS[1]), _turning(WIDTHS[2]))


@lean_inlined
def gather_block(moments, b, sums):
    """The sums of the block from neuron b on, [neurons, width], side by side; they begin anew."""
    if moments.shape[1] == _FEW:
        _gather_few(moments, b, sums)
    else:
        _gather_many(moments, b, sums)
