"""Networks and tapes where a backend has its arrays.

A backend takes a network or a tape of NumPy arrays, and copies them to the device at every call.
In training they are placed there once.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from eventsim.arrays import namespace
from eventsim.engine.contract.backend import Backend
from eventsim.engine.contract.registry import get_backend
from eventsim.errors import BackendError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import Network


def place(net: Network, *, backend: str = "auto") -> Network:
    """The network where a backend has its arrays, for many runs on it.

    Parameters
    ----------
    net
        Not changed.
    backend
        As :func:`eventsim.simulate`.

    Returns
    -------
    Network
        For a backend on the processor the same network, else one of arrays on the device;
        ``net.to_host()`` takes it back.
    """
    engine = get_backend(backend)
    check_place(net, engine)
    return net if _library(net) is engine.xp else net.map(engine.asarray)


def check_place(net: Network, engine: Backend) -> None:
    """Raise BackendError for a network on a device that is not the backend's."""
    library = _library(net)
    if library not in (np, engine.xp):
        raise BackendError(
            f"Backend {engine.name!r}",
            f"the arrays of the network are of {library.__name__}",
            f"arrays of {engine.xp.__name__}",
            "Take the network back first: net.to_host().",
        )


def on_host(net: Network) -> bool:
    """Whether the arrays of a network are NumPy's."""
    return _library(net) is np


def check_on_host(net: Network, where: str) -> None:
    """Raise BackendError for a network on a device."""
    if (library := _library(net)) is not np:
        raise BackendError(
            where,
            f"the arrays of the network are of {library.__name__}",
            "NumPy's",
            "Take the network back first: net.to_host().",
        )


def place_stream(stream: EventStream, engine: Backend) -> SpikeTrains | None:
    """The events as arrays of a backend, None if these are NumPy's."""
    if engine.xp is np:
        return None
    events = SpikeTrains(stream.times, stream.channels, stream.offsets, stream.n_channels)
    return events.map(engine.asarray)


def place_tape(tape: SpikeTape, engine: Backend) -> SpikeTape:
    """The tape in arrays of its backend; the same tape if it is."""
    if engine.xp is np or tape.placed_input is not None:
        return tape
    trains = {name: trains.map(engine.asarray) for name, trains in tape.trains.items()}
    return replace(tape, trains=trains, placed_input=place_stream(tape.stream, engine))


def _library(net: Network) -> Any:
    parameters = [*net.parameters().values(), np.zeros(0)]
    return namespace(parameters[0])
