"""Convolutions: local connections whose weights are the same everywhere on a grid.

Neurons are on a grid of one or more axes, with several maps at every position. The number of a
neuron is the number of its position (last axis fastest) times the number of maps, plus its map.
Channels of a cochlea are a grid (n,) of one map, pixels of an event camera a grid (height, width)
of as many maps as it has polarities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Ints, csr_array
from eventsim.checks import real_array, shaped
from eventsim.errors import ShapeError
from eventsim.network.layers import Seed
from eventsim.network.network import Network
from eventsim.network.projection import DelaysOf, Projection


@dataclass(frozen=True)
class Convolution:
    """A kernel on a grid.

    Parameters
    ----------
    shape
        Of the grid of sources; a number if it has one axis, as in what follows.
    kernel
        Sources of a target along every axis.
    stride
        Distance of the kernels of neighbouring targets; None for 1.
    padding
        How far the first kernel begins before the grid, and the last may end behind it;
        there are no synapses outside the grid. None for 0.
    in_maps, out_maps
        Neurons at every place of the sources and of the targets.

    Raises
    ------
    ShapeError
        Numbers of axes differ, or no kernel fits on the grid.
    """

    shape: int | Sequence[int]
    kernel: int | Sequence[int]
    stride: int | Sequence[int] | None = None
    padding: int | Sequence[int] | None = None
    in_maps: int = 1
    out_maps: int = 1

    def __post_init__(self) -> None:
        axes = np.size(self.shape)
        stride = (1,) * axes if self.stride is None else self.stride
        padding = (0,) * axes if self.padding is None else self.padding
        sizes = {"shape": self.shape, "kernel": self.kernel, "stride": stride, "padding": padding}
        for name, given in sizes.items():
            numbers, least = np.atleast_1d(given), 0 if name == "padding" else 1
            whole = np.issubdtype(numbers.dtype, np.integer) and (numbers >= least).all()
            if numbers.shape != (axes,) or not axes or not whole:
                raise ShapeError(
                    "Convolution",
                    f"{name} is {given}",
                    f"one whole number >= {least} per axis of shape {self.shape}",
                )
            object.__setattr__(self, name, tuple(numbers.tolist()))
        if self.in_maps < 1 or self.out_maps < 1 or min(self.out_shape) < 1:
            raise ShapeError(
                "Convolution",
                f"a kernel of {self.kernel} does not fit on {self.shape} with padding "
                f"{self.padding}, or there are no maps ({self.in_maps}, {self.out_maps})",
                "a kernel that fits at least once, and at least one map on both sides",
            )

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of the grid of targets."""
        axes = zip(*map(self._axes, ("shape", "padding", "kernel", "stride")), strict=True)
        return tuple((n + 2 * margin - k) // step + 1 for n, margin, k, step in axes)

    @property
    def n_sources(self) -> int:
        """Size of the source population."""
        return math.prod(self._axes("shape")) * self.in_maps

    @property
    def n_targets(self) -> int:
        """Size of the target population."""
        return math.prod(self.out_shape) * self.out_maps

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the kernel's weights: its axes, source map, target map."""
        return (*self._axes("kernel"), self.in_maps, self.out_maps)

    def draw(self, seed: Seed, *, mean: float = 1.0, spread: float = 1.0) -> NDArray[np.float64]:
        """Initial weights: normal, mean over the number of sources, spread over its root."""
        rng, n = np.random.default_rng(seed), math.prod(self.weight_shape[:-1])
        return rng.normal(mean / n, spread / math.sqrt(n), self.weight_shape)

    def connect(
        self, net: Network, source: str, target: str, weights: ArrayLike, *, delays: ArrayLike = 0.0
    ) -> Projection:
        """Join two populations by sparse weights that are shared between all positions.

        Parameters
        ----------
        net
            Gets the projection, and its weights' groups.
        source, target
            Names of populations of ``n_sources`` and ``n_targets`` neurons.
        weights
            Shape ``weight_shape``.
        delays
            ms: one, one per source, or of shape ``weight_shape``, which are shared as weights are.

        Raises
        ------
        NetworkError, ShapeError, ParameterError
        """
        kernel = real_array(weights, f"Convolution {source!r} to {target!r}: weights")
        words = f"{self.weight_shape}: kernel, source maps, target maps"
        shaped(
            f"Convolution {source!r} to {target!r}",
            "weights",
            kernel,
            self.weight_shape,
            expected=words,
        )
        row, column, entry = self._synapses()
        first = np.searchsorted(row, np.arange(self.n_sources + 1))
        matrix = csr_array(
            (kernel.ravel()[entry], column, first), shape=(self.n_sources, self.n_targets)
        )
        of_kernel = real_array(delays, f"Convolution {source!r} to {target!r}: delays")
        shares_delays = of_kernel.shape == self.weight_shape
        given = of_kernel.ravel()[entry] if shares_delays else of_kernel
        of: DelaysOf = "synapse" if shares_delays else "source"
        projection = net.connect(source, target, matrix, delays=given, delays_of=of)
        net.share(f"{projection.name}.weights", entry)
        if shares_delays:
            net.share(f"{projection.name}.delays", entry)
        return projection

    def share_neurons(self, net: Network, target: str) -> None:
        """Share all parameters of the neurons of a map of the target, self-weights too."""
        maps = np.arange(self.n_targets) % self.out_maps
        for name in net.population(target).parameters:
            net.share(f"{target}.{name}", maps)
        if target in net.recurrences:
            net.share(f"{net.recurrences[target].name}.weights", maps)

    def _synapses(self) -> tuple[Ints, Ints, Ints]:
        """Source, target and kernel entry of every synapse, ordered by source, then target."""
        shape, to, within = self._axes("shape"), _grid(self.out_shape), _grid(self._axes("kernel"))
        place = to[:, None] * self._axes("stride") + within - np.array(self._axes("padding"))
        inside = ((place >= 0) & (place < shape)).all(axis=2)
        target, entry = np.nonzero(inside)
        source = np.ravel_multi_index(tuple(place[inside].T), shape)
        i, k = np.meshgrid(np.arange(self.in_maps), np.arange(self.out_maps), indexing="ij")
        row = (source[:, None] * self.in_maps + i.ravel()).ravel()
        column = (target[:, None] * self.out_maps + k.ravel()).ravel()
        number = (entry[:, None] * i.size + np.arange(i.size)).ravel()
        order = np.lexsort((column, row))
        return row[order], column[order], number[order]

    def _axes(self, name: str) -> tuple[int, ...]:
        """A size as one number per axis, which it is from the start."""
        numbers: tuple[int, ...] = getattr(self, name)
        return numbers


def _grid(shape: Sequence[int]) -> Ints:
    """Coordinates of all places of a grid, [places, axes]."""
    return np.stack([axis.ravel() for axis in np.indices(shape)], axis=1)
