"""Spiking layer on a GPU, host side of the backward pass; twin of engine/cpu/layer_adjoint.py."""

from eventsim.arrays import Array
from eventsim.engine.cuda.arrays import WiringCache, parameters_home
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.fanin import FanInLayer
from eventsim.engine.cuda.shared import SharedLayer
from eventsim.engine.cuda.spikes import SpikeMemory, grouped_tape
from eventsim.engine.cuda.tables import gradients_of
from eventsim.engine.job import Job, StageGradients
from eventsim.engine.table import split_effects
from eventsim.events import SpikeTrains


def backward(
    dev: Device,
    job: Job,
    wirings: WiringCache,
    memory: SpikeMemory,
    trains: SpikeTrains,
    by_time: Array,
    by_voltage: Array,
) -> StageGradients:
    tape = grouped_tape(dev, job, memory, trains, by_time, by_voltage)
    by_delay = None
    if job.stage.shares_events:
        by_drive, by_spike, sums, grazes = SharedLayer(dev, job).run_back(tape)
    else:
        layer = FanInLayer(dev, job, wirings)
        by_drive, by_delay, by_spike, sums, grazes = layer.run_back(tape)
    home = parameters_home(dev, job)
    return gradients_of(
        dev,
        job,
        by_drive=home(by_drive),
        by_delay=None if by_delay is None else home(by_delay),
        source_times=split_effects(job, by_spike),
        sums=home(sums),
        grazes=grazes.sum(),
    )
