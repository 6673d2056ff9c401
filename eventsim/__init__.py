"""eventsim: spiking neural networks in exact event time, simulated and trained.

>>> import eventsim as es
>>> net = es.scsr(64, (128, 128), 11)
>>> tape = es.simulate(net, stream)                                     # doctest: +SKIP
>>> grads = es.backward(net, tape, loss)                                # doctest: +SKIP
"""

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
    place,
    readout_integral,
    readout_voltage,
    simulate,
    simulate_chunk,
    simulate_chunks,
)
from eventsim.events import EventStream, SpikeTape, SpikeTrains, concatenate, merge
from eventsim.network import (
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

__version__ = "0.1.0"

__all__ = [
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
    "concatenate",
    "convolutional",
    "gradcheck",
    "merge",
    "place",
    "readout_integral",
    "readout_voltage",
    "rsnn",
    "scsr",
    "self_recurrent",
    "simulate",
    "simulate_chunk",
    "simulate_chunks",
]
