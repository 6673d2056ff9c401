r"""A dense recurrent network of the same shape on frames, to compare a spiking run with.

Every spiking population of size h becomes a recurrent layer of h units, fully connected to all
sources of the population, in every frame. With n inputs (all its sources but itself) it
takes

.. math:: h (n + h) \;\text{MACs (RNN)}, \qquad 3 h (n + h) + 3 h \;\text{MACs (GRU)}

per frame; the 3 h are the products of gates; biases are not counted, as in NeuroBench. A readout is
a linear layer, h n MACs. All of this is computed in every frame, also without any event.

The energy is that of the MACs, and of reading the weights where memory has a price. It is a lower
bound: the additions of biases, the activation functions, the static power, and the memory if it has
no figure are named as missing.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.checks import one_of
from eventsim.chips import Chip, ChipError
from eventsim.energy.counts import BITS_PER_BYTE
from eventsim.energy.missing import NO_FIGURE, NOT_COUNTED, Missing
from eventsim.errors import ParameterError
from eventsim.events.steps import step_count
from eventsim.network import Network
from eventsim.summary import short_repr

Cell = Literal["rnn", "gru"]
_GATES: dict[Cell, int] = {"rnn": 1, "gru": 3}


@dataclass(frozen=True, eq=False)
class DenseEquivalent:
    """Operations and energy of a dense recurrent network; means are over the samples.

    Attributes
    ----------
    cell
        ``rnn`` or ``gru``.
    frame_ms
        Length of a frame.
    frames
        [samples]
    macs_per_frame, weights
        Multiplications and accumulations of a frame, and weights, biases not counted.
    footprint_bytes
        Of weights and biases.
    energy_pj
        [samples]; multiplications, and weights read once per frame if the chip prices memory.
    chip
        Whose prices.
    weight_bits
        Of a weight in memory.
    missing
        What the energy lacks.
    """

    cell: Cell
    frame_ms: float
    frames: Floats
    macs_per_frame: int
    weights: int
    footprint_bytes: float
    energy_pj: Floats
    chip: str
    weight_bits: int
    missing: tuple[Missing, ...]

    __repr__ = short_repr

    def to_dict(self) -> dict[str, Any]:
        """Means over the samples, for JSON."""
        return {
            "cell": self.cell,
            "frame_ms": self.frame_ms,
            "frames_per_sample": float(self.frames.mean()),
            "macs_per_sample": float(self.frames.mean()) * self.macs_per_frame,
            "weights": self.weights,
            "weight_bits": self.weight_bits,
            "footprint_bytes": self.footprint_bytes,
            "energy_pj_per_sample": float(self.energy_pj.mean()),
            "missing": [missing.to_dict() for missing in self.missing],
            "lower_bound": {"energy_pj_per_sample": bool(self.missing)},
            "chip": self.chip,
        }


def dense_equivalent(
    net: Network,
    duration: ArrayLike,
    chip: Chip,
    *,
    frame_ms: float,
    cell: Cell = "gru",
    weight_bits: int = 32,
) -> DenseEquivalent:
    """Operations and energy of a dense recurrent network of the same layer sizes on frames.

    Parameters
    ----------
    net
        The spiking network.
    duration
        ms of every sample.
    chip
        Has a figure ``mac``; with ``memory_byte`` the weights are read once per frame.
    frame_ms
        Length of a frame, > 0.
    cell
        ``rnn`` or ``gru``.
    weight_bits
        Of a weight in memory.

    Raises
    ------
    ParameterError, ChipError
    """
    if not 0.0 < frame_ms < np.inf:
        raise ParameterError("dense_equivalent", f"frame_ms is {frame_ms}", "a number > 0")
    one_of("dense_equivalent", "cell", cell, get_args(Cell))
    if "mac" not in chip.energy:
        raise ChipError(f"Chip {chip.name!r}", "has no figure mac", "a technology such as 45nm")
    weights = biases = products = functions = 0
    for name, population in net.neurons.items():
        into = {p.source for p in net.projections.values() if p.target == name} - {name}
        inputs = sum(net.population(source).size for source in into)
        if name in net.spiking:
            gates = _GATES[cell]
            weights += gates * population.size * (inputs + population.size)
            biases += gates * population.size
            products += 3 * population.size if cell == "gru" else 0
            functions += gates * population.size
        else:
            weights += population.size * inputs
            biases += population.size
    lengths = np.atleast_1d(np.asarray(duration, dtype=np.float64))
    frames = step_count(lengths, frame_ms).astype(np.float64)
    per_frame = (weights + products) * chip.energy["mac"].value
    if "memory_byte" in chip.energy:
        per_frame += weights * weight_bits / BITS_PER_BYTE * chip.energy["memory_byte"].value
    return DenseEquivalent(
        cell=cell,
        frame_ms=frame_ms,
        frames=frames,
        macs_per_frame=weights + products,
        weights=weights,
        footprint_bytes=(weights + biases) * weight_bits / BITS_PER_BYTE,
        energy_pj=frames * per_frame,
        chip=chip.name,
        weight_bits=weight_bits,
        missing=_missing(chip, frames, weights, biases, functions),
    )


def _missing(
    chip: Chip, frames: Floats, weights: int, biases: int, functions: int
) -> tuple[Missing, ...]:
    """Terms that the energy of a dense network lacks."""
    lacking = [
        ("bias_additions", "addition of a bias", NOT_COUNTED, biases),
        ("activation_functions", "function of activation", NO_FIGURE, functions),
        ("static_chip", "chip, for the time of the sample", NOT_COUNTED, None),
    ]
    if "memory_byte" not in chip.energy:
        lacking.append(("memory_byte", "reading of a weight, in every frame", NO_FIGURE, weights))
    mean = float(frames.mean())
    return tuple(
        Missing(name=name, what=what, reason=why, count=None if n is None else mean * n)
        for name, what, why, n in lacking
    )
