"""Files of cases of the table ``conformance.toml``."""

# ruff: noqa: F401 (the table uses what is imported here)

import json

from eventsim.conformance import load_case, read_case
from tests.refusals.things import edited, file
from tests.support.conformance_answers import read

TIME = "6.70147684320000000000000000000"


def case(name, *statements):
    """What is read of a published case that statements change as ``it``."""
    return read_case(file(json.dumps(edited(read(name), *statements)), f"{name}.json"))


def written(content, name="one-arrival.json"):
    return read_case(file(content, name))
