"""eventsim: spiking neural networks in exact event time, simulated and trained.

>>> import eventsim as es
>>> stream = es.EventStream([5.0, 7.0, 30.0], [0, 3, 1], [0, 3], n_channels=4, duration=100.0)
>>> net = es.scsr(4, (8, 8), 2)
>>> tape = es.simulate(net, stream, backend="reference")
>>> loss = {"hidden1": 2.0 * tape["hidden1"].times}  # derivative of the sum of t ** 2
>>> es.backward(net, tape, loss)["hidden1"].tau_mem.shape
(8,)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eventsim.engine import (
    RunState,
    current,
    explain,
    place,
    readout_integral,
    simulate,
    simulate_chunk,
    simulate_chunks,
    voltage,
)
from eventsim.events import Dataset, EventStream, SpikeTape, SpikeTrains, concatenate, merge
from eventsim.matrix import can
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
from eventsim.neuron.linear import LIF, AdLIF, LinearNeuron, Resonator

if TYPE_CHECKING:
    from eventsim.adjoint import (
        GradCheck,
        Gradients,
        Loss,
        ReadoutSeed,
        Seeds,
        SpikeSeed,
        backward,
        backward_chunk,
        backward_chunks,
        gradcheck,
    )
    from eventsim.embedded import export_c
    from eventsim.live.listen import listen
    from eventsim.report.web import export_web
    from eventsim.runs.run import load_run
    from eventsim.train import TrainConfig, calibrate, evaluate, loggers, predict, train

__version__ = "0.3.0.dev0"

__all__ = [
    "LIF", "AdLIF", "Answer", "Convolution", "Dataset", "Decision", "DistanceLateral",
    "EventStream", "GradCheck", "Gradients", "LinearNeuron", "Loss", "Network", "Population",
    "Projection", "RandomLateral", "ReadoutSeed", "Resonator", "RunState", "Seeds", "SpikeSeed",
    "SpikeTape", "SpikeTrains", "TrainConfig", "backward", "backward_chunk", "backward_chunks",
    "calibrate", "can", "concatenate", "convolutional", "current", "evaluate", "explain",
    "export_c", "export_web", "gradcheck", "listen", "load_run", "loggers", "merge", "place",
    "plot", "predict", "readout_integral", "rsnn", "scsr", "self_recurrent", "simulate",
    "simulate_chunk", "simulate_chunks", "train", "voltage",
]  # fmt: skip


# Names that come when they are asked for, and where from: simulation alone does without gradients,
# training and figures. A name that is its own room is the room itself; ``train`` can be called.
_LATER = {
    **dict.fromkeys(
        ("GradCheck", "Gradients", "Loss", "ReadoutSeed", "Seeds", "SpikeSeed", "backward")
        + ("backward_chunk", "backward_chunks", "gradcheck"),
        "eventsim.adjoint",
    ),
    "TrainConfig": "eventsim.train",
    "calibrate": "eventsim.train",
    "evaluate": "eventsim.train",
    "export_c": "eventsim.embedded",
    "export_web": "eventsim.report.web",
    "listen": "eventsim.live.listen",
    "load_run": "eventsim.runs.run",
    "loggers": "eventsim.train",
    "predict": "eventsim.train",
}
# Rooms of the reference: ``es.datasets.load`` needs no import of its own. Others are internal.
_ROOMS = (
    "adjoint", "chips", "clocked", "conformance", "datasets", "embedded", "energy", "engine",
    "errors", "events", "experiment", "frontier", "live", "mapping", "network",
    "plan", "plot", "ranks", "runs", "train",
)  # fmt: skip
_LATER |= {room: f"{__name__}.{room}" for room in _ROOMS}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LATER[name])
    return module if module.__name__ == f"{__name__}.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    dunders = (name for name in globals() if name.startswith("__"))
    return sorted({*__all__, *_ROOMS, *dunders})
