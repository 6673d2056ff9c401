"""Formats of files of events, recognised by their content: first bytes, then contents.

============== ==================================================================
format         file
============== ==================================================================
``stored``     HDF5 of :mod:`eventsim.events.stored`, with or without labels
``ntidigits``  HDF5 in the layout of N-TIDIGITS18
``shd``        HDF5 in the layout of SHD and SSC
``nir``        HDF5 of NIR's data (``nir.write_data``)
``npz``        :meth:`eventsim.events.EventStream.save`
``aedat``      AEDAT 1 to 4; version 1 has no mark: anything binary called ``.aedat``
``arrays``     npy, npz, MATLAB, HDF5 and raw files of cameras, see
               :mod:`eventsim.datasets.camera_files`
``audio``      wav or NIST SPHERE, which the streaming cochlea encodes
``csv``        text, see :mod:`eventsim.datasets.text`
============== ==================================================================
"""

import re
from pathlib import Path

from eventsim.datasets.dataset import opened
from eventsim.errors import DataError
from eventsim.events import hdf5, npz

FORMATS = {
    "stored": "an event file of eventsim (.h5)",
    "ntidigits": "HDF5 in the layout of N-TIDIGITS18",
    "shd": "HDF5 in the layout of SHD and SSC",
    "nir": "events of NIR",
    "npz": "a file of EventStream.save (.npz)",
    "aedat": "AEDAT",
    "arrays": "events of a camera in arrays (.npy, .npz, .mat, HDF5, raw EVT)",
    "audio": "audio (wav, NIST SPHERE)",
    "csv": "text: time, channel, perhaps sample",
}
_EXPECTED = f"a file of events: {'; '.join(FORMATS.values())}"
# Ends of names that no text has; .raw and .aedat may be anything.
_NEVER_TEXT = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".aedat4", ".wav", ".sph")
_HEAD = 4096  # bytes that tell text from others
_HDF5, _ZIP, _AEDAT = b"\x89HDF\r\n\x1a\n", b"PK", b"#!AER-DAT"
_EVT = re.compile(rb"^% (evt |format EVT)", re.MULTILINE)
_ARRAYS = (b"\x93NUMPY", b"MATLAB 5.0")
_COLUMNS = ({"t", "x"}, {"ts", "xs"}, {"ts", "x"}, {"timestamps", "x"})  # that tell arrays
_PACKED = {"t", "x", "y", "p", "offsets", "label"}  # of N-MNIST, as eventsim.datasets.nmnist packs
_OF_KIND = {
    "eventsim-network": "a network",
    "eventsim-tape": "the spikes of a run",
    "eventsim-checkpoint": "the checkpoint of a run",
}


def format_of(path: str | Path) -> str:
    """The format of a file, a key of ``FORMATS``.

    Raises DataError (there is no such file, or it is of none of them: the text says what it holds).
    """
    place = Path(path)
    with opened(place, expected=_EXPECTED) as (file, _):
        head = file.read(_HEAD)
    if head.startswith(_HDF5):
        return _format_of_hdf5(place)
    if head.startswith(_ZIP):
        return _format_of_npz(place)
    if head.startswith(_AEDAT):
        return "aedat"
    if head.startswith(_ARRAYS) or (head.startswith(b"% ") and _EVT.search(head)):
        return "arrays"
    if head.startswith(b"NIST_1A") or (head.startswith(b"RIFF") and head[8:12] == b"WAVE"):
        return "audio"
    if head.startswith(b"MATLAB 7.3"):
        return _format_of_hdf5(place)
    if _is_text(head):
        return "csv"
    if place.suffix.lower().startswith(".aedat"):
        return "aedat"
    raise DataError(path, "is neither text, HDF5, npz nor AEDAT", _EXPECTED)


def misnamed(path: str | Path) -> str | None:
    """Warning of a text file whose name is that of another format; None for others."""
    place = Path(path)
    if place.suffix.lower() not in _NEVER_TEXT:
        return None
    begins = place.read_bytes()[:_HEAD].decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    first = repr(begins[0][:40]) if begins else "nothing"
    return f"{path} is text, although its name ends in {place.suffix}: it begins with {first}"


def _is_text(head: bytes) -> bool:
    try:
        # A character may be cut in two at the end.
        text = head.decode("utf-8") if len(head) < _HEAD else head[:-4].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\t\r\n\ufeff" for c in text)


def _format_of_hdf5(path: Path) -> str:
    with hdf5.opened(path, expected=_EXPECTED, error=DataError) as file:
        kind, names = hdf5.attribute(file, "kind"), set(map(str, file))
        if kind == b"eventsim-events":
            return "stored"
        if names & {"train_labels", "test_labels"}:
            return "ntidigits"
        if "spikes" in names:
            return "shd"
        if "nodes" in names:
            return "nir"
        if names & {"events", "CD"} or any(known <= names for known in _COLUMNS):
            return "arrays"
        what = "a NIR graph, no events" if {"node", "version"} <= names else "HDF5 with "
        what += "" if "graph" in what else ", ".join(sorted(names)[:8]) or "nothing in it"
    raise DataError(path, f"is {what}", _EXPECTED)


def _format_of_npz(path: Path) -> str:
    with npz.opened(path, expected=_EXPECTED, error=DataError) as archive:
        kind = archive.text("__kind__") if "__kind__" in archive.claims else ""
        if kind == "eventsim-stream":
            return "npz"
        names = sorted(archive.claims)
        arrays = list(archive.claims.values())
    if set(names) >= _PACKED:
        raise DataError(
            path,
            "is a packed part of N-MNIST",
            remedy=f"Name the data set: nmnist, with --file {path}.",
        )
    alone = len(arrays) == 1 and (arrays[0].dtype.names or len(arrays[0].shape) == 2)
    if not kind and (alone or any(known <= set(names) for known in _COLUMNS)):
        return "arrays"
    what = _OF_KIND.get(kind) or f"an archive of {', '.join(names[:8]) or 'nothing'}"
    raise DataError(path, f"is {what}", _EXPECTED)
