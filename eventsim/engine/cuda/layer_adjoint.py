"""Spiking layer on a GPU, host side of the backward pass; twin of engine/cpu/layer_adjoint.py."""

from eventsim.arrays import Array
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.table import FoundBack
from eventsim.engine.cuda.arrays import PlacedPiece, parameters_home
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.fanin import FanInLayer
from eventsim.engine.cuda.shared import SharedLayer
from eventsim.engine.cuda.spikes import grouped_tape
from eventsim.engine.cuda.tables import gradients_of
from eventsim.events import SpikeTrains


def backward(
    dev: Device,
    job: Job,
    trains: SpikeTrains,
    by_time: Array,
    by_voltage: Array,
    piece: Piece | None = None,
) -> StageGradients:
    tape = grouped_tape(dev, job, trains, by_time, by_voltage)
    by_delay, placed = None, None if piece is None else PlacedPiece.of(dev, piece)
    if job.stage.shares_events:
        by_drive, by_spike, sums, grazes = SharedLayer(dev, job).run_back(tape, placed)
    else:
        layer = FanInLayer(dev, job, None if placed is None else placed.begin)
        by_drive, by_delay, by_spike, sums, grazes = layer.run_back(tape, placed)
    home = parameters_home(dev, job)
    by_delay = None if by_delay is None else home(by_delay)
    back = FoundBack(home(by_drive), by_delay, by_spike, home(sums), grazes.sum())
    found = gradients_of(dev, job, back)
    return found if placed is None else placed.handed_on(dev, found, tape)
