"""What people and programs write: texts in TOML and JSON, their values, and settings.

=======================================  =========================================================
:mod:`~eventsim.entries.texts`           a file or a text, parsed; every way in which it can be
                                         broken is one error
:mod:`~eventsim.entries.entry`           its values, checked one by one
:mod:`~eventsim.entries.types`           dataclasses of settings, held to their annotations
=======================================  =========================================================
"""

from eventsim.entries.entry import Entry, ErrorType, names_in, unknown
from eventsim.entries.texts import (
    parse_json,
    parse_json_lines,
    parse_toml,
    parse_word,
    read_json,
    read_text,
    read_toml,
)
from eventsim.entries.types import check_types, shown

__all__ = [
    "Entry",
    "ErrorType",
    "check_types",
    "names_in",
    "parse_json",
    "parse_json_lines",
    "parse_toml",
    "parse_word",
    "read_json",
    "read_text",
    "read_toml",
    "shown",
    "unknown",
]
