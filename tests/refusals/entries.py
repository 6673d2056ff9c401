"""What the calls of ``entries.toml`` are made of: values and tables of every type."""

# ruff: noqa: F401 (the table uses what is imported here)

from pathlib import Path

from eventsim.chips.chip import Formats
from eventsim.datasets.encoders import (
    Bsa,
    CochleaEncoder,
    DeltaModulation,
    GammatoneBank,
    IntegrateAndFire,
    LyonEar,
)
from eventsim.datasets.spoken_digits import SpeechRecipe
from eventsim.entries import (
    check_types,
    parse_json,
    parse_json_lines,
    parse_toml,
    parse_word,
    read,
    read_json,
)
from eventsim.errors import ParameterError, StorageError
from eventsim.train import Augmentation
from eventsim.train.activity import ActivityCost
from eventsim.train.optimiser import LearningRates
from tests.refusals.things import file
from tests.unit.entries.test_entry import entry
from tests.unit.entries.test_settings import Sample, Tree

COLOUR = {"colour": 1}


def number_of(value):
    """The number of an entry inside another."""
    return entry({"a": value}).table(("a",))["a"].number()
