"""The ledger finds each number that moved, and none else: ``tests/support/ledger``."""

import copy
import json
import sys

import pytest

from tests.support.ledger.__main__ import main
from tests.support.ledger.compare import compare
from tests.support.ledger.reading import Reader
from tests.support.ledger.run import table, write

QUICK = ("import without a unit", "networks", "import clock")
ROW = {
    "run": "eventsim cost net.npz",
    "state": "done",
    "lines": {"terminal 1": [["energy # uJ", ["2.5"]], ["cores # of #", ["3", "16"]]]},
    "values": {"json 1": {".energy": "2.5", ".chip": "loihi", ".missing[0]": "hop"}},
}


def ledger(**changes):
    """One row, changed: a path of keys and indices, and what then stands there."""
    row = copy.deepcopy(ROW)
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("|")]
        place = row
        for part in way:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return {"format": 1, "rows": {"cost": row}}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("values|json 1|.energy", "2.6", "cost > json 1 > .energy: 2.5 -> 2.6 (by 3.8e-02 of it)"),
        ("values|json 1|.chip", "mine", "cost > json 1 > .chip: loihi -> mine"),
        ("values|json 1|.missing[0]", None, "cost > json 1 > .missing[0]: gone (hop)"),
        ("values|json 1|.cores", "3", "cost > json 1 > .cores: new (3)"),
        ("lines|terminal 1|1|1", ["3", "8"], "cost > terminal 1 > cores # of # > 1: 16 -> 8 (by 5"),
        ("lines|terminal 1|1", None, "cost > terminal 1 > cores # of # > 1: gone (3, 16)"),
        ("state", "failed: no such file", "failed: row cost (failed: no such file)"),
        (
            "state",
            "gone: No such command 'cost'.",
            "gone: row cost (gone: No such command 'cost'.)",
        ),
    ],
)
def test_what_differs_is_said_by_its_name(path, value, said):
    found, _ = compare(ledger(), ledger(**{path: value}))
    assert len(found) == 1
    assert found[0].startswith(said)


def test_other_words_with_the_same_numbers_are_counted_and_no_difference():
    found, counts = compare(ledger(), ledger(**{"lines|terminal 1|0|0": "needs # microjoules"}))
    assert not found
    assert counts["reworded"] == 1
    assert counts["equal"] == 5


def test_the_same_difference_in_many_places_is_said_once():
    old, new = ledger(), ledger(**{"values|json 1|.energy": "2.6"})
    old["rows"]["again"], new["rows"]["again"] = old["rows"]["cost"], new["rows"]["cost"]
    assert len(compare(old, new)[0]) == 1


def test_a_row_that_one_side_lacks_is_gone_or_new_by_its_name():
    nothing = {"format": 1, "rows": {}}
    assert compare(ledger(), nothing)[0] == ["gone: row cost (eventsim cost net.npz)"]
    assert compare(nothing, ledger())[0] == ["new: row cost (eventsim cost net.npz)"]


def test_rounding_is_no_difference_where_it_is_allowed():
    near = ledger(**{"values|json 1|.energy": "2.5000000000000004"})
    assert compare(ledger(), near)[0]
    assert not compare(ledger(), near, relative=1e-12)[0]


def test_reader_takes_numbers_and_leaves_out_what_is_named(tmp_path):
    reader = Reader(table()["leave_out"], tmp_path)
    reader.output("json", json.dumps({"a": [{"name": "x", "b": 1.5}], "training_seconds": 3}))
    reader.output(
        "text", f"hidden1 fired 1,234 times, -0.5 mV at {tmp_path}/7\ntraining time 3 s\n"
    )
    (tmp_path / "page.html").write_text("<script>4</script><p>at <b>5</b> ms</p><svg><text>6</svg>")
    reader.file("page", tmp_path / "page.html")
    assert reader.found.values["json"] == {".a[x].name": "x", ".a[x].b": "1.5"}
    assert reader.found.lines["text"] == [["hidden1 fired # times, # mV at ~", ["1234", "-0.5"]]]
    assert reader.found.lines["page"] == [["at # ms", ["5"]]]
    assert reader.found.values["page"] == {".pictures": "1"}


def test_two_writes_of_one_commit_are_equal_and_a_changed_number_is_found(tmp_path, capsys):
    paths = []
    for name in ("old", "new"):
        found = write(sys.executable, tmp_path / "folder", QUICK)
        assert {row["state"] for row in found["rows"].values()} == {"done"}
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(found))
    assert main(["compare", *map(str, paths)]) == 0
    values = found["rows"]["import clock"]["values"]["session.h5"]
    assert len(values) > 10
    values[".times.sum"] = "0.0"
    paths[-1].write_text(json.dumps(found))
    assert main(["compare", *map(str, paths)]) == 1
    assert "import clock > session.h5 > .times.sum" in capsys.readouterr().out
