"""Spiking layer on a GPU, host side of the forward pass; twin of engine/cpu/layer.py."""

from functools import partial

import numpy as np

from eventsim.engine.algorithm import Algorithm, algorithm_of
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.state import LayerState, Pending, Stop, carried
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.fanin import FanInLayer
from eventsim.engine.cuda.roles import on_host
from eventsim.engine.cuda.shared import SharedLayer
from eventsim.engine.cuda.spikes import PlacedState, collect, place_start, place_state
from eventsim.events import SpikeTrains


def forward(dev: Device, job: Job) -> SpikeTrains:
    return _advance(dev, job, place_start(dev, job), None)[0]


def resume(dev: Device, job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
    """Spikes and state are on the host."""
    placed = place_state(dev, state)
    trains, pending = _advance(dev, job, placed, state)
    end, adapted = on_host(placed.end, dev.get)
    return carried(job, state, trains.map(dev.get), Stop(*end), pending, adapted)


def _advance(
    dev: Device, job: Job, placed: PlacedState, state: LayerState | None
) -> tuple[SpikeTrains, Pending | None]:
    """Spikes from the state on, and pending arrivals where there was a state."""
    if algorithm_of(job.stage) is Algorithm.FAN_IN:
        begin = None if state is None else dev.asarray(state.begin)
        run = FanInLayer(dev, job, begin).run
        return collect(dev, job, partial(run, placed)), None
    layer, met = SharedLayer(dev, job, state), dev.zeros(job.n_samples, np.int64)
    trains = collect(dev, job, partial(layer.run, placed, met))
    return trains, None if state is None else layer.pending(met)
