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

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from eventsim.datasets.cache import Arrays, cached, code_digest, digest
from eventsim.datasets.dataset import Split, check_split, find, searched, user_folder
from eventsim.datasets.encoders import CochleaEncoder
from eventsim.datasets.encoders.cochlea import SOURCES
from eventsim.datasets.progress import track
from eventsim.errors import DataError
from eventsim.events import EventStream

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ENCODER = CochleaEncoder()
TEST_INDICES = 5  # takes 0 to 4 of every speaker and digit

_COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
ARCHIVE_URL = f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/{_COMMIT}.zip"
# GitHub packs this archive when it is asked for, so the zip has no lasting checksum. What was
# downloaded is held to its content instead: see `check_complete`.
ARCHIVE_SHA256: str | None = None
ARCHIVE_FILES = 3000
# SHA-256 over the recordings of the five speakers below, as `digest` forms it.
KNOWN_SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
KNOWN_SHA256 = "cbf19f272c589a1e7ca2beaa25514873e15c6e7b95f15ece932b7992fa6821a4"

_NAME = re.compile(r"(?:.*/)?(\d)_([^_/]+)_(\d+)\.wav")


@dataclass(frozen=True, eq=False)
class Recordings:
    """Which recording is which: digit, speaker and take, all [samples], ordered by these."""

    digits: NDArray[np.int64]
    speakers: NDArray[np.str_]
    indices: NDArray[np.int64]

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """Mask of the official test split. New array."""
        return self.indices < TEST_INDICES


def load(
    split: Split,
    *,
    speakers: Sequence[str] | None = None,
    root: str | Path | None = None,
    encoder: CochleaEncoder | None = None,
    download: bool = False,
) -> tuple[EventStream, NDArray[np.int64], tuple[str, ...]]:
    """Events, labels and class names of one split.

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
    stream, labels, class_names
        Samples ordered by (digit, speaker, take); labels int64 [samples] are the digits.

    Raises
    ------
    DataError
        No recordings, an unreadable one, an unknown speaker, an empty selection.
    """
    stream, recordings = load_with_speakers(
        split, speakers=speakers, root=root, encoder=encoder, download=download
    )
    return stream, recordings.digits, CLASS_NAMES


def load_with_speakers(
    split: Split,
    *,
    speakers: Sequence[str] | None = None,
    root: str | Path | None = None,
    encoder: CochleaEncoder | None = None,
    download: bool = False,
) -> tuple[EventStream, Recordings]:
    """As :func:`load`, with digit, speaker and take of every sample."""
    check_split("fsdd", split)
    place = find("fsdd", root=root, candidates=("fsdd.zip",))
    if place is None:
        if not download:
            raise DataError(
                f"fsdd: no recordings found. Looked in {searched('fsdd')}. Pass download=True, or "
                f"fetch {ARCHIVE_URL} by hand and put it, as fsdd.zip or unpacked, into one of "
                "these folders."
            )
        place = fetch()
    files = read_files(place)
    recordings = _recordings(list(files))
    stream = _encoded(files, encoder or ENCODER)
    wanted = recordings.is_test if split == "test" else ~recordings.is_test
    if speakers is not None:
        unknown = sorted(set(speakers) - set(recordings.speakers.tolist()))
        if unknown:
            known = ", ".join(np.unique(recordings.speakers))
            raise DataError(f"fsdd, {place}: no speaker {', '.join(unknown)}. There are: {known}.")
        wanted &= np.isin(recordings.speakers, list(speakers))
    if not wanted.any():
        raise DataError(f"fsdd, {place}: no recording in split {split!r} of these speakers.")
    chosen = Recordings(
        recordings.digits[wanted], recordings.speakers[wanted], recordings.indices[wanted]
    )
    return stream[wanted], chosen


def read_files(place: Path) -> dict[str, bytes]:
    """Content of every recording by file name, ordered by (digit, speaker, take).

    Raises
    ------
    DataError
        ``place`` is no folder or zip file, holds no recording, or the same one twice.
    """
    files = _read_zip(place) if place.is_file() else _read_folder(place)
    if not files:
        raise DataError(
            f"fsdd: {place} holds no file named like 7_jackson_32.wav. Expected the recordings "
            "themselves, a folder 'recordings' with them, or a zip file of either."
        )
    return dict(sorted(files.items(), key=lambda item: _parts(item[0])))


