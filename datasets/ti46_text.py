"""TI46 as text: spike files and cochleagrams that others have made of it.

Both have one file per token, ``{class}/{speaker}_u{utterance}_c{class}.dat`` (in a test folder also
``t0_`` or ``t1_`` before it), with classes from 0 on.

**Spikes** are lines ``channel<TAB>step`` of integers between a first and a last line ``-1 -1``.
Channels count from 0, steps from 1, and the steps of a channel ascend. **Cochleagrams** are what
MATLAB's ``save -ascii`` writes: 78 lines of numbers, one column per frame of 16 ms;
:mod:`eventsim.datasets.encoders.bsa` makes spikes of them.

The files do not tell how long a sample lasts: it is 700 steps for spikes, and the length of the
frames, at most 700 steps, for cochleagrams. Spikes from step 700 on are left out; the description
of what is loaded says how many. Nor do the files tell how long a step is: 1.6 ms, or what is asked
for, which the description says as well.

The class folders lie in the folders ``train`` and ``test``, in upper or lower case, or in one that
is not divided. ``eventsim data import FOLDER --format ti46_alpha`` makes one file of them. What was
read once is cached, see :mod:`eventsim.datasets.cache`: it is read again where a file was changed,
added or removed, and for another step.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import every, one_each, reported, some
from eventsim.datasets.cache import Samples, code_digest, digest
from eventsim.datasets.dataset import read_content
from eventsim.datasets.encoders import bsa
from eventsim.datasets.sources import Source, loading
from eventsim.datasets.ti46 import (
    CLASS_NAMES,
    CODER,
    INFO,
    LIMIT,
    N_CHANNELS,
    STEP,
    Task,
    check_step,
    check_task,
    recording,
)
from eventsim.errors import DataError
from eventsim.events import Recording, StoredStream

Form = Literal["spikes", "cochleagrams"]
Spikes = tuple[NDArray[np.int64], NDArray[np.int32]]

LARGEST_FILE = 1 << 26  # bytes
LARGEST_STEP = 1 << 31
PARTS = ("train", "test")
LEFT_OUT = "left_out"  # column of the cache: spikes of each recording that are too late

_NAME = re.compile(r"(?:t[01]_)?([fm][1-8])_u[0-9]{1,4}_c([0-9]{1,2})\.dat")
_EDGE = [b"-1", b"-1"]


def source(folder: str | Path, *, task: Task = "digits", step: float = STEP) -> Source:
    """Samples of a folder of class folders; the first file tells the form of all.

    Parameters
    ----------
    folder
        Holds the folders 0 to 9 or 0 to 25 (not all need be there), or folders train and test
        that hold them.
    task
        "digits" or "alpha".
    step
        As :func:`eventsim.datasets.ti46.load`.

    Returns
    -------
    Source
        Samples ordered by (part, class, speaker, name of the file); groups are the speakers, keys
        the names of the files. On disk a column ``splits`` has the part. New arrays.

    Raises
    ------
    DataError
        There is no such file, or one that is not what it claims to be.
    """
    check_task(task)
    check_step(step)
    found: list[tuple[str, int, str, Path]] = []
    others: list[Path] = []
    for part, place in (_parts(Path(folder)) or {"": Path(folder)}).items():
        named, unnamed = _files(place, n_classes=len(CLASS_NAMES[task]))
        found += [(part, *one) for one in named]
        others += unnamed
    paths = [path for *_, path in found]
    form = _form(paths[0])

    def key() -> dict[str, str]:
        return {
            "files": digest((part + path.name, _content(path, form)) for part, *_, path in found),
            "encoder": f"{form}, {CODER}, step={step!r}",
            "code": code_digest(__file__, str(bsa.__file__)),
        }

    def make() -> Samples:
        left_out = np.zeros(len(found), np.int64)
        splits = np.array([part for part, *_ in found])
        return Samples(
            recordings=_recordings(paths, form, step, left_out),
            labels=np.array([label for _, label, _, _ in found], dtype=np.int64),
            groups=np.array([speaker for _, _, speaker, _ in found]),
            keys=np.array([path.stem for path in paths]),
            n_channels=N_CHANNELS,
            more={LEFT_OUT: left_out} | ({"splits": splits} if splits[0] else {}),
        )

    def told(stored: StoredStream) -> str:
        counts = stored.columns[LEFT_OUT]
        text = f"text files of {form}, a step of {step:g} ms"
        if counts.any():
            text += f"; left out: {counts.sum():,} spikes from step {LIMIT} on, in "
            text += f"{np.count_nonzero(counts):,} of {counts.size:,} recordings"
        if others:
            example = others[0].relative_to(folder)
            text += f"; left out: {len(others):,} files of other names, such as {example}"
        return text

    return Source(info=INFO[task], split="all", make=make, key=key, encoded=True, told=told)


load = loading(source)


def _parts(root: Path) -> dict[str, Path]:
    """The folders train and test of text files, by name."""
    inside = sorted(root.iterdir()) if root.is_dir() else []
    named = {path.name.lower(): path for path in inside if path.name.lower() in PARTS}
    return {name: named[name] for name in PARTS if name in named}


def _form(path: Path) -> Form:
    return "spikes" if _lines(path, "spikes")[0].split() == _EDGE else "cochleagrams"


def _recordings(
    paths: list[Path], form: Form, step: float, left_out: NDArray[np.int64]
) -> Iterator[Recording]:
    """The recordings; ``left_out`` gets the number of spikes past the last step of each."""
    for k, path in enumerate(paths):
        if form == "spikes":
            steps, channels = _all_spikes(path)
            inside = steps < LIMIT
            left_out[k] = np.count_nonzero(~inside)
            yield Recording(steps[inside] * step, channels[inside], LIMIT * step)
        else:
            frames = read_cochleagram(path)
            yield recording(frames, frames.shape[1] * CODER.hold, step)


def read_spikes(path: str | Path) -> Spikes:
    """Step and channel of every spike of one file below step 700, ordered by (step, channel).

    Raises DataError (with file and line, what stands there, what was expected).
    """
    steps, channels = _all_spikes(Path(path))
    return steps[steps < LIMIT], channels[steps < LIMIT]


def _all_spikes(path: Path) -> Spikes:
    """As :func:`read_spikes`, those from step 700 on as well."""
    lines = _lines(path, "spikes")
    if len(lines) < 2 or lines[0].split() != _EDGE or lines[-1].split() != _EDGE:
        raise DataError(
            path,
            f"begins with {_shown(lines[0])} and ends with {_shown(lines[-1])}",
            "a first and a last line '-1 -1'",
            "It is truncated or something else; get it anew.",
        )
    spikes = np.zeros((len(lines) - 2, 2), dtype=np.int64)
    for row, line in enumerate(lines[1:-1]):
        spikes[row] = _spike(line, path, number=row + 2)
    channel, step = spikes.T
    order = np.lexsort((step, channel))
    same = np.diff(channel[order]) == 0
    if not (np.diff(step[order])[same] > 0).all():
        twice = int(channel[order][1:][same][np.diff(step[order])[same] <= 0][0])
        raise DataError(path, f"channel {twice} spikes twice at one step", "each spike once")
    order = np.lexsort((channel, step))
    return step[order], channel[order].astype(np.int32)


def read_cochleagram(path: str | Path) -> NDArray[np.float64]:
    """Frames [78, frames] of one file. New array.

    Raises DataError (with file and line, what stands there, what was expected).
    """
    path = Path(path)
    lines = _lines(path, "cochleagrams")
    if len(lines) != N_CHANNELS:
        raise DataError(path, f"has {len(lines)} lines", f"{N_CHANNELS}, one for each channel")
    rows: list[NDArray[np.float64]] = []
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        with reported(where, "{}", ValueError, expected="numbers", error=DataError):
            row = np.array(line.split(), dtype=np.float64)
        every(where, "a number", row, np.isfinite(row), "finite ones", error=DataError)
        counts = {"numbers": row.size, "in line 1": rows[0].size if rows else row.size}
        one_each(where, counts, error=DataError)
        rows.append(row)
    return np.stack(rows)


def _files(folder: Path, *, n_classes: int) -> tuple[list[tuple[int, str, Path]], list[Path]]:
    """Label, speaker and path of every file; and files in class folders of other names."""
    found, others = [], []
    for path in sorted(folder.glob("*/*")) if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if not path.parent.name.isdigit() or path.name[0] == "." or not path.is_file():
            continue
        if match is None:
            others.append(path)
            continue
        label = int(match[2])
        if path.parent.name != str(label) or label >= n_classes:
            came = f"its name says class {label}, its folder {path.parent.name}"
            raise DataError(path, came, f"the same class, 0 to {n_classes - 1}")
        found.append((label, match[1], path))
    some(
        found,
        f"ti46, {folder}",
        "file named like 3/f1_u2_c3.dat",
        expected="a folder for each class, perhaps in folders train and test",
        remedy="Speakers are f1 to f8 and m1 to m8.",
        error=DataError,
    )
    return sorted(found), others


def _content(path: Path, form: Form) -> bytes:
    return read_content(path, expected=f"a text file of {form}", largest=LARGEST_FILE)


def _lines(path: Path, form: Form) -> list[bytes]:
    """The lines of a file, blank ones at its end left out; at least one."""
    return _content(path, form).rstrip().split(b"\n")


def _spike(line: bytes, path: Path, *, number: int) -> tuple[int, int]:
    try:
        channel, step = (int(word) for word in line.split())
    except ValueError:
        channel = step = -1
    if not (0 <= channel < N_CHANNELS and 1 <= step < LARGEST_STEP):
        raise DataError(
            f"{path}, line {number}",
            f"is {_shown(line)}",
            f"a channel of 0 to {N_CHANNELS - 1} and a step from 1 on",
            "A file holds one token: nothing follows the second line '-1 -1'.",
        )
    return channel, step


def _shown(line: bytes) -> str:
    return repr(line[:40].decode("latin-1"))
