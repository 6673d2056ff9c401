import numpy as np
import pytest

from eventsim.datasets.cache import cached, code_digest, digest, entry

KEY = {"source": "abc", "encoder": "gain=1"}


def arrays(value=1.0):
    return {"times": np.full(1000, value), "channels": np.arange(1000)}


def never():
    raise AssertionError("the entry should have come from the file")


def test_second_call_reads_what_the_first_made():
    cached("x", key=KEY, make=arrays)
    found = cached("x", key=KEY, make=never)
    assert set(found) == {"times", "channels"}
    np.testing.assert_array_equal(found["channels"], np.arange(1000))


@pytest.mark.parametrize("part", KEY)
def test_any_change_of_the_key_makes_a_new_entry(part):
    cached("x", key=KEY, make=arrays)
    found = cached("x", key=KEY | {part: "other"}, make=lambda: arrays(2.0))
    assert found["times"][0] == 2.0
    assert cached("x", key=KEY, make=never)["times"][0] == 1.0


@pytest.mark.parametrize("length", [0, 10, 1000, -1])
def test_half_written_file_is_made_anew(length):
    cached("x", key=KEY, make=arrays)
    path, _ = entry("x", KEY)
    path.write_bytes(path.read_bytes()[:length])
    assert cached("x", key=KEY, make=lambda: arrays(2.0))["times"][0] == 2.0
    assert cached("x", key=KEY, make=never)["times"][0] == 2.0


def test_flipped_byte_is_noticed():
    cached("x", key=KEY, make=arrays)
    path, _ = entry("x", KEY)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert cached("x", key=KEY, make=lambda: arrays(2.0))["times"][0] == 2.0


def test_entry_of_another_key_under_this_name_is_not_used():
    other = KEY | {"source": "other"}
    cached("x", key=other, make=lambda: arrays(2.0))
    path, _ = entry("x", KEY)
    path.write_bytes(entry("x", other)[0].read_bytes())
    assert cached("x", key=KEY, make=arrays)["times"][0] == 1.0


def test_foreign_archive_is_made_anew():
    path, _ = entry("x", KEY)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        np.savez(file, times=np.zeros(3))
    assert cached("x", key=KEY, make=arrays)["times"].size == 1000


def test_two_makers_at_the_same_time_leave_one_whole_file():
    def slow():
        cached("x", key=KEY, make=arrays)  # another process is faster
        return arrays()

    cached("x", key=KEY, make=slow)
    path, _ = entry("x", KEY)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert cached("x", key=KEY, make=never)["times"][0] == 1.0


def test_failure_while_making_leaves_no_file():
    def fails():
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        cached("x", key=KEY, make=fails)
    assert not entry("x", KEY)[0].exists()


def test_digest_sees_names_order_and_borders():
    variants = [
        [("a", b"12"), ("b", b"3")],
        [("a", b"1"), ("b", b"23")],
        [("b", b"3"), ("a", b"12")],
        [("c", b"12"), ("b", b"3")],
    ]
    assert len({digest(v) for v in variants}) == 4


def test_code_digest_changes_with_the_source(tmp_path):
    source = tmp_path / "m.py"
    source.write_text("x = 1")
    before = code_digest(str(source))
    source.write_text("x = 2")
    assert code_digest(str(source)) != before
