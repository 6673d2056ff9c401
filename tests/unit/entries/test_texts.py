import pytest

from eventsim.entries import parse_json, parse_json_lines, parse_word
from eventsim.errors import ParameterError, StorageError


def test_values_of_json_come_back_as_they_are():
    assert parse_json('{"a": [1, null, "b"]}', "", StorageError) == {"a": [1, None, "b"]}
    assert parse_json("Infinity", "", StorageError) == float("inf")


def test_lines_of_json_are_objects():
    assert parse_json_lines('{"a": 1}\n{"a": 2}\n', "f", StorageError) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("[1]", [1]), ("x", "x"), ("a b", "a b")])
def test_a_word_is_json_or_itself(text, value):
    assert parse_word(text, "", ParameterError) == value
