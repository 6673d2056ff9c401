"""Projections on the grid: spikes times weights, over whole runs or step by step, and back.

Arrays are [steps, samples, neurons]. A matrix product is over all samples of a step. Where the
target does not act back on the source, it is over many steps.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.network.projection import Projection

Array = NDArray[Any]
ROWS = 8192  # of one matrix product: (steps x samples); what is converted to floats at a time


class Synapses:
    """Synapses of a projection on the grid, with weights in its units, in steps of ``dt`` ms.

    ``earliest`` is the least delay in steps: 1 inside a loop and onto the neuron itself, else 0;
    ``dtype`` that of the products.
    """

    def __init__(self, projection: Projection, dt: float, earliest: int, dtype: DTypeLike):
        self.projection, self.dtype = projection, np.dtype(dtype)
        steps = np.maximum(
            np.rint(projection.delays.astype(np.float64) / dt).astype(np.int64), earliest
        )
        shifts = np.unique(steps)
        self._weights = projection.weights.astype(self.dtype)
        # Sources that share a delay: the delay in steps, and their columns.
        self._groups: list[tuple[int, Any]] = [
            (int(shift), slice(None) if shifts.size == 1 else np.flatnonzero(steps == shift))
            for shift in shifts
        ]

    def add(self, spikes: Array, out: Array) -> None:
        """Add what the spikes of a whole run bring to every step of ``out``."""
        for begin, end in _chunks(out):
            out[begin:end] += self._forward(self._sent(spikes, begin, end))

    def at(self, spikes: Array, step: int, out: Array) -> None:
        """Add what arrives in one step."""
        out += self._forward(self._sent(spikes, step, step + 1)[0])

    def add_back(self, errors: Array, out: Array) -> None:
        """Add to each spike (``out``) the derivative through its arrivals, over a whole run."""
        for begin, end in _chunks(errors):
            back = self._backward(errors[begin:end], slice(None))
            for shift, columns in self._groups:
                first = max(begin, shift)
                if first < end:
                    out[first - shift : end - shift][..., columns] += back[first - begin :][
                        ..., columns
                    ]

    def back_at(self, errors: Array, step: int, out: Array) -> None:
        """As :meth:`add_back`, for the spikes of one step."""
        for shift, columns in self._groups:
            if step + shift < errors.shape[0]:
                out[..., columns] += self._backward(errors[step + shift], columns)

    def gradient(self, spikes: Array, errors: Array) -> NDArray[np.float64]:
        """Derivative by every weight, in the shape of ``projection.values``."""
        projection = self.projection
        total = np.zeros(projection.weights.shape)
        for begin, end in _chunks(errors):
            sent, error = self._sent(spikes, begin, end), errors[begin:end]
            if projection.one_to_one:
                total += np.einsum("tbn,tbn->n", sent, error)
            else:
                total += _rows(sent).T @ _rows(error)
        if projection.pattern is None:
            return total
        stored: NDArray[np.float64] = total[projection.sources(), projection.targets()]
        return stored

    def arrivals(self, spikes: Array, alive: NDArray[np.bool_] | None) -> int:
        """Number of spikes that arrive at synapses before their sample ends."""
        fan_out, total = np.diff(self.projection.first_synapses()), 0
        for shift, columns in self._groups:
            sent = spikes[: spikes.shape[0] - shift][..., columns]
            if alive is not None:
                sent = sent * alive[shift:]
            total += int(sent.sum(axis=(0, 1), dtype=np.int64) @ fan_out[columns])
        return total

    def _sent(self, spikes: Array, begin: int, end: int) -> Array:
        """Spikes that arrive in the steps begin .. end - 1, as numbers of ``dtype``. New array.

        Spikes of a source were sent its delay earlier. So one product is enough for all delays.
        """
        sent = np.zeros((end - begin, *spikes.shape[1:]), self.dtype)
        for shift, columns in self._groups:
            first = max(begin, shift)
            if first < end:
                sent[first - begin :, :, columns] = spikes[first - shift : end - shift][
                    ..., columns
                ]
        return sent

    def _forward(self, sent: Array) -> Array:
        if self.projection.one_to_one:
            scaled: Array = sent * self._weights
            return scaled
        return _product(sent, self._weights)

    def _backward(self, errors: Array, columns: Any) -> Array:
        """Derivatives through arrivals, of the sources in these columns."""
        if self.projection.one_to_one:
            back: Array = errors[..., columns] * self._weights[columns]
            return back
        return _product(errors, self._weights[columns].T)


def _product(values: Array, weights: Any) -> Array:
    product: Array = _rows(values) @ weights
    return product.reshape(*values.shape[:-1], product.shape[-1])


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


def _chunks(like: Array) -> Iterator[tuple[int, int]]:
    """First step of each piece of the run, and the step behind its last."""
    n_steps, n_samples = like.shape[:2]
    length = max(ROWS // max(n_samples, 1), 1)
    for begin in range(0, n_steps, length):
        yield begin, min(begin + length, n_steps)
