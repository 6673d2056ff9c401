"""N-TIDIGITS18: single and connected digits as a 64-channel silicon cochlea heard them.

The file, its keys, its times and its labels are those of :mod:`eventsim.datasets.ntidigits_file`.

There are two ways to divide the samples. The **official** one is the file's own, by speaker:
``train`` and ``test``. The other, ``ab-train`` and ``ab-test``, pools both halves and takes the
first utterances as train and the second as test, with the same speakers on both sides; it is
easier, so name it with every result: ``Dataset.split`` does.

As ``ntidigits`` the samples are single digits. As ``ntidigits_strings`` they are all samples, and a
class is what was said, digit by digit: ``"seven five five seven"``. Single digits come first among
its classes, in both halves, so that words have the same numbers everywhere; what else is said
differs. Such samples are learned by the loss ``ctc``.

References
----------
Anumula, Neil, Delbruck, Liu (2018), Feature representations for neuromorphic audio spike streams,
Front. Neurosci. 12:23. tonic 1.7, ``tonic.datasets.NTIDIGITS18`` (address and checksum).
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from eventsim.checks import some
from eventsim.datasets import dataset, hdf5, ntidigits_file
from eventsim.datasets.cache import Samples, code_digest, file_digest
from eventsim.datasets.dataset import Split, check_split, fetch, find, missing
from eventsim.datasets.ntidigits_file import (
    CLASS_NAMES,
    HALVES,
    N_CHANNELS,
    Key,
    parse_key,
    read,
    read_keys,
    recordings,
    write,
)
from eventsim.datasets.sources import Source, loading
from eventsim.errors import DataError
from eventsim.events import DatasetInfo

__all__ = [
    "CLASS_NAMES", "INFO", "MD5", "STRINGS", "N_CHANNELS", "URL", "Key", "load", "load_strings",
    "locate", "parse_key", "read", "read_keys", "source", "strings_source",
    "write",
]  # fmt: skip

FILE_NAME = "n-tidigits.hdf5"
TONIC_FILE = f"NTIDIGITS18/{FILE_NAME}"  # where tonic looks inside the folder it is given

# As tonic 1.7 declares them; it does not compare the checksum itself.
URL = (
    "https://www.dropbox.com/scl/fi/1x4lxt9yyw25sc3tez8oi/n-tidigits.hdf5"
    "?e=2&rlkey=w8gi5udvib2zqzosusa5tr3wq&dl=1"
)
MD5 = "360a2d11e5429555c9197381cf6b58e0"

INFO = DatasetInfo(
    name="ntidigits",
    description="N-TIDIGITS18: digits of TIDIGITS heard by a silicon cochlea",
    classes=CLASS_NAMES,
    channels=N_CHANNELS,
    splits="official: other speakers in test; ab: first utterances train, second test",
    obtain=(
        f"Downloaded on request (421 MB) while tonic's address of it works, or get {FILE_NAME} "
        "from its authors (Sensors group, INI Zurich) and put it into $EVENTSIM_DATA/ntidigits."
    ),
    licence="see its authors",
    parts=("train", "test", "ab-train", "ab-test"),
    samples="2,463 + 2,486 single digits; 8,621 + 8,697 with connected ones",
    lasts=900.0,
    # Of both names of a part: the one that loads it, and the one that the data then has.
    grouped=("train", "test", "official-train", "official-test"),
)
STRINGS = replace(
    INFO,
    name="ntidigits_strings",
    description="N-TIDIGITS18: connected digits; a class is all that was said",
    samples="8,621 + 8,697, of one to seven digits",
    lasts=1500.0,
)
_OTHERWISE = (
    "The address often does not work; the authors of the data set (Sensors group, INI Zurich) give "
    "another. For a set of the same layout that is made here, use 'spoken_digits'."
)


def source(
    split: Split = "train", *, root: str | Path | None = None, download: bool = False
) -> Source:
    """Single digits of one split.

    Parameters
    ----------
    split
        "train" or "test" of the official division, "ab-train" or "ab-test".
    root
        The HDF5 file or its folder; None to look where :mod:`eventsim.datasets.dataset` says.
    download
        Fetch the file (421 MB) into the user's data folder if it is nowhere.

    Returns
    -------
    Source
        Samples in the file's order; labels 0 for "oh" to 10 for "zero"; groups are speakers, keys
        as above, split is "official-train" and so on. New arrays.

    Raises
    ------
    DataError
        The file is missing, truncated, of another layout, or one of its arrays is not
        what the layout promises.
    """
    return _source(INFO, split, 1, root, download)


load = loading(source)


def strings_source(
    split: Split = "train",
    *,
    n_digits: int | None = None,
    root: str | Path | None = None,
    download: bool = False,
) -> Source:
    """As :func:`load`, the samples in which ``n_digits`` digits are said, or any number.

    Classes are what was said, digit by digit; single digits are the first ones.
    """
    return _source(STRINGS, split, n_digits, root, download)


load_strings = loading(strings_source)


def _source(
    info: DatasetInfo,
    split: Split,
    n_digits: int | None,
    root: str | Path | None,
    download: bool,
) -> Source:
    division, half = _parsed(split)
    path = locate(root=root, download=download)
    return Source(
        info,
        f"{division}-{half}",
        make=partial(_samples, path, division, half, n_digits),
        key=lambda: {
            "file": file_digest(path),
            "split": f"{division}-{half}",
            "digits": str(n_digits),
            "code": code_digest(
                __file__, *(str(m.__file__) for m in (dataset, hdf5, ntidigits_file))
            ),
        },
    )


def locate(*, root: str | Path | None = None, download: bool = False) -> Path:
    """Path of the file, as :func:`load` looks for it; DataError if there is none."""
    path = find("ntidigits", root=root, candidates=(FILE_NAME, TONIC_FILE))
    if path is None and download:
        return fetch(
            "ntidigits", URL, file=FILE_NAME, known_hash=f"md5:{MD5}", otherwise=_OTHERWISE
        )
    if path is None or path.is_dir():
        other = "For a set of the same layout that is made here, use 'spoken_digits'."
        missing("ntidigits", f"file {FILE_NAME}", path, obtain=f"{INFO.obtain} {other}")
    return path


def _parsed(split: Split) -> tuple[str, str]:
    """Division and half that a split names."""
    allowed = (*INFO.parts, "official-train", "official-test")
    if split in ("official", "ab"):
        raise DataError(
            "ntidigits",
            f"split is {split!r}, a way to divide the samples",
            remedy=f"Name the part as well: '{split}-train' or '{split}-test'.",
        )
    check_split("ntidigits", split, allowed)
    division, _, half = split.rpartition("-")
    return division or "official", half


def _wanted(path: Path, division: str, half: str, n_digits: int | None) -> list[tuple[str, Key]]:
    """Half and key of every sample of a split in which so many digits are said."""
    found = []
    for name in (half,) if division == "official" else HALVES:
        for key in read_keys(path, name):
            other_take = division == "ab" and (key.take == "a") != (half == "train")
            if not other_take and n_digits in (None, len(key.digits)):
                found.append((name, key))
    what = f"sample with {n_digits} digits in split '{division}-{half}'"
    return some(found, path, what, expected="one or more", error=DataError)


def _samples(path: Path, division: str, half: str, n_digits: int | None) -> Samples:
    """Samples whose class is the string that is said; that of a single digit is its label."""
    wanted = _wanted(path, division, half, n_digits)
    keys = [key for _, key in wanted]
    said = [" ".join(CLASS_NAMES[label] for label in key.labels) for key in keys]
    names = (*CLASS_NAMES, *sorted(set(said) - set(CLASS_NAMES)))
    number = {name: k for k, name in enumerate(names)}
    return Samples(
        recordings=recordings(path, wanted),
        labels=np.array([number[one] for one in said], np.int64),
        groups=np.array([key.speaker for key in keys]),
        keys=np.array([str(key) for key in keys]),
        n_channels=N_CHANNELS,
        class_names=names,
    )
