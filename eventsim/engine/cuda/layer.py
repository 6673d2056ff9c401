"""Spiking layer on a GPU, host side of the forward pass; twin of engine/cpu/layer.py."""

from eventsim.engine.cuda.arrays import WiringCache
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.fanin import FanInLayer
from eventsim.engine.cuda.shared import SharedLayer
from eventsim.engine.cuda.spikes import collect
from eventsim.engine.job import Job
from eventsim.events import SpikeTrains


def forward(dev: Device, job: Job, wirings: WiringCache) -> SpikeTrains:
    """As :meth:`eventsim.engine.job.Backend.layer_forward`."""
    if job.stage.shares_events:
        return collect(dev, job, SharedLayer(dev, job).run)
    return collect(dev, job, FanInLayer(dev, job, wirings).run)
