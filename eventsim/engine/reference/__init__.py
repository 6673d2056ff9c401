"""The reference backend: plain Python, double precision, slow, the definition."""

from eventsim.engine.contract.backend import AbstractHostBackend, hosted
from eventsim.engine.reference import layer, layer_adjoint, linear_adjoint, queue, readout
from eventsim.engine.reference import linear as linear_stage


class ReferenceBackend(AbstractHostBackend):
    """Walks every (sample, neuron) pair alone with the functions of :mod:`eventsim.neuron.lif`."""

    name = "reference"
    runs = frozenset({"adaptive", "linear", "starts"})

    layer_forward = hosted(layer.forward)
    layer_resume = hosted(layer.resume)
    layer_backward = hosted(layer_adjoint.backward)
    queue_forward = hosted(queue.forward)
    queue_resume = hosted(queue.resume)
    queue_backward = hosted(queue.backward)
    linear_forward = hosted(linear_stage.forward)
    linear_backward = hosted(linear_adjoint.backward)
    readout_forward = hosted(readout.forward)
    readout_backward = hosted(readout.backward)
