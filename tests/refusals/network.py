"""What calls of ``network.toml`` are made of beside ``things.py``: rules and linear neurons."""

# ruff: noqa: F401 (the table uses what is imported here)

from tests.border.test_linear_neurons import (
    KickedVoltage,
    Own,
    Rough,
    SixStates,
    SoftReset,
    Unknown,
    UnknownReset,
    network,
)
from tests.unit.network.test_rules import connected

DISTINCT = {"allow_multapses": False, "allow_autapses": False}
