"""Free Spoken Digit Dataset: people saying "zero" to "nine", encoded as events.

Recordings are wav files ``{digit}_{speaker}_{index}.wav`` in a folder, in its subfolder
``recordings``, or in a zip file. The official split takes the indices 0 to 4 of every speaker
and digit as test, the rest (5 to 49) as train: the speakers of both are the same.

The encoded events of all recordings are cached in one file; see
:mod:`eventsim.datasets.cache`.

References
----------
Jackson et al., Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset,
CC BY-SA 4.0. Event streams made from it are adaptations under the same licence.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import some
from eventsim.datasets import audio as audio_module
from eventsim.datasets.archive import read_zip
from eventsim.datasets.audio import read_audio
from eventsim.datasets.cache import Samples, code_digest, digest
from eventsim.datasets.dataset import (
    Split,
    Texts,
    check_speakers,
    check_split,
    fetch,
    find,
    missing,
    read_content,
)
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.encoders.cochlea import SOURCES
from eventsim.datasets.parallel import mapped
from eventsim.datasets.sources import Source, loading
from eventsim.errors import DataError
from eventsim.events import DatasetInfo, Recording

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ENCODER = CochleaEncoder()
TEST_INDICES = 5  # takes 0 to 4 of every speaker and digit

_COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
ARCHIVE_URL = f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/{_COMMIT}.zip"
# GitHub packs this archive when it is asked for, so the zip has no lasting checksum. What was
# downloaded is held to its content instead: see `check_complete`.
ARCHIVE_FILES = 3000
# SHA-256 over the recordings of the five speakers below, as `digest` forms it.
KNOWN_SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
KNOWN_SHA256 = "cbf19f272c589a1e7ca2beaa25514873e15c6e7b95f15ece932b7992fa6821a4"

INFO = DatasetInfo(
    name="fsdd",
    description="Free Spoken Digit Dataset: people say zero to nine, 8 kHz",
    classes=CLASS_NAMES,
    channels=ENCODER.n_channels,
    splits="takes 0-4 of every speaker and digit are test, 5-49 train; same speakers in both",
    obtain=f"Downloaded on request, or put {ARCHIVE_URL} into $EVENTSIM_DATA/fsdd.",
    licence="CC BY-SA 4.0",
    samples="2,700 + 300",
    lasts=400.0,
)
LARGEST_FILE = 1 << 24  # bytes; the longest recording has 37,000

_NAME = re.compile(r"(?:.*/)?(\d)_([^_/]+)_(\d+)\.wav")


def source(
    split: Split = "train",
    *,
    speakers: Sequence[str] | None = None,
    root: str | Path | None = None,
    encoder: CochleaEncoder | None = None,
    download: bool = False,
) -> Source:
    """Recordings of one split.

    Parameters
    ----------
    split
        "train" (takes 5 and up) or "test" (takes 0 to 4).
    speakers
        Only these speakers; None for all that are there.
    root
        Folder or zip file of the recordings; None to look where
        :mod:`eventsim.datasets.dataset` says.
    encoder
        None for ``ENCODER``.
    download
        Fetch the recordings (about 16 MB) into the user's data folder if there are none.

    Returns
    -------
    Source
        Samples ordered by (digit, speaker, take); labels are the digits, groups the speakers, keys
        like "7_jackson_32". New arrays.

    Raises
    ------
    DataError
        No recordings, an unreadable one, an unknown speaker, an empty selection.
    """
    check_split("fsdd", split)
    place = find("fsdd", root=root, candidates=("fsdd.zip",))
    if place is None:
        if not download:
            obtain = (
                f"Pass download=True, or fetch {ARCHIVE_URL} by hand and put it, as fsdd.zip or "
                "unpacked, into one of these folders."
            )
            missing("fsdd", "recordings", None, obtain=obtain)
        place = fetch_archive()
    files = read_files(place)
    there = {_parts(name)[1] for name in files}
    check_speakers(f"fsdd, {place}", speakers, there)
    choose = partial(_chosen, split=split, speakers=there if speakers is None else set(speakers))
    what, remedy = f"recording in split {split!r} of these speakers", "Choose others."
    some(choose(_keys(files)).any(), f"fsdd, {place}", what, remedy=remedy, error=DataError)
    return Source(
        INFO,
        split,
        make=partial(_samples, files, encoder or ENCODER),
        key=lambda: {
            "recordings": digest(files.items()),
            "encoder": (encoder or ENCODER).describe(),
            "code": code_digest(__file__, str(audio_module.__file__), *SOURCES),
        },
        choose=choose,
        encoded=True,
    )


load = loading(source)


def read_files(place: Path) -> dict[str, bytes]:
    """Content of every recording by file name, ordered by (digit, speaker, take).

    Raises DataError (``place`` is no folder or zip file, holds no recording, or the same one
    twice).
    """
    files = _read_zip(place) if place.is_file() else _read_folder(place)
    some(
        files,
        f"fsdd, {place}",
        "file named like 7_jackson_32.wav",
        expected="the recordings themselves, a folder 'recordings' with them, or a zip file of "
        "either",
        error=DataError,
    )
    return dict(sorted(files.items(), key=lambda item: _parts(item[0])))


def fetch_archive() -> Path:
    """Download the archive into the user's data folder, check it, and return its path.

    Raises DataError (it cannot be fetched, or is not what was expected).
    """
    path = fetch("fsdd", ARCHIVE_URL, file="fsdd.zip", known_hash=None)
    try:
        check_complete(read_files(path), path)
    except DataError:
        path.unlink(missing_ok=True)
        raise
    return path


def check_complete(files: dict[str, bytes], place: Path) -> None:
    """Hold a whole download to the known number of files and the known content of most."""
    known = [(name, data) for name, data in files.items() if _parts(name)[1] in KNOWN_SPEAKERS]
    if len(files) != ARCHIVE_FILES or digest(known) != KNOWN_SHA256:
        raise DataError(
            "fsdd",
            f"{place} holds {len(files)} recordings",
            f"{ARCHIVE_FILES} with the content of commit {_COMMIT}",
            "The download was cut off or altered; try again.",
        )


def _samples(files: dict[str, bytes], encoder: CochleaEncoder) -> Samples:
    parts = [_parts(name) for name in files]
    return Samples(
        recordings=_encoded(files, encoder),
        labels=np.array([digit for digit, _, _ in parts], np.int64),
        groups=np.array([speaker for _, speaker, _ in parts]),
        keys=_keys(files),
        n_channels=encoder.n_channels,
    )


def _encoded(files: dict[str, bytes], encoder: CochleaEncoder) -> Iterator[Recording]:
    def encode(item: tuple[str, bytes]) -> Recording:
        name, content = item
        rate, clip = read_audio(content, f"fsdd, {name}")
        return Recording(*encoder.encode(clip, rate), duration=1e3 * clip.size / rate)

    return mapped(encode, files.items())


def _read_folder(place: Path) -> dict[str, bytes]:
    folder = place / "recordings" if (place / "recordings").is_dir() else place
    return {
        p.name: read_content(p, expected="a recording of one word", largest=LARGEST_FILE)
        for p in folder.glob("*.wav")
        if _NAME.fullmatch(p.name)
    }


def _read_zip(place: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    members = read_zip(place, wanted=lambda m: _NAME.fullmatch(m) is not None, largest=LARGEST_FILE)
    for member, content in members:
        name = member.rsplit("/", 1)[-1]
        if name in files:
            raise DataError(f"fsdd, {place}", f"holds {name} twice", "each one once")
        files[name] = content
    return files


def _keys(files: dict[str, bytes]) -> Texts:
    return np.array([name.removesuffix(".wav") for name in files])


def _chosen(keys: Texts, *, split: Split, speakers: set[str]) -> NDArray[np.bool_]:
    """Mask of the samples that belong to a split of these speakers."""
    parts = [_parts(f"{key}.wav") for key in keys]
    return np.array(
        [who in speakers and (take < TEST_INDICES) == (split == "test") for _, who, take in parts]
    )


def _parts(name: str) -> tuple[int, str, int]:
    match = _NAME.fullmatch(name)
    assert match is not None
    return int(match[1]), match[2], int(match[3])
