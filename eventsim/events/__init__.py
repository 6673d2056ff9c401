"""Events as data: streams, tapes, their order, and their files.

``stream`` holds a batch of recordings, ``stored`` one that stays in its file, ``labelled`` either
with classes, ``targets`` the values that regression fits; ``tape`` holds what a run leaves behind,
of chosen neurons where ``recorded`` says so, ``source`` what one population sends, ``poisson``
streams of random times, whose events ``poisson_sources`` makes when they are asked for. Their one
``order``, and what makes streams of streams: ``merge``, ``transforms``, ``begin``. ``same`` finds
recordings that are there twice, ``steps`` says which step of a grid a time is in, ``encoding``
counts what a machine does to make events of a signal, ``activity`` says in a few numbers what a
population does.

At the border: ``npz`` and ``hdf5`` check what files claim, ``storage`` writes files whole or not at
all, ``nir_data`` speaks NIR's form.
"""

from eventsim.events import activity
from eventsim.events.encoding import AudioTables, EncoderOperations
from eventsim.events.labelled import AnyDataset, Dataset, DatasetInfo, stratified_split
from eventsim.events.merge import merge
from eventsim.events.poisson import poisson
from eventsim.events.stored import Recording, StoredStream, gather, write_stored
from eventsim.events.stream import EventStream, concatenate
from eventsim.events.tape import SpikeTape, SpikeTrains
from eventsim.events.targets import Classes, Strings, Values

__all__ = [
    "AnyDataset", "AudioTables", "Classes", "Dataset", "DatasetInfo", "EncoderOperations",
    "EventStream", "Recording", "SpikeTape", "SpikeTrains", "StoredStream", "Strings", "Values",
    "activity", "concatenate", "gather", "merge", "poisson", "stratified_split", "write_stored",
]  # fmt: skip
