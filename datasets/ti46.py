"""TI46: sixteen speakers say digits and letters, as 78 channels of spikes.

The audio is LDC93S9, which the LDC licenses; its folders (upper or lower case) are

.. code-block:: text

    ti20/{train|test}/{speaker}/{word}{speaker}{session}{take}.wav      digits and ten commands
    ti_alpha/{train|test}/{speaker}/{word}{speaker}{session}{take}.wav  letters

with words 00 to 09 and 0a to 0z, speakers f1 to f8 and m1 to m8, session se with takes t0 to t9
for train and sessions s1 to s8 with takes t0 and t1 for test: ``03f1set7.wav``. The files are NIST
SPHERE files, or wav files made of them, with ``.wav`` or ``.sph`` at the end.

Audio of full scale 1 at 12.5 kHz goes through :mod:`eventsim.datasets.encoders.lyon` (80 stages,
the first two dropped, a frame every 200 samples) and :mod:`eventsim.datasets.encoders.bsa` (10
steps of 1.6 ms a frame, cut at 700 steps): the encoding of Zhang et al. and of those who compare
with them. The spikes are cached; see
:mod:`eventsim.datasets.cache`. For spike files and
cochleagrams that others have made, see :mod:`eventsim.datasets.ti46_text`.

References
----------
Liberman et al. (1993), TI 46-Word, LDC93S9, Linguistic Data Consortium (speakers, words, names of
files). Zhang, Li, Jin, Choe (2015), IEEE Trans. Neural Netw. Learn. Syst. 26:2635. Zhang and Li
(2019), Spike-train level backpropagation for training deep recurrent spiking neural networks,
NeurIPS (TI46-Alpha and TI46-Digits).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import in_domain, one_of, some
from eventsim.datasets import audio as audio_module
from eventsim.datasets.audio import read_audio
from eventsim.datasets.cache import Samples, code_digest, digest
from eventsim.datasets.dataset import (
    Split,
    Texts,
    check_speakers,
    check_split,
    find,
    missing,
    read_content,
)
from eventsim.datasets.encoders import Bsa, LyonEar, bsa, frames, lyon
from eventsim.datasets.parallel import mapped
from eventsim.datasets.sources import Source, loading
from eventsim.entries.annotations import Positive
from eventsim.errors import DataError
from eventsim.events import DatasetInfo, Recording

Task = Literal["digits", "alpha"]

SAMPLE_RATE = 12500
N_CHANNELS = 78
LIMIT = 700  # steps
EAR = LyonEar(decimation=200)
CODER = Bsa(limit=LIMIT)
STEP = 1.6  # ms
SAMPLES_PER_STEP = EAR.decimation // CODER.hold

LARGEST_FILE = 1 << 24  # bytes; a token has about 20,000
GROUP = 4 * lyon.BATCH  # recordings that are encoded together

CLASS_NAMES: dict[Task, tuple[str, ...]] = {
    "digits": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "alpha": tuple("abcdefghijklmnopqrstuvwxyz"),
}
FOLDERS: dict[Task, str] = {"digits": "ti20", "alpha": "ti_alpha"}

_OBTAIN = (
    "Licensed by the LDC (LDC93S9, https://catalog.ldc.upenn.edu/LDC93S9); put its folder into "
    "$EVENTSIM_DATA/ti46, or name it by --file. Text files of its spikes: eventsim data import "
    "FOLDER --format ti46_alpha (or ti46_digits) --out mine.h5."
)


def _info(task: Task, description: str, samples: str) -> DatasetInfo:
    return DatasetInfo(
        name=f"ti46_{task}",
        description=description,
        classes=CLASS_NAMES[task],
        channels=N_CHANNELS,
        splits="enrollment session train, eight later sessions test; same speakers in both",
        obtain=_OBTAIN,
        licence="LDC user agreement",
        samples=samples,
        lasts=700.0,
    )


INFO: dict[Task, DatasetInfo] = {
    "digits": _info(
        "digits", "TI46-Digits: 16 people say zero to nine; Lyon's ear, BSA", "1,594 + 2,542"
    ),
    "alpha": _info(
        "alpha", "TI46-Alpha: 16 people say the letters a to z; Lyon's ear, BSA", "4,142 + 6,628"
    ),
}

_NAME = re.compile(r"0([0-9A-Z])([FM][1-8])S([E1-8])T([0-9])\.(WAV|SPH)", re.IGNORECASE)
_SPEAKER = slice(2, 4)  # of a token's name
_DEPTH = 3  # levels of folders in which ti20 or ti_alpha is looked for


@dataclass(frozen=True, order=True)
class Token:
    """A recording: word, speaker, session; ``name`` is that of its file, in lower case."""

    label: int
    name: str
    path: Path

    @property
    def speaker(self) -> str:
        """Speaker, f1 to f8 or m1 to m8."""
        return self.name[_SPEAKER]


def source(
    split: Split = "train",
    *,
    task: Task = "digits",
    root: str | Path | None = None,
    speakers: Sequence[str] | None = None,
    step: float = STEP,
) -> Source:
    """Recordings of one split of TI46-Digits or TI46-Alpha.

    Parameters
    ----------
    split
        "train" (the enrollment session) or "test" (the eight sessions after it).
    task
        "digits" or "alpha".
    root
        Folder of the corpus; None to look where :mod:`eventsim.datasets.dataset` says.
    speakers
        Only these, for example ``["f1", "m3"]``; None for all that are there.
    step
        Length of a step in ms: 1.6 is the time that passed, 1.0 the time of simulators that take
        a step for a millisecond.

    Returns
    -------
    Source
        Samples ordered by (word, speaker, session, take); groups are the speakers, keys the names
        of the files. A sample lasts as long as its audio, at most 700 steps. New arrays.

    Raises
    ------
    DataError
        The corpus is missing, or a recording is unreadable, compressed or of another rate.
    """
    check_task(task)
    check_step(step)
    check_split(INFO[task].name, split)
    place = find("ti46", root=root, candidates=())
    if place is None:
        missing("ti46", "corpus", None, obtain=_OBTAIN)
    found = tokens(place, task=task, split=split)
    if speakers is not None:
        there = {t.speaker for t in found}
        check_speakers(f"ti46_{task}, {place}", speakers or ("",), there)

    def choose(keys: Texts) -> NDArray[np.bool_]:
        return np.array([key[_SPEAKER] in (speakers or ()) for key in keys.tolist()])

    return Source(
        info=INFO[task],
        split=split,
        make=lambda: _samples(found, step),
        key=lambda: _cache_key(found, split, step),
        choose=None if speakers is None else choose,
        encoded=True,
    )


load = loading(source)


def digits(
    split: Split = "train", *, root: str | Path | None = None, download: bool = False
) -> Source:
    """TI46-Digits, as :func:`source`; nothing can be downloaded: the LDC licenses the audio."""
    del download
    return source(split, task="digits", root=root)


def alpha(
    split: Split = "train", *, root: str | Path | None = None, download: bool = False
) -> Source:
    """:func:`digits` of TI46-Alpha."""
    del download
    return source(split, task="alpha", root=root)


def tokens(place: Path, *, task: Task, split: Split) -> list[Token]:
    """The recordings of a split, ordered by (word, speaker, session, take).

    Raises DataError (there is no folder of that task and split, or no recording in it).
    """
    folder = _child(_folder(place, FOLDERS[task]), split)
    found: dict[str, Token] = {}
    for path in sorted(folder.glob("*/*")):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1].isdigit() != (task == "digits"):
            continue  # a command, a letter among digits, or no recording
        label = int(match[1]) if task == "digits" else ord(match[1].lower()) - ord("a")
        name = path.stem.lower()
        # sph2pipe leaves 03f1set7.wav beside 03f1set7.sph: the wav file can be read for sure.
        if match[5].lower() == "wav" or name not in found:
            found[name] = Token(label, name, path)
    what = f"recording named like f1/{'03' if task == 'digits' else '0c'}f1set7.wav in subfolders"
    some(found, f"ti46_{task}, {folder}", what, remedy=_OBTAIN, error=DataError)
    return sorted(found.values())


def recording(values: NDArray[np.float64], n_steps: float, step: float) -> Recording:
    """Spikes of frames [78, frames] from audio that lasts ``n_steps``."""
    steps, channels = CODER.steps(values)
    return Recording(steps * step, channels, min(n_steps, LIMIT) * step)


def check_task(task: str) -> None:
    """Raise DataError unless ``task`` is "digits" or "alpha"."""
    one_of("ti46", "task", task, CLASS_NAMES, error=DataError)


def check_step(step: float) -> None:
    """Raise DataError unless ``step`` is a length in ms."""
    in_domain("ti46", "step", step, Positive, error=DataError)


def _folder(place: Path, name: str) -> Path:
    """The folder ``name``: ``place``, or one in it or in its subfolders, in either case."""
    level = [place]
    for _ in range(_DEPTH):
        level = [folder for folder in level if folder.is_dir()]
        for folder in level:
            if folder.name.lower() == name:
                return folder
        level = [path for folder in level for path in sorted(folder.iterdir())]
    missing("ti46", f"folder or subfolder {name!r}", place, obtain=_OBTAIN)


def _child(folder: Path, name: str) -> Path:
    for path in folder.iterdir():
        if path.name.lower() == name and path.is_dir():
            return path
    missing("ti46", f"folder {name!r}", folder, obtain=_OBTAIN)


def _cache_key(found: list[Token], split: Split, step: float) -> dict[str, str]:
    modules = (audio_module, frames, lyon, bsa)
    return {
        "split": split,
        "recordings": digest((t.name, _read(t.path)) for t in found),
        "encoder": f"{EAR}, {CODER}, step={step!r}",
        "code": code_digest(__file__, *(str(m.__file__) for m in modules)),
    }


def _samples(found: list[Token], step: float) -> Samples:
    return Samples(
        recordings=_recordings(found, step),
        labels=np.array([t.label for t in found], dtype=np.int64),
        groups=np.array([t.speaker for t in found]),
        keys=np.array([t.name for t in found]),
        n_channels=N_CHANNELS,
    )


def _recordings(found: list[Token], step: float) -> Iterator[Recording]:
    groups = [found[start : start + GROUP] for start in range(0, len(found), GROUP)]

    def encode(group: list[Token]) -> list[Recording]:
        clips = [_clip(token.path) for token in group]
        heard = EAR.frames_of(clips, SAMPLE_RATE)
        return [
            recording(one.values, clip.size / SAMPLES_PER_STEP, step)
            for one, clip in zip(heard, clips, strict=True)
        ]

    for encoded in mapped(encode, groups):
        yield from encoded


def _clip(path: Path) -> NDArray[np.int16]:
    rate, samples = read_audio(_read(path), str(path))
    if rate != SAMPLE_RATE:
        raise DataError(
            path,
            f"sample rate is {rate:g} Hz",
            SAMPLE_RATE,
            "The number of channels and the length of a step depend on it: use the audio as the "
            "LDC has it.",
        )
    return samples


def _read(path: Path) -> bytes:
    return read_content(path, expected="a recording of one word", largest=LARGEST_FILE)
