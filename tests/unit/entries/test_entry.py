from pathlib import Path

import pytest

from eventsim.entries import Entry, names_in, read_toml, unknown
from eventsim.errors import CaseError, StorageError


def entry(value):
    return Entry("file x.toml, key", value, CaseError)


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
