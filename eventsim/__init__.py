"""eventsim: spiking neural networks in exact event time, simulated and trained.

>>> import eventsim as es
>>> net = es.scsr(64, (128, 128), 11)
>>> tape = es.simulate(net, stream)                                     # doctest: +SKIP
>>> grads = es.backward(net, tape, loss)                                # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eventsim.adjoint import (
    GradCheck,
    Gradients,
    Loss,
    ReadoutSeed,
    Seeds,
    SpikeSeed,
    backward,
    gradcheck,
)
from eventsim.engine import (
    RunState,
    current,
    place,
    readout_integral,
    simulate,
    simulate_chunk,
    simulate_chunks,
    voltage,
)
from eventsim.events import EventStream, SpikeTape, SpikeTrains, concatenate, merge
from eventsim.network import (
    Answer,
    Convolution,
    Decision,
    DistanceLateral,
    Network,
    Population,
    Projection,
    RandomLateral,
    convolutional,
    rsnn,
    scsr,
    self_recurrent,
)

if TYPE_CHECKING:
    from eventsim.runs.run import load_run
    from eventsim.train import calibrate, loggers, predict

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Convolution",
    "Decision",
    "DistanceLateral",
    "EventStream",
    "GradCheck",
    "Gradients",
    "Loss",
    "Network",
    "Population",
    "Projection",
    "RandomLateral",
    "ReadoutSeed",
    "RunState",
    "Seeds",
    "SpikeSeed",
    "SpikeTape",
    "SpikeTrains",
    "backward",
    "calibrate",
    "concatenate",
    "convolutional",
    "current",
    "gradcheck",
    "load_run",
    "loggers",
    "merge",
    "place",
    "predict",
    "readout_integral",
    "rsnn",
    "scsr",
    "self_recurrent",
    "simulate",
    "simulate_chunk",
    "simulate_chunks",
    "voltage",
]


def __getattr__(name: str) -> Any:
    # They need training, which simulation alone does without.
    if name in ("calibrate", "loggers", "predict"):
        import eventsim.train

        return getattr(eventsim.train, name)
    if name == "load_run":
        from eventsim.runs.run import load_run

        return load_run
    if name == "plot":
        return import_module("eventsim.plot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
