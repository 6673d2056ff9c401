"""Input of people and programs: texts in TOML and JSON, their values, and settings.

=======================================  =========================================================
:mod:`~eventsim.entries.texts`           a file or a text, parsed; every way in which it can be
                                         broken is one error
:mod:`~eventsim.entries.entry`           its values, checked one by one
:mod:`~eventsim.entries.annotations`     what annotations allow: values held to them, JSON schemas
:mod:`~eventsim.entries.settings`        dataclasses of settings, held to their annotations
:mod:`~eventsim.entries.same`            stored settings, compared with those that are given
=======================================  =========================================================
"""

from eventsim.entries.annotations import (
    Above0,
    Bounds,
    Count,
    Finite,
    From0,
    Natural,
    NotNegative,
    Positive,
    Share,
    Text,
    hints_of,
    schema,
)
from eventsim.entries.entry import Entry, ErrorType, names_in, unknown
from eventsim.entries.same import check_same, flat
from eventsim.entries.settings import SettingError, Settings, check_types, nearest, read, shown
from eventsim.entries.texts import (
    check_format,
    parse_json,
    parse_json_lines,
    parse_toml,
    parse_word,
    read_json,
    read_object,
    read_text,
    read_toml,
)

__all__ = [
    "Above0", "Bounds", "Count", "Entry", "ErrorType", "Finite", "From0", "Natural", "NotNegative",
    "Positive", "SettingError", "Settings", "Share", "Text", "check_types", "hints_of",
    "check_format", "check_same", "flat", "names_in", "nearest", "parse_json", "parse_json_lines",
    "parse_toml", "parse_word", "read", "read_json", "read_object", "read_text", "read_toml",
    "schema", "shown", "unknown",
]  # fmt: skip
