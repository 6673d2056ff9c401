"""Files of named arrays (``.npz``) of unknown origin: headers first, then what they claim.

NumPy's own reader allocates the memory that a header claims, and unpacks a member before its shape
can be checked. Here the headers of all members are read first, a few bytes each. Their claims are
compared with

* the size that the archive gives the member,
* the packed size of the file: recorded events, weights and sound unpack to 2 to 5 times as
  much; beyond ``FREE_BYTES`` more than ``LARGEST_RATIO`` times is refused, and what eventsim writes
  stays below (:func:`eventsim.events.storage.write_arrays`),
* the form that the reader of the file expects, before the first value is read.

Nothing is unpickled.
"""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from eventsim.arrays import is_whole
from eventsim.errors import EventSimError, StorageError

LARGEST_RATIO = 100  # unpacked over packed
FREE_BYTES = 1 << 26  # 64 MiB need no proof
LONGEST_TEXT = 1 << 24  # characters of a text
MOST_WORDS = 300  # characters of what a parser says; it may quote the file
_PIECE = 1 << 20

# What zipfile, zlib, NumPy and h5py, and the parsing of what they give, raise on damaged files.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    EOFError,
    OSError,
    RuntimeError,  # encrypted; RecursionError of a nested header
    NotImplementedError,  # a method of packing that zipfile does not know
    ValueError,
    TypeError,
    SyntaxError,
    AttributeError,
    LookupError,
    OverflowError,
)


def hold(fact: bool, otherwise: str) -> None:
    """Raise ValueError unless a fact of a file holds; :func:`explained` makes an error of it."""
    if not fact:
        raise ValueError(otherwise)


class Claim(NamedTuple):
    """Header of an array whose values have not been read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    in_fortran_order: bool
    start: int  # first byte of the values in the member


class Archive:
    """An open file; made by :func:`opened`.

    Attributes
    ----------
    claims
        What the headers say, by the names of the arrays.
    """

    def __init__(self, file: zipfile.ZipFile, packed: int):
        self._file = file
        members = file.infolist()
        unpacked = sum(member.file_size for member in members)
        hold(
            unpacked <= max(FREE_BYTES, LARGEST_RATIO * packed),
            f"it unpacks to {unpacked} bytes from {packed}, expected at most {LARGEST_RATIO} "
            "times as many; it is damaged or made to fill memory",
        )
        names = [member.filename for member in members]
        hold(len(set(names)) == len(names), "it holds an array twice")
        self.claims = {m.filename.removesuffix(".npy"): self._claim(m) for m in members}

    def _claim(self, member: zipfile.ZipInfo) -> Claim:
        with self._file.open(member) as content:
            version = npy.read_magic(content)
            words = f"{member.filename} has version {version} of the format npy"
            hold(version in ((1, 0), (2, 0)), words)
            old = version == (1, 0)
            read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
            shape, in_fortran_order, dtype = read(content)
            start = content.tell()
        size = math.prod(shape) * dtype.itemsize
        whole = all(n >= 0 for n in shape) and size == member.file_size - start
        hold(
            whole and not dtype.hasobject,
            f"{member.filename} is not a whole array: it claims {shape} of {dtype}, "
            f"{member.file_size - start} bytes are stored",
        )
        return Claim(shape, dtype, in_fortran_order, start)

    def read(self, name: str) -> NDArray[Any]:
        """An array. New array."""
        claim = self.claims[name]
        inner = f"{name}.npy" if f"{name}.npy" in self._file.NameToInfo else name
        with self._file.open(inner) as content:
            content.read(claim.start)
            values: Any = np.empty(math.prod(claim.shape), claim.dtype)
            if values.nbytes:
                _fill(content, memoryview(values.view(np.uint8)))
            # At its end the checksum is compared.
            hold(not content.read(1), f"{name} goes on after its values")
        order = "F" if claim.in_fortran_order else "C"
        array: NDArray[Any] = values.reshape(claim.shape, order=order)
        return array

    def text(self, name: str) -> str:
        """A text that is stored as an array without dimensions."""
        claim = self.claims[name]
        is_text = not claim.shape and np.issubdtype(claim.dtype, np.str_)
        words = f"{name} is {claim.shape} of {claim.dtype}, expected a text"
        hold(is_text and claim.dtype.itemsize <= 4 * LONGEST_TEXT, words)
        return str(self.read(name))

    def number(self, name: str) -> int:
        """A whole number that is stored as an array without dimensions."""
        claim = self.claims[name]
        words = f"{name} is {claim.shape} of {claim.dtype}, expected a whole number"
        hold(not claim.shape and is_whole(claim.dtype), words)
        return int(self.read(name))


def _fill(content: Any, room: memoryview) -> None:
    at = 0
    while at < len(room):
        piece = content.read(min(_PIECE, len(room) - at))
        if not piece:
            raise EOFError(f"it ends after {at} of {len(room)} bytes")
        room[at : at + len(piece)] = piece
        at += len(piece)


@contextmanager
def explained(
    path: str | Path,
    *,
    expected: str,
    error: type[EventSimError],
    failures: tuple[type[Exception], ...] = UNREADABLE,
) -> Iterator[None]:
    """Whatever fails in the block because of a file is ``error``, as that it is no regular file.

    ``expected`` says what it should hold, for the messages.
    """
    try:
        if not Path(path).is_file():  # a pipe would block
            what = "is no regular file" if Path(path).exists() else "no such file"
            raise error(path, what, expected)
        yield
    except EventSimError:
        raise
    except failures as problem:
        said = str(problem)[:MOST_WORDS]
        raise error(
            path,
            f"cannot be read as {expected} ({type(problem).__name__}: {said})",
            remedy="It is truncated, damaged or something else: take a whole copy, or write or "
            "download it again.",
        ) from problem


@contextmanager
def opened(
    path: str | Path, *, expected: str, error: type[EventSimError] = StorageError
) -> Iterator[Archive]:
    """An ``.npz`` file, :func:`explained`; arrays that memory cannot hold are such a failure."""
    failures = (*UNREADABLE, MemoryError)
    with (
        explained(path, expected=expected, error=error, failures=failures),
        open(path, "rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        yield Archive(archive, file.seek(0, 2))


class Form(NamedTuple):
    """Type and shape that an array must have; None for a dimension of any length."""

    dtype: str
    shape: tuple[int | None, ...]


def check_forms(claims: Mapping[str, Any], forms: Mapping[str, Form]) -> None:
    """Raise KeyError for an array that is missing, ValueError for one of another form.

    Claims are anything with a shape and a type. Whole numbers without dimensions may be of any
    size.
    """
    for name, form in forms.items():
        claim = claims[name]
        same_length = len(claim.shape) == len(form.shape) and all(
            wanted is None or length == wanted
            for length, wanted in zip(claim.shape, form.shape, strict=True)
        )
        wanted = np.dtype(form.dtype)
        number = not form.shape and wanted.kind == "i" and is_whole(claim.dtype)
        same_type = claim.dtype.newbyteorder("=") == wanted or number
        lengths = ", ".join("any" if n is None else str(n) for n in form.shape)
        came = f"{name} has shape {claim.shape} and type {claim.dtype}"
        hold(same_length and same_type, f"{came}, expected ({lengths}) and {wanted}")
