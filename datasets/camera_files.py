r"""Events of a camera in arrays: npy, npz, MATLAB and HDF5 files, and raw EVT2, EVT2.1 or EVT3.

=======  =====================================================================================
file     where its columns are
=======  =====================================================================================
.npy     a structured array, or one of shape [events, columns] whose columns the caller names
.npz     one array per column; or one array as in .npy
.mat     one variable per column, or one structure; version 7.3 is HDF5
HDF5     ``events/{t,x,y,p}``; a table ``events`` or ``CD/events``; or the same names in the root
.raw     EVT2, EVT2.1 or EVT3 of Prophesee: t (us), x, y, p, and the sensor's size; faery reads
         EVT2 and EVT3, :mod:`eventsim.datasets.evt21` the third
=======  =====================================================================================

Columns mean what :mod:`eventsim.datasets.text_columns` says; ``ts``, ``xs``, ``ys``, ``ps`` and
``on`` (the polarity) are known too. If a file has names, ``columns`` chooses from them; the
others are dropped and listed in ``Lines.dropped``. Without ``columns``, each name must be known.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.datasets import evt21
from eventsim.datasets.addresses import checked_size
from eventsim.datasets.dataset import CAMERA, Assumed, Unit, check_unit
from eventsim.datasets.text import Lines, made_lines
from eventsim.datasets.text_columns import (
    DROP,
    check_all_named,
    checked_roles,
    common_unit,
    role_of,
)
from eventsim.errors import DataError
from eventsim.events import hdf5, npz
from eventsim.extras import load

Columns = dict[str, NDArray[Any]]
_OTHER_WORDS = {"ts": "t", "xs": "x", "ys": "y", "ps": "p", "on": "p"}
_EXPECTED = "events in arrays t, x, y and p"
_NUMBERS = "iufb"
_SIZE = re.compile(rb"geometry\s+(?P<width>\d+)x(?P<height>\d+)")
_SIDES = re.compile(rb"height=(?P<height>\d+);width=(?P<width>\d+)")


def read(
    path: str | Path,
    *,
    unit: Unit | None = None,
    n_channels: int | None = None,
    columns: Sequence[str] | None = None,
    sensor_size: Sequence[int] | None = None,
    otherwise: Assumed = CAMERA,
) -> Lines:
    """Events of a file, with the times of the file.

    ``unit``: of the times; None for what ``columns`` says (``t_us``), else ``otherwise``.
    ``n_channels``: where there is a channel in place of an address. ``columns``: what the columns
    are, such as ``("t", "x", "y", "p")``: of an array without names all of them, in order, a dash
    to drop one; else those that are read. ``sensor_size``: (width, height, polarities); None for
    what a raw file says.

    Raises DataError (the file is missing, damaged, of another form, or holds columns that are
    neither used nor dropped).
    """
    place = Path(path)
    if unit is not None:
        check_unit(unit, str(place))
    size = None if sensor_size is None else checked_size(sensor_size)
    with npz.explained(place, expected=_EXPECTED, error=DataError):
        found, size_of_file, is_us = _content(place, size)
    size = size or size_of_file
    chosen = _chosen(found, columns, str(place))
    roles, stated = checked_roles(list(chosen), str(place), ", ".join(found), size)
    stated = common_unit(unit, stated, str(place), "you said") or ("us" if is_us else None)
    values = list(chosen.values())
    return made_lines(
        place,
        {role: values[k].astype(np.float64) for role, k in roles.items()},
        stated=stated,
        otherwise=otherwise,
        n_channels=n_channels,
        size=size,
        dropped=_dropped(found, values),
        named=columns,
    )


def _content(path: Path, size: tuple[int, int, int] | None) -> tuple[Columns, Any, bool]:
    """Columns by name, the size of the sensor if the file says it, and whether times are in us."""
    with open(path, "rb") as file:
        head = file.read(1024)
    if head.startswith(b"% "):
        return _evt(path, size)
    if head.startswith(b"\x93NUMPY"):
        return _of_array(np.load(path, mmap_mode="r", allow_pickle=False)), None, False
    if head.startswith(b"PK"):
        with npz.opened(path, expected=_EXPECTED, error=DataError) as archive:
            return _alone({name: archive.read(name) for name in archive.claims}), None, False
    if head.startswith(b"MATLAB 5"):
        found = scipy.io.loadmat(path, squeeze_me=True)
        return _alone({k: v for k, v in found.items() if not k.startswith("__")}), None, False
    with hdf5.opened(path, expected=_EXPECTED, error=DataError) as file:
        return _of_hdf5(file), None, False


def _alone(found: Mapping[str, Any]) -> Columns:
    """The columns; those inside of a single array with fields or of two dimensions."""
    if len(found) == 1:
        (one,) = found.values()
        if one.dtype.names or one.ndim == 2:
            return _of_array(one)
    return dict(found)


def _of_array(array: NDArray[Any]) -> Columns:
    """Columns of an array: its fields, or numbered from 1."""
    if array.dtype.names:
        cells = {name: array[name] for name in array.dtype.names}
        # A structure of MATLAB is one record whose fields are arrays.
        return {k: v.item() if v.dtype == object and v.ndim == 0 else v for k, v in cells.items()}
    if array.ndim != 2:
        raise DataError("an array", f"has shape {array.shape}", "[events, columns] or fields")
    return {str(k + 1): array[:, k] for k in range(array.shape[1])}


def _of_hdf5(file: Any) -> Columns:
    """Columns of the first place that holds some."""
    import h5py

    for name in ("events", "CD/events"):
        found = hdf5.member(file, name, error=DataError)
        if isinstance(found, h5py.Dataset):
            return _of_array(hdf5.dataset(file, name, error=DataError)[()])
        if isinstance(found, h5py.Group):
            return {**_flat(found), **_beside(file)}
    return _flat(file)


def _flat(group: Any) -> Columns:
    import h5py

    there = [k for k in group if isinstance(hdf5.member(group, k, error=DataError), h5py.Dataset)]
    return {str(k): np.squeeze(hdf5.dataset(group, k, error=DataError)[()]) for k in there}


def _beside(file: Any) -> Columns:
    """Columns beside the group of events, such as an offset of their times."""
    return {f"/{name}": values for name, values in _flat(file).items()}


def _evt(path: Path, size: tuple[int, int, int] | None) -> tuple[Columns, Any, bool]:
    header = list(_header(path))
    found = _SIZE.search(b" ".join(header)) or _SIDES.search(b" ".join(header))
    others = not evt21.is_named(header) and any(b"width" in line for line in header)
    if size is None and found is None and not others:
        raise DataError(
            path,
            "does not say how large its sensor is",
            remedy="Give --sensor-size WIDTH,HEIGHT,2 (in Python sensor_size=).",
        )
    if evt21.is_named(header):
        told = None if found is None else (int(found["width"]), int(found["height"]), 2)
        return _evt21(path, header), told, True
    faery = load("faery", "camera", f"{path}: a raw EVT file", DataError)
    stream = faery.events_stream_from_file(
        path, file_type="evt", dimensions_fallback=(size or (1, 1, 2))[:2]
    )
    events, (width, height) = stream.to_array(), stream.dimensions()
    cells = {"t": events["t"], "x": events["x"], "y": events["y"], "p": events["on"]}
    return cells, (width, height, 2), True


def _evt21(path: Path, header: list[bytes]) -> Columns:
    left, high, found = path.stat().st_size - sum(map(len, header)), -1, list[evt21.Decoded]()
    if left % evt21.BYTES:
        raise DataError(path, "is cut off", f"whole words of {evt21.BYTES} bytes")
    with open(path, "rb") as file:
        file.seek(sum(map(len, header)))
        for data in iter(lambda: file.read(evt21.BYTES * evt21.AT_ONCE), b""):
            words = evt21.words_of(data, legacy=evt21.is_legacy(header))
            found.append(evt21.decode(words, high))
            high = found[-1].high
    early = sum(one.early for one in found)
    if early:
        raise DataError(
            path,
            f"{early:,} words of events come before the first time",
            "EVT2.1 whose byte order is little-endian, or endianness=legacy in its header",
        )
    return {k: np.concatenate([getattr(one, k) for one in found] or [[]]) for k in "txyp"}


def _header(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        for line in iter(lambda: file.readline(1024), b""):
            if not line.startswith(b"% "):
                return
            yield line
            if line.strip() == b"% end":
                return


def _chosen(found: Columns, columns: Sequence[str] | None, where: str) -> Columns:
    """The columns that are read, by what they are called."""
    unnamed = all(name.isdecimal() for name in found)
    if unnamed and columns is None:
        raise DataError(
            where,
            f"is an array of {len(found)} columns without names",
            remedy="Say what they are: --columns t,x,y,p (in Python columns=), a dash to drop one.",
        )
    if columns is None:
        fields = {name: _checked(name, values, where) for name, values in found.items()}
        return {_OTHER_WORDS.get(name.lower(), name): values for name, values in fields.items()}
    if unnamed:
        check_all_named(columns, len(found), where)
        pairs = zip(columns, found.values(), strict=True)
        return {name: _checked(name, values, where) for name, values in pairs if name != DROP}
    return {
        name: _checked(name, _named(name, found, where), where) for name in columns if name != DROP
    }


def _named(name: str, found: Columns, where: str) -> NDArray[Any]:
    """The column that is called so, or one that means the same."""
    if name in found:
        return found[name]
    same = [k for k in found if role_of(_OTHER_WORDS.get(k.lower(), k)) == role_of(name)]
    if len(same) != 1 or role_of(name) is None:
        raise DataError(
            where, f"has no column {name}", remedy=f"It has {', '.join(found) or 'none'}."
        )
    return found[same[0]]


def _checked(name: str, values: Any, where: str) -> NDArray[Any]:
    kind = getattr(getattr(values, "dtype", None), "kind", "?")
    if kind not in _NUMBERS or values.ndim > 1:
        shape = getattr(values, "shape", ())
        raise DataError(
            where,
            f"column {name} has shape {shape} and type {getattr(values, 'dtype', '?')}",
            "one number per event",
            "Choose the columns: --columns t,x,y,p (in Python columns=).",
        )
    column: NDArray[Any] = np.atleast_1d(values)
    return column


def _dropped(found: Columns, read: Sequence[NDArray[Any]]) -> tuple[str, ...]:
    """Columns of the file that are not read."""

    def is_read(one: Any) -> bool:
        arrays = hasattr(one, "dtype")
        return any(one is other or (arrays and np.shares_memory(one, other)) for other in read)

    return tuple(name for name, values in found.items() if not is_read(values))
