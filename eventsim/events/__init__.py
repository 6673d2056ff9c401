"""Events as data: streams, tapes, their order, and their files."""

from eventsim.events.encoding import EncoderOperations
from eventsim.events.labelled import AnyDataset, Dataset, DatasetInfo, stratified_split
from eventsim.events.merge import merge
from eventsim.events.stored import Recording, StoredStream, gather, write_stored
from eventsim.events.stream import EventStream, concatenate
from eventsim.events.tape import SpikeTape, SpikeTrains

__all__ = [
    "AnyDataset", "Dataset", "DatasetInfo", "EncoderOperations", "EventStream", "Recording",
    "SpikeTape", "SpikeTrains", "StoredStream", "concatenate", "gather", "merge",
    "stratified_split", "write_stored",
]  # fmt: skip