def fetch() -> Path:
    """Download the archive into the user's data folder, check it, and return its path.

    Raises
    ------
    DataError
        It cannot be fetched, or is not what was expected.
    """
    # Slow to import, and needed for downloads only.
    import pooch  # type: ignore[import-untyped, unused-ignore]

    folder = user_folder("fsdd")
    try:
        found = pooch.retrieve(
            ARCHIVE_URL, known_hash=ARCHIVE_SHA256, fname="fsdd.zip", path=folder, progressbar=False
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"fsdd: download of {ARCHIVE_URL} failed ({type(error).__name__}: {error}). Fetch it "
            f"by other means and put it into {folder} as fsdd.zip."
        ) from error
    path = Path(found)
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
            f"fsdd: {place} holds {len(files)} recordings, expected {ARCHIVE_FILES} with the "
            f"content of commit {_COMMIT}. The download was cut off or altered; try again."
        )


def _encoded(files: dict[str, bytes], encoder: CochleaEncoder) -> EventStream:
    key = {
        "recordings": digest(files.items()),
        "encoder": encoder.describe(),
        "code": code_digest(__file__, *SOURCES),
    }
    arrays = cached("fsdd", key=key, make=lambda: _encode_all(files, encoder))
    return EventStream(
        arrays["times"],
        arrays["channels"],
        arrays["offsets"],
        n_channels=encoder.n_channels,
        duration=arrays["duration"],
    )


def _encode_all(files: dict[str, bytes], encoder: CochleaEncoder) -> Arrays:
    events, duration = [], []
    for name, content in track(files.items(), total=len(files), title="encoding fsdd"):
        rate, audio = _read_wav(name, content)
        events.append(encoder.encode(audio, rate))
        duration.append(1e3 * audio.size / rate)
    lengths = [t.size for t, _ in events]
    return {
        "times": np.concatenate([t for t, _ in events]),
        "channels": np.concatenate([c for _, c in events]),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "duration": np.array(duration),
    }


def _read_wav(name: str, content: bytes) -> tuple[int, NDArray[np.int16]]:
    try:
        with warnings.catch_warnings():
            # SciPy only warns of missing audio, and of chunks that it skips, which is harmless.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, audio = wavfile.read(io.BytesIO(content))
    except (ValueError, EOFError, struct.error, wavfile.WavFileWarning) as error:
        raise DataError(
            f"fsdd, {name}: cannot be read as a wav file ({error}). It is truncated or something "
            "else; get it anew."
        ) from error
    if audio.ndim != 1 or audio.dtype != np.int16 or audio.size == 0:
        raise DataError(
            f"fsdd, {name}: audio has shape {audio.shape} and type {audio.dtype}, expected mono "
            "16-bit PCM with at least one sample."
        )
    return rate, audio


def _read_folder(place: Path) -> dict[str, bytes]:
    folder = place / "recordings" if (place / "recordings").is_dir() else place
    return {p.name: p.read_bytes() for p in folder.glob("*.wav") if _NAME.fullmatch(p.name)}


def _read_zip(place: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(place) as archive:
            for member in archive.namelist():
                if _NAME.fullmatch(member) is None:
                    continue
                name = member.rsplit("/", 1)[-1]
                if name in files:
                    raise DataError(f"fsdd: {place} holds {name} twice. Expected each one once.")
                files[name] = archive.read(member)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError) as error:
        raise DataError(
            f"fsdd: {place} cannot be read as a zip file ({error}). It is truncated or something "
            "else; get it anew."
        ) from error
    return files


def _parts(name: str) -> tuple[int, str, int]:
    match = _NAME.fullmatch(name)
    assert match is not None
    return int(match[1]), match[2], int(match[3])


def _recordings(names: list[str]) -> Recordings:
    digits, speakers, indices = zip(*map(_parts, names), strict=True)
    return Recordings(np.array(digits), np.array(speakers), np.array(indices))
