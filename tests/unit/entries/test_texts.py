import pytest

from eventsim.entries import parse_json, parse_json_lines, parse_toml, parse_word, read_json
from eventsim.errors import ParameterError, StorageError

BROKEN_JSON = [
    ("", "is not JSON"),
    ("{", "is not JSON"),
    ("[" * 10_000 + "]" * 10_000, "nested more than 50 levels deep"),
    ("[" * 60 + "]" * 60, "nested more than 50 levels deep"),
    ('{"a":' * 10_000 + "1" + "}" * 10_000, "nested more than 50 levels deep"),
    ("9" * 100_000, "is not JSON"),
    ("9" * 100, "whole number of more than 64 bits"),
    ('{"a": [' + "9" * 100 + "]}", "whole number of more than 64 bits"),
    ('"\\ud800"', "a character that no text has"),
    ('{"a\\u0000": 1}', "a character that no text has"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN_JSON)
def test_json_that_is_broken_in_any_way_is_one_error_with_its_label(text, message):
    with pytest.raises(StorageError, match=f"^here: .*{message}"):
        parse_json(text, "here", StorageError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "is not TOML"),
        ("a = " + "[" * 10_000 + "]" * 10_000, "nested more than 50 levels deep"),
        ("a = " + "{a=" * 10_000 + "1" + "}" * 10_000, "nested more than 50 levels deep"),
        ("a." * 10_000 + "a = 1", "nested more than 50 levels deep"),
        ("a = {" + "a." * 100_000 + "a = 1}", "nested more than 50 levels deep"),
        ("a = " + "9" * 100_000, "is not TOML"),
        ("a = 0x" + "f" * 100_000, "whole number of more than 64 bits"),
        ('a = "\\u0000"', "a character that no text has"),
    ],
)
def test_toml_that_is_broken_in_any_way_is_one_error_with_its_label(text, message):
    with pytest.raises(ParameterError, match=f"^there: .*{message}"):
        parse_toml(text, "there", ParameterError)


def test_values_of_json_come_back_as_they_are():
    assert parse_json('{"a": [1, null, "b"]}', "", StorageError) == {"a": [1, None, "b"]}
    assert parse_json("Infinity", "", StorageError) == float("inf")


def test_lines_of_json_are_told_by_number_and_must_be_objects():
    assert parse_json_lines('{"a": 1}\n{"a": 2}\n', "f", StorageError) == [{"a": 1}, {"a": 2}]
    with pytest.raises(StorageError, match="^f, line 2: is not JSON"):
        parse_json_lines('{"a": 1}\n{', "f", StorageError)
    with pytest.raises(StorageError, match="^f, line 1: expected a JSON object"):
        parse_json_lines("[1]", "f", StorageError)


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("[1]", [1]), ("x", "x"), ("a b", "a b")])
def test_a_word_is_json_or_itself(text, value):
    assert parse_word(text, "", ParameterError) == value


@pytest.mark.parametrize("text", ["[" * 10_000, "9" * 100_000, "a\0b", "y" * 2000])
def test_a_word_that_is_neither_is_refused(text):
    with pytest.raises(ParameterError, match="^--set: "):
        parse_word(text, "--set", ParameterError)


def test_a_file_that_is_no_text_is_told_by_its_label(tmp_path):
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match="^label: cannot be read"):
        read_json(tmp_path / "bad.json", "label", StorageError)
