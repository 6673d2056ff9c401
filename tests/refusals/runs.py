"""What the calls of ``runs.toml`` are made of: settings of data."""

# ruff: noqa: F401 (the table uses what is imported here)

from eventsim.runs.data import DataSettings
from tests.unit.runs.test_data import FSDD, YINYANG
