"""Spiking layer on a GPU, host side of the forward pass; twin of engine/cpu/layer.py."""

from functools import partial

from eventsim.arrays import Array
from eventsim.engine.cuda.arrays import WiringCache
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.fanin import FanInLayer
from eventsim.engine.cuda.shared import SharedLayer
from eventsim.engine.cuda.spikes import (
    PlacedState,
    SpikeMemory,
    collect,
    place_start,
    place_state,
)
from eventsim.engine.job import Job
from eventsim.engine.state import LayerState, Stop, carried
from eventsim.events import SpikeTrains


def forward(dev: Device, job: Job, wirings: WiringCache, memory: SpikeMemory) -> SpikeTrains:
    return _advance(dev, job, wirings, memory, place_start(dev, job), None)


def resume(
    dev: Device, job: Job, wirings: WiringCache, memory: SpikeMemory, state: LayerState
) -> tuple[SpikeTrains, LayerState]:
    """Spikes and state are on the host."""
    placed = place_state(dev, state)
    trains = _advance(dev, job, wirings, memory, placed, dev.asarray(state.begin))
    fetched = SpikeTrains(
        dev.get(trains.times),
        dev.get(trains.neurons),
        dev.get(trains.offsets),
        trains.size,
        current=dev.get(trains.current),
        restart_current=dev.get(trains.restart_current),
    )
    return carried(job, state, fetched, Stop(*(dev.get(values) for values in placed.end)))


def _advance(
    dev: Device,
    job: Job,
    wirings: WiringCache,
    memory: SpikeMemory,
    state: PlacedState,
    begin: Array | None,
) -> SpikeTrains:
    """All spikes from ``state`` on; arrivals before ``begin`` have been met."""
    if job.stage.shares_events:
        run = SharedLayer(dev, job, begin).run
    else:
        run = FanInLayer(dev, job, wirings, begin).run
    return collect(dev, job, memory, partial(run, state))
