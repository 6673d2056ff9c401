from pathlib import Path

import pytest

from eventsim.entries import Entry, names_in, read_toml, unknown
from eventsim.errors import CaseError, StorageError


def entry(value):
    return Entry("file x.toml, key", value, CaseError)


def number_of(value):
    return entry({"a": value}).table(("a",))["a"].number()


COLOUR = {"colour": 1}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: entry(3).text(), "file x.toml, key: is 3, expected a text."),
        (lambda: entry("  ").text(), "is '  ', expected a text."),
        (lambda: entry([]).mapping(), "expected a table."),
        (lambda: entry("a" * 99).table(("b", "c")), r"is 'a+\.\.\., expected a table with keys"),
        (lambda: entry(COLOUR).table(("color",)), "unknown key 'colour'. Did you mean 'color'?"),
        (lambda: entry({"z": 1}).table(("color",)), "unknown key 'z'. Keys are color."),
        (lambda: entry({}).table(("a", "b"), optional=("b",)), "lacks a."),
        (lambda: number_of(True), "file x.toml, key, a: is True, expected a finite number"),
        (lambda: entry([1, "2"]).rows()[1].number(), r"key\[1\]: is '2', expected a finite"),
        (lambda: entry(float("nan")).number(), "is nan"),
        (lambda: entry(10**400).number(), "expected a finite number"),
        (lambda: entry(-1).number("not negative"), "is -1, expected a finite number >= 0"),
        (lambda: entry(0).number("positive"), "is 0, expected a finite number > 0"),
        (lambda: entry("c").one_of(("a", "b")), "is 'c', expected one of a, b"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_place_and_what_was_expected(ask, message):
    with pytest.raises(CaseError, match=message):
        ask()


def test_right_values_come_back():
    part = entry({"a": 0, "b": [2], "c": "t"}).table(("a", "b", "c", "d"), optional=("d",))
    assert part["a"].number("not negative") == 0.0
    assert [row.number() for row in part["b"].rows()] == [2.0]
    assert part["c"].text() == part["c"].one_of(("s", "t")) == "t"


def test_a_file_that_cannot_be_read_or_parsed_is_told_by_its_label(tmp_path):
    with pytest.raises(StorageError, match="label: cannot be read"):
        read_toml(tmp_path / "none.toml", "label", StorageError)
    Path(tmp_path / "bad.toml").write_text("a = ")
    with pytest.raises(StorageError, match="label: is not TOML"):
        read_toml(tmp_path / "bad.toml", "label", StorageError)
    assert names_in(tmp_path, ".toml") == ("bad",)


def test_an_unknown_name_is_told_with_the_nearest():
    expected = ("Chip 'loihy'", "is unknown", "one of loihi", "Did you mean 'loihi'?")
    assert unknown("Chip", "loihy", ("loihi",), otherwise="-") == expected
    assert unknown("Chip", "xyz", ("loihi",), otherwise="Look.")[-1] == "Look."
