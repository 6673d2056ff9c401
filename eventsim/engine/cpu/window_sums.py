r"""What arrives in a window, summed by neuron, and where its neurons end.

An arrival of weight w that comes s ms before the window's end adds :math:`w \varphi_q(s)` to sum q
of its target, see :mod:`eventsim.engine.windowing`, and :math:`\max(w, 0) s` to its last sum: one
fused multiply-add of a vector as wide as its sums. The neuron is then brought to the end at once,

.. math::
    V(T) = x V + g J + \sum_q c_q M_q, \qquad J(T) = y J + \sum_q d_q M_q,

and does not fire where its voltage stays below the alert level for certain,

.. math::
    V + (1 - x) \max(\max(J, 0) - V, 0) + a \sum \max(w, 0) s < \mathrm{alert}.

The middle term bounds what the neuron does by itself, since :math:`\dot V = a (J - V)`, and a
positive jump raises V by at most a w s.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from eventsim.engine.cpu.compile import lean, lean_inlined
from eventsim.engine.cpu.scalar import (
    far_forward,
    flush,
    fma,
    near_forward,
)
from eventsim.engine.cpu.weights import fetch_at, load_double, load_single
from eventsim.engine.table import GAP, RATE_MEM, SLOW
from eventsim.engine.windowing import WIDTHS

# Neurons that are brought along together; their arrays are padded to a multiple of it.
BLOCK = 128

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
                vector_add(moments, np.uint32(target[k]), w, w if w > zero else zero, phi)
        else:
            for k in range(low, high):
                w = real(load_single(base, k))
                vector_add(moments, np.uint32(target[k]), w, w if w > zero else zero, phi)

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


def _gathering(width: int) -> Any:
    @lean
    def gather(moments, b, sums):
        for i in range(BLOCK):
            for q in range(width):
                sums[q, i] = moments[b + i, q]
        moments[b : b + BLOCK] = type(sums[0, 0])(0.0)

    return gather


def _ending(propagate: Any) -> Any:
    @lean
    def end(sums, v, j, alert, par, by_v, by_j, b, h, v_end, j_end, mask):
        zero, one = type(h)(0.0), type(h)(1.0)
        slow, gap = par[SLOW, b : b + BLOCK], par[GAP, b : b + BLOCK]
        rate_mem, up = par[RATE_MEM, b : b + BLOCK], sums[sums.shape[0] - 1]
        for i in range(BLOCK):
            x, y, gain = propagate(h, slow[i], gap[i], rate_mem[i])
            v_end[i], j_end[i] = fma(gain, j[i], x * v[i]), y * j[i]
            pull = (j[i] if j[i] > zero else zero) - v[i]
            top = fma(one - x, pull if pull > zero else zero, v[i])
            mask[i] = fma(rate_mem[i], up[i], top) >= alert[i]
        for q in range(by_v.shape[0]):
            to_v, to_j, moment = by_v[q, b : b + BLOCK], by_j[q, b : b + BLOCK], sums[q]
            for i in range(BLOCK):
                v_end[i] = fma(to_v[i], moment[i], v_end[i])
                j_end[i] = fma(to_j[i], moment[i], j_end[i])
        for i in range(BLOCK):
            v_end[i], j_end[i] = flush(v_end[i]), flush(j_end[i])

    return end


_gather_few = _gathering(WIDTHS[0])
_gather_many = _by_precision(_gathering(WIDTHS[1]), _gathering(WIDTHS[2]))
_near_end, _far_end = _ending(near_forward), _ending(far_forward)


@lean_inlined
def gather_block(moments, b, sums):
    """The sums of the block from neuron b on, [neurons, width], side by side; they begin anew."""
    if moments.shape[1] == _FEW:
        _gather_few(moments, b, sums)
    else:
        _gather_many(moments, b, sums)


@lean_inlined
def end_block(sums, v_now, j_now, alert, par, by_v, by_j, b, h, near, v_end, j_end, mask):
    """The block from neuron b on h ms later; ``mask`` marks those that may fire before.

    ``sums`` are its own, [of a neuron, BLOCK], the last one bounds V. ``near`` says that
    near_forward holds.
    """
    v, j, alert = v_now[b : b + BLOCK], j_now[b : b + BLOCK], alert[b : b + BLOCK]
    if near:
        _near_end(sums, v, j, alert, par, by_v, by_j, b, h, v_end, j_end, mask)
    else:
        _far_end(sums, v, j, alert, par, by_v, by_j, b, h, v_end, j_end, mask)
