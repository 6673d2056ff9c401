"""The package nir, imported when it is needed; units; names of nodes."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from eventsim.arrays import Floats
from eventsim.checks import one_of, shaped
from eventsim.errors import NetworkError
from eventsim.extras import install_hint, load
from eventsim.network.network import Network

TimeUnit = Literal["s", "ms"]
PER_UNIT = {"s": 1e3, "ms": 1.0}  # ms in one unit of the file
FORMAT = 1  # of the metadata that eventsim writes


class NirWarning(UserWarning):
    """Something of a network stands in metadata that other programs do not read."""


def load_nir(who: str) -> Any:
    """The module ``nir``; NetworkError for ``who`` if it is missing or too old."""
    nir = load("nir", "nir", who, NetworkError)
    if not hasattr(nir, "EventData"):
        raise NetworkError(
            who,
            f"nir is of version {getattr(nir, 'version', 'older')}",
            "nir 1.0.8 or later",
            f"Install it: {install_hint('nir', upgrade=True)}.",
        )
    return nir


def check_unit(who: str, unit: str) -> float:
    """Milliseconds per unit; ParameterError if it is none."""
    one_of(who, "time_unit", unit, PER_UNIT)
    return PER_UNIT[unit]


def times(key: str, values: Floats, ms: float, metadata: dict[str, Any]) -> Floats:
    """Times in the file's unit; where the way back is inexact, the exact ones as metadata."""
    written = values / ms
    if (written * ms != values).any():
        metadata[f"eventsim_{key}_ms"] = values.copy()
    return written


def exact_times(written: Floats, exact: Any, ms: float) -> Floats:
    """Times in ms: those of the metadata, unless the node was changed since."""
    if exact is not None and np.array_equal(np.asarray(exact) / ms, written):
        return np.asarray(exact)
    return written * ms


def said(name: str, metadata: Mapping[str, Any], key: str, default: Floats) -> Floats:
    """Values of a node's neurons under a key of its metadata, or ``default``."""
    values = np.asarray(metadata.get(f"eventsim_{key}", default), dtype=np.float64)
    shaped(
        "from_nir", f"eventsim_{key} in the metadata of node {name!r}", values, default.shape,
        expected=f"{default.shape}, one per neuron", remedy="Make it fit, or remove it.",
    )  # fmt: skip
    return values


def node_names(net: Network) -> dict[str, str]:
    """Name of every population's node: its own as far as HDF5, Python and NIR's habits allow."""
    found: dict[str, str] = {}
    for population in net.populations.values():
        wanted = "".join(c if c.isalnum() or c == "_" else "_" for c in population.name)
        if population is net.input:
            wanted = "input"
        elif wanted in ("input", "output"):
            wanted = f"{wanted}_neurons"
        found[population.name] = unused(wanted, set(found.values()))
    return found


def unused(wanted: str, taken: set[str]) -> str:
    """``wanted``, or it with the first number that makes it new."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
