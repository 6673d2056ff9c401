"""Damage to HDF5 files: well-formed files of other data sets, links, claims and attributes."""

import h5py
import numpy as np


def change_h5(path, rng):
    """Change one data set, group or attribute of the file in place."""
    outside = path.with_name("outside.h5")
    with h5py.File(outside, "w") as file, h5py.File(path, "r") as whole:
        for name in whole:
            whole.copy(name, file)
    with h5py.File(path, "a") as file:
        names = []
        file.visit(names.append)
        name = names[rng.integers(len(names))]
        change = _CHANGES[rng.integers(len(_CHANGES))]
        change(file, name, rng, outside)


def _remove(file, name, rng, outside):
    del file[name]


def _external(file, name, rng, outside):
    del file[name]
    file[name] = h5py.ExternalLink(str(outside), f"/{name}")


def _external_root(file, name, rng, outside):
    top = name.split("/")[0]
    del file[top]
    file[top] = h5py.ExternalLink(str(outside), f"/{top}")


def _soft(file, name, rng, outside):
    names = []
    file.visit(names.append)
    other = names[rng.integers(len(names))]
    del file[name]
    file[name] = h5py.SoftLink(f"/{other}" if rng.integers(3) else f"/{name}")


def _external_storage(file, name, rng, outside):
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.dtype.hasobject:
        return
    shape, dtype = data.shape, data.dtype
    del file[name]
    size = max(int(np.prod(shape)) * dtype.itemsize, 1)
    file.create_dataset(name, shape, dtype, external=[(str(outside), 0, size)])


def _virtual(file, name, rng, outside):
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.dtype.hasobject or not data.ndim:
        return
    layout = h5py.VirtualLayout(shape=data.shape, dtype=data.dtype)
    layout[...] = h5py.VirtualSource(str(outside), name, shape=data.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def _type(file, name, rng, outside):
    if not isinstance(file[name], h5py.Dataset):
        return
    shape = file[name].shape
    types = ["i1", "i8", "u8", "f2", "f8", "c16", "?", "S4", h5py.string_dtype(),
             h5py.vlen_dtype(np.float64), np.dtype([("a", "i4")]), h5py.ref_dtype,
             h5py.enum_dtype({"A": 1})]  # fmt: skip
    del file[name]
    file.create_dataset(name, shape, types[rng.integers(len(types))])


def _shape(file, name, rng, outside):
    if not isinstance(file[name], h5py.Dataset):
        return
    data = file[name]
    dtype, n = data.dtype, int(data.size or 0)
    shapes = [(), (0,), (n + 1,), (max(n - 1, 0),), (n, 1), (1, n), (2 * n,)]
    del file[name]
    file.create_dataset(name, shapes[rng.integers(len(shapes))], dtype)


def _claim(file, name, rng, outside):
    """Far more values than are stored, in chunks or packed."""
    if not isinstance(file[name], h5py.Dataset):
        return
    dtype = file[name].dtype
    del file[name]
    shape = (int(rng.choice([10**8, 10**9, 10**11, 2**62])),)
    file.create_dataset(
        name, shape, dtype, chunks=(1 << 16,), compression="gzip" if rng.integers(2) else None
    )


def _values(file, name, rng, outside):
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iuf" or not data.size:
        return
    values = np.array(data[...]).reshape(-1)
    floats = [np.nan, np.inf, -1.0, 0.0, 1e308, 5e-324, 1e15]
    whole = [-1, 0, 127, 255, 2**31 - 1, 2**31, 2**62]
    with np.errstate(all="ignore"):
        chosen = np.asarray(rng.choice(floats if data.dtype.kind == "f" else whole))
        values[rng.integers(values.size)] = chosen.astype(data.dtype)
    data[...] = values.reshape(data.shape)


def _group(file, name, rng, outside):
    was_group = isinstance(file[name], h5py.Group)
    del file[name]
    if was_group:
        file[name] = np.arange(3)
    else:
        file.create_group(name)


def _cycle(file, name, rng, outside):
    if isinstance(file[name], h5py.Group):
        file[f"{name}/again"] = file["/"]


def _attribute(file, name, rng, outside):
    holder = file if rng.integers(2) else file[name]
    keys = list(holder.attrs) or ["kind"]
    key = keys[rng.integers(len(keys))]
    values = ["x", np.bytes_(b"y"), -1, 0, 2**40, 1.5, np.nan, np.arange(3), np.zeros(0),
              "z" * 5000, b"\xff\xfe", h5py.Empty("f8")]  # fmt: skip
    if rng.integers(5) == 0:
        holder.attrs.pop(key, None)
    else:
        holder.attrs[key] = values[rng.integers(len(values))]


_CHANGES = (_remove, _external, _external_root, _soft, _external_storage, _virtual, _type, _shape,
            _claim, _values, _values, _group, _cycle, _attribute)  # fmt: skip
