"""Files read by a library that trusts them, in a process of its own.

One altered byte can end the process of such a library, let it loop for ever, or make it take
gigabytes. So it runs in :mod:`eventsim.datasets.guarded_child`, whose memory and time are limited,
and what happens to it there is a DataError here.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from eventsim.datasets import guarded_child
from eventsim.errors import DataError

SECONDS = 60  # that a library may take for one block


def blocks(
    library: str, path: Path, *arguments: str, where: str, memory: int, most: int
) -> Iterator[bytes]:
    """Blocks that ``library`` reads from a file, each when it is requested.

    It is "aedat", or "h5py" with the name of a data set; the child says what their blocks are. The
    process may grow by ``memory`` bytes. Raises DataError, which begins with ``where``, if the
    process failed or gives more than ``most`` bytes in all.
    """
    # -P: the child's own folder holds modules of ours, not packages.
    # Without its backtrace a decoder in Rust needs little memory to say what is wrong.
    surroundings = {**os.environ, "RUST_BACKTRACE": "0", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", guarded_child.__file__, library, str(memory), str(SECONDS)]
    command += [str(path.resolve()), *arguments]
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, env=surroundings) as child,
    ):
        assert child.stdout is not None
        left = most
        try:
            while header := child.stdout.read(8):
                size = int.from_bytes(header, "little")
                left -= size
                if left < 0:
                    came = f"decompresses to more than {most} bytes"
                    raise DataError(where, came, remedy="It is no recording.")
                yield child.stdout.read(size)
        except BaseException:  # of the caller as well, who may stop before the end
            child.kill()
            raise
        code = child.wait()
        told.seek(0)
        lines = told.read(1 << 16).decode(errors="replace").strip().splitlines()
    if code != 0:
        last = lines[-1][:200] if lines else "it said nothing"
        raise DataError(
            where,
            f"cannot be decoded ({last!r}, exit code {code} of the decoder)",
            remedy="It is damaged, or not what it should be.",
        )
