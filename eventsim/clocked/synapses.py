"""Projections on the grid: spikes times weights, over whole runs or step by step, and back.

Arrays are [steps, samples, neurons]. Products are matrix products over all samples of a step, or of
many steps where the target does not act back on the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.network.parts import Projection

Array = NDArray[Any]
ROWS = 8192  # of one matrix product: (steps x samples); what is converted to floats at a time


@dataclass(frozen=True, eq=False)
class _Group:
    """Sources that share a delay: their columns, and their rows of the weights."""

    shift: int
    columns: Any
    weights: Any


class Synapses:
    """One projection on the grid.

    Parameters
    ----------
    projection
        With weights in the units of the grid.
    dt
        Time step, ms.
    earliest
        Least delay in steps: 1 inside a loop and onto the neuron itself, else 0.
    dtype
        Of the products.
    """

    def __init__(self, projection: Projection, dt: float, earliest: int, dtype: DTypeLike):
        self.projection, self.dtype = projection, np.dtype(dtype)
        steps = np.maximum(np.rint(projection.delays / dt).astype(np.int64), earliest)
        shifts = np.unique(steps)
        weights = projection.weights.astype(self.dtype)
        self._groups = [
            _Group(int(shift), columns, weights[columns])
            for shift in shifts
            for columns in [slice(None) if shifts.size == 1 else np.flatnonzero(steps == shift)]
        ]

    def add(self, spikes: Array, out: Array) -> None:
        """Add what the spikes of a whole run bring to every step of ``out``."""
        for group in self._groups:
            for from_, to in _chunks(out, group.shift):
                sent = spikes[from_][..., group.columns].astype(self.dtype)
                out[to] += self._forward(sent, group)

    def at(self, spikes: Array, step: int, out: Array) -> None:
        """Add what arrives in one step."""
        for group in self._groups:
            if step >= group.shift:
                sent = spikes[step - group.shift][..., group.columns].astype(self.dtype)
                out += self._forward(sent, group)

    def add_back(self, errors: Array, out: Array) -> None:
        """Add to every spike (``out``) what its arrivals are worth, over a whole run."""
        for group in self._groups:
            for from_, to in _chunks(out, group.shift):
                out[from_][..., group.columns] += self._backward(errors[to], group)

    def back_at(self, errors: Array, step: int, out: Array) -> None:
        """As :meth:`add_back`, for the spikes of one step."""
        for group in self._groups:
            if step + group.shift < errors.shape[0]:
                out[..., group.columns] += self._backward(errors[step + group.shift], group)

    def gradient(self, spikes: Array, errors: Array) -> NDArray[np.float64]:
        """Derivative by every weight, in the shape of ``projection.values``."""
        kind, weights = self.projection.kind, self.projection.weights
        total = np.zeros(weights.shape)
        for group in self._groups:
            for from_, to in _chunks(errors, group.shift):
                sent = spikes[from_][..., group.columns].astype(self.dtype)
                if kind == "self":
                    total[group.columns] += np.einsum(
                        "tbn,tbn->n", sent, errors[to][..., group.columns]
                    )
                else:
                    total[group.columns] += _rows(sent).T @ _rows(errors[to])
        if kind != "sparse":
            return total
        sources = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
        stored: NDArray[np.float64] = total[sources, weights.indices]
        return stored

    def arrivals(self, spikes: Array, alive: NDArray[np.bool_] | None) -> int:
        """Number of spikes that arrive at synapses before their sample ends."""
        kind, weights, total = self.projection.kind, self.projection.weights, 0
        if kind == "sparse":
            fan_out = np.diff(weights.indptr)
        else:
            fan_out = np.full(weights.shape[0], 1 if kind == "self" else weights.shape[1])
        for group in self._groups:
            sent = spikes[: spikes.shape[0] - group.shift][..., group.columns]
            if alive is not None:
                sent = sent * alive[group.shift :]
            total += int(sent.sum(axis=(0, 1), dtype=np.int64) @ fan_out[group.columns])
        return total

    def _forward(self, sent: Array, group: _Group) -> Array:
        if self.projection.kind != "self":
            return _product(sent, group.weights)
        if isinstance(group.columns, slice):
            scaled: Array = sent * group.weights
            return scaled
        whole = np.zeros((*sent.shape[:-1], self.projection.weights.size), self.dtype)
        whole[..., group.columns] = sent * group.weights
        return whole

    def _backward(self, errors: Array, group: _Group) -> Array:
        if self.projection.kind == "self":
            back: Array = errors[..., group.columns] * group.weights
            return back
        return _product(errors, group.weights.T)


def _product(values: Array, weights: Any) -> Array:
    product: Array = _rows(values) @ weights
    return product.reshape(*values.shape[:-1], product.shape[-1])


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


def _chunks(like: Array, shift: int) -> Iterator[tuple[slice, slice]]:
    """Steps of spikes, and those ``shift`` later in which they arrive, piece by piece."""
    n_steps, n_samples = like.shape[:2]
    length = max(ROWS // max(n_samples, 1), 1)
    for begin in range(0, n_steps - shift, length):
        end = min(begin + length, n_steps - shift)
        yield slice(begin, end), slice(begin + shift, end + shift)
