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
    from eventsim.engine import (
        RunState,
        Start,
        current,
        explain,
        place,
        readout_integral,
        simulate,
        simulate_chunk,
        simulate_chunks,
        voltage,
    )
    from eventsim.events import (
        Dataset,
        EventStream,
        SpikeTape,
        SpikeTrains,
        activity,
        concatenate,
        merge,
        poisson,
    )
    from eventsim.live.listen import listen
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
        fixed_indegree,
        fixed_total_number,
        lognormal,
        normal,
        pairwise_bernoulli,
        rsnn,
        scsr,
        self_recurrent,
        uniform,
    )
    from eventsim.neuron.linear import LIF, AdLIF, LinearNeuron, Resonator
    from eventsim.report.web import export_web
    from eventsim.runs.run import load_run
    from eventsim.train import TrainConfig, calibrate, evaluate, loggers, predict, train

__version__ = "0.3.0.dev0"

__all__ = [
    "LIF", "AdLIF", "Answer", "Convolution", "Dataset", "Decision", "DistanceLateral",
    "EventStream", "GradCheck", "Gradients", "LinearNeuron", "Loss", "Network", "Population",
    "Projection", "RandomLateral", "ReadoutSeed", "Resonator", "RunState", "Seeds", "SpikeSeed",
    "SpikeTape", "SpikeTrains", "Start", "TrainConfig", "activity", "backward", "backward_chunk",
    "backward_chunks", "calibrate", "can", "concatenate", "convolutional", "current", "evaluate",
    "explain", "export_c", "export_web", "fixed_indegree", "fixed_total_number", "gradcheck",
    "listen", "load_run", "loggers", "lognormal", "merge", "normal", "pairwise_bernoulli", "place",
    "plot", "poisson", "predict", "readout_integral", "rsnn", "scsr", "self_recurrent", "simulate",
    "simulate_chunk", "simulate_chunks", "train", "uniform", "voltage",
]  # fmt: skip


# Where names come from, when they are asked for: a command whose modules are still being imported
# can then be interrupted, and simulation alone does without gradients, training and figures. A name
# that is its own room is the room itself; ``train`` can be called.
_HOMES = {
    "adjoint": (
        "GradCheck", "Gradients", "Loss", "ReadoutSeed", "Seeds", "SpikeSeed", "backward",
        "backward_chunk", "backward_chunks", "gradcheck",
    ),
    "embedded": ("export_c",),
    "engine": (
        "RunState", "Start", "current", "explain", "place", "readout_integral", "simulate",
        "simulate_chunk", "simulate_chunks", "voltage",
    ),
    "events": (
        "Dataset", "EventStream", "SpikeTape", "SpikeTrains", "activity", "concatenate", "merge",
        "poisson",
    ),
    "live.listen": ("listen",),
    "matrix": ("can",),
    "network": (
        "Answer", "Convolution", "Decision", "DistanceLateral", "Network", "Population",
        "Projection", "RandomLateral", "convolutional", "fixed_indegree", "fixed_total_number",
        "lognormal", "normal", "pairwise_bernoulli", "rsnn", "scsr", "self_recurrent", "uniform",
    ),
    "neuron.linear": ("LIF", "AdLIF", "LinearNeuron", "Resonator"),
    "report.web": ("export_web",),
    "runs.run": ("load_run",),
    "train": ("TrainConfig", "calibrate", "evaluate", "loggers", "predict"),
}  # fmt: skip
# Rooms of the reference: ``es.datasets.load`` needs no import of its own. Others are internal.
_ROOMS = (
    "adjoint", "chips", "clocked", "conformance", "datasets", "embedded", "energy", "engine",
    "errors", "events", "experiment", "frontier", "live", "mapping", "network",
    "plan", "plot", "ranks", "runs", "train",
)  # fmt: skip
_LATER = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    dunders = (name for name in globals() if name.startswith("__"))
    return sorted({*__all__, *_ROOMS, *dunders})
