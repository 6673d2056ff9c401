"""Array files that are damaged, foreign, or claim what they do not hold."""

import errno
import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventsim.errors import StorageError
from eventsim.events import EventStream
from eventsim.events.storage import write_atomically
from tests.support.fresh import said
from tests.support.streams import assert_same_events

STREAM = EventStream([1.0, 2.0, 3.0], [0, 1, 2], [0, 3], n_channels=3, duration=4.0)


def content(compressed):
    buffer = io.BytesIO()
    header = {"__kind__": np.array("eventsim-stream"), "__version__": np.array(1)}
    save = np.savez_compressed if compressed else np.savez
    save(buffer, **header, **STREAM.to_arrays())
    return buffer.getvalue()


WHOLE = {True: content(True), False: content(False)}
ANYWHERE = st.integers(0, max(map(len, WHOLE.values())) - 1)


@given(
    compressed=st.booleans(),
    changes=st.lists(st.tuples(ANYWHERE, st.integers(0, 255)), max_size=5),
    cut=st.one_of(st.none(), ANYWHERE),
)
def test_damaged_files_are_read_whole_or_refused(tmp_path, compressed, changes, cut):
    damaged = bytearray(WHOLE[compressed])
    for at, value in changes:
        damaged[at % len(damaged)] = value
    path = tmp_path / "events.npz"
    path.write_bytes(damaged[:cut])
    try:
        stream = EventStream.load(path)
    except StorageError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert_same_events(stream, STREAM)


def test_array_of_a_huge_claimed_size_is_refused(tmp_path):
    header = io.BytesIO()
    claimed = {"descr": "<f8", "fortran_order": False, "shape": (1 << 45,)}
    np.lib.format.write_array_header_1_0(header, claimed)
    path = tmp_path / "events.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("times.npy", header.getvalue())
    with pytest.raises(StorageError, match="cannot be read as an eventsim-stream file"):
        EventStream.load(path)


@pytest.mark.parametrize(("flag", "offset"), [(1, 6), (99, 8)])
def test_encrypted_or_strangely_compressed_file_is_refused(tmp_path, flag, offset):
    damaged = bytearray(WHOLE[True])
    damaged[offset] = flag  # in the first member's own header
    central = damaged.index(b"PK\x01\x02")
    damaged[central + offset + 2] = flag
    path = tmp_path / "events.npz"
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match="cannot be read as"):
        EventStream.load(path)


def limited(tmp_path, line):
    """Run a program in which no file may grow beyond 4 kB, as on a disk that is full."""
    program = [
        "import resource, signal, sys",
        "import numpy as np",
        "from eventsim.events.storage import write_arrays",
        "noise = np.random.default_rng(0).random(100_000)",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))",
        "try:",
        f"    {line}",
        "except OSError as error:",
        "    print(error.errno, error)",
    ]
    return said("\n".join(program), tmp_path / "out")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files")
def test_disk_that_is_full_names_the_file_and_leaves_the_old_one(tmp_path):
    (tmp_path / "out").write_bytes(b"before")
    told = limited(tmp_path, "write_arrays(sys.argv[1], {'a': noise}, kind='k', version=1)")
    assert str(tmp_path / "out") in told
    assert "what was there before is unchanged" in told
    assert (tmp_path / "out").read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [errno.ENOSPC, None])
def test_error_without_a_file_keeps_its_number_and_gets_one(tmp_path, number):
    def full(file):
        raise OSError(number, "No space left") if number else OSError("No space left")

    with pytest.raises(OSError, match=r"out.*No space left|No space left.*out") as caught:
        write_atomically(tmp_path / "out", full)
    assert caught.value.errno == number
    assert caught.value.filename == (number and str(tmp_path / "out"))


def test_failed_move_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    (tmp_path / "out").write_bytes(b"before")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "out", b"after")
    assert (tmp_path / "out").read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_other_errors_pass_as_they_are(tmp_path):
    def stop(file):
        try:
            raise OSError(errno.EIO, "unrelated")
        except OSError:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out", stop)
    assert not list(tmp_path.iterdir())


def test_next_write_into_a_folder_removes_what_a_killed_process_left(tmp_path):
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys; from eventsim.events.storage import write_atomically\n"
            "write_atomically(sys.argv[1], lambda file: os.kill(os.getpid(), 9))",
            str(tmp_path / "first"),
        ]
    ) as process:
        process.wait()
    (left,) = tmp_path.iterdir()
    write_atomically(tmp_path / "second", lambda file: file.write(b"young"))
    assert left.exists()  # its process may be at work
    os.utime(left, (0, 0))
    write_atomically(tmp_path / "second", lambda file: file.write(b"old"))
    assert [p.name for p in tmp_path.iterdir()] == ["second"]


@pytest.mark.parametrize("content", ["grün\n", "grün\n".encode(), lambda file: file.write(b"")])
def test_text_bytes_and_writers_are_written(tmp_path, content):
    write_atomically(tmp_path / "out", content)
    expected = b"" if callable(content) else "grün\n".encode()
    assert (tmp_path / "out").read_bytes() == expected
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
