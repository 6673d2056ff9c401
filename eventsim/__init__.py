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
    readout_integral,
    readout_voltage,
    simulate,
    simulate_chunk,
    simulate_chunks,
)
from eventsim.events import EventStream, SpikeTape, SpikeTrains, concatenate, merge
from eventsim.network import Network, Population, Projection, scsr, self_recurrent

__version__ = "0.1.0"

__all__ = [
    "EventStream",
    "GradCheck",
    "Gradients",
    "Loss",
    "Network",
    "Population",
    "Projection",
    "ReadoutSeed",
    "RunState",
    "Seeds",
    "SpikeSeed",
    "SpikeTape",
    "SpikeTrains",
    "backward",
    "concatenate",
    "gradcheck",
    "merge",
    "readout_integral",
    "readout_voltage",
    "scsr",
    "self_recurrent",
    "simulate",
    "simulate_chunk",
    "simulate_chunks",
]
