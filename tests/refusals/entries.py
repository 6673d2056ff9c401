"""What the calls of ``entries.toml`` are made of: values and tables of every type."""

# ruff: noqa: F401 (the table uses what is imported here)

from eventsim.entries import check_types, parse_json, parse_toml, parse_word, read
from eventsim.errors import ParameterError, StorageError
from tests.unit.entries.test_entry import entry
from tests.unit.entries.test_settings import Sample, Tree

COLOUR = {"colour": 1}


def number_of(value):
    """The number of an entry inside another."""
    return entry({"a": value}).table(("a",))["a"].number()
