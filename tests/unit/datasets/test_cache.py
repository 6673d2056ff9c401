import multiprocessing
import os

import numpy as np
import pytest

from eventsim.datasets.cache import Samples, cached, code_digest, digest, entry, file_digest
from eventsim.events import Recording, write_stored

KEY = {"source": "abc", "encoder": "gain=1"}


def samples(value=1.0, n=3):
    return Samples(
        recordings=(Recording([value, 5.0], [0, 1], 10.0) for _ in range(n)),
        labels=np.arange(n),
        groups=np.array(["ann"] * n),
        keys=np.array([f"k{i}" for i in range(n)]),
        n_channels=2,
    )


def never():
    raise AssertionError("the entry should have come from the file")


def first_time(stored):
    return stored[:].times[0]


def get(key=KEY, make=samples):
    return cached("x", key=key, make=make, use=first_time)


def test_second_call_reads_what_the_first_made():
    get()
    stored = cached("x", key=KEY, make=never, use=lambda s: s)
    assert stored[:].times.tolist() == [1.0, 5.0] * 3
    assert stored.columns["labels"].tolist() == [0, 1, 2]
    assert stored.columns["groups"].tolist() == ["ann"] * 3
    assert stored.columns["keys"].tolist() == ["k0", "k1", "k2"]


@pytest.mark.parametrize("part", KEY)
def test_any_change_of_the_key_makes_a_new_entry(part):
    get()
    assert get(KEY | {part: "other"}, lambda: samples(2.0)) == 2.0
    assert get(make=never) == 1.0


def flipped(content):
    """With another bit in an event."""
    content = bytearray(content)
    content[content.index(np.array([1.0, 5.0, 1.0]).tobytes())] ^= 1
    return content


def of_another_key(_):
    other = KEY | {"source": "other"}
    get(other)
    return entry("x", other)[0].read_bytes()


def foreign(_):
    path = entry("x", KEY)[0]
    write_stored(path, [Recording([3.0], [0], 5.0)], n_channels=1)
    return path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [*(lambda content, n=n: content[:n] for n in (0, 10, 1000, -1)), flipped, of_another_key,
     foreign],
)  # fmt: skip
def test_file_that_is_not_whole_or_of_something_else_is_made_anew(damage):
    get()
    path, _ = entry("x", KEY)
    path.write_bytes(damage(path.read_bytes()))
    assert get(make=lambda: samples(2.0)) == 2.0
    assert get(make=never) == 2.0


def test_two_makers_at_the_same_time_leave_one_whole_file():
    def slow():
        get()  # another process is faster
        return samples()

    get(make=slow)
    path, _ = entry("x", KEY)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert get(make=never) == 1.0


def make_big():
    big = Recording(np.linspace(0, 9, 50_000), np.zeros(50_000, int), 10.0)
    return Samples(
        (big for _ in range(10)), np.zeros(10, int), np.array(["a"] * 10), np.array(["k"] * 10), 1
    )


def total(stored):
    return int(stored[:].n_events)


def in_a_process(folder):
    os.environ["EVENTSIM_CACHE"] = folder
    return [cached("x", key=KEY, make=make_big, use=total) for _ in range(3)]


@pytest.mark.thorough("starts several processes")
def test_processes_that_make_and_read_at_the_same_time_agree(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(in_a_process, [str(tmp_path / "shared")] * 3)
    assert found == [[500_000] * 3] * 3
    assert len(list((tmp_path / "shared").iterdir())) == 1


def test_failure_while_making_leaves_no_file():
    def fails():
        raise RuntimeError("power cut")

    def fails_later():
        made = samples()

        def recordings():
            yield from made.recordings
            raise RuntimeError("power cut")

        return Samples(recordings(), made.labels, made.groups, made.keys, 2)

    for make in (fails, fails_later):
        with pytest.raises(RuntimeError, match="power cut"):
            get(make=make)
        folder = entry("x", KEY)[0].parent
        assert not folder.exists() or not list(folder.iterdir())


def test_abandoned_half_of_a_killed_process_is_removed():
    path, _ = entry("x", KEY)
    path.parent.mkdir(parents=True)
    old, young = (path.parent / f".{path.name}.{word}" for word in ("old", "young"))
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    get()
    assert not old.exists()
    assert young.exists()


def test_digest_sees_names_order_and_borders():
    variants = [
        [("a", b"12"), ("b", b"3")],
        [("a", b"1"), ("b", b"23")],
        [("b", b"3"), ("a", b"12")],
        [("c", b"12"), ("b", b"3")],
    ]
    assert len({digest(v) for v in variants}) == 4


def test_digest_of_a_file_is_that_of_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a").startswith("ba7816bf")


def test_code_digest_changes_with_the_source(tmp_path):
    source = tmp_path / "m.py"
    source.write_text("x = 1")
    before = code_digest(str(source))
    source.write_text("x = 2")
    assert code_digest(str(source)) != before
