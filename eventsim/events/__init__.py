"""Events as data: streams, tapes, their order, and their files."""

from eventsim.events.stream import EventStream
from eventsim.events.tape import ReadoutRecord, SpikeTape, SpikeTrains

__all__ = ["EventStream", "ReadoutRecord", "SpikeTape", "SpikeTrains"]
