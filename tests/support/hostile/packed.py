"""Damage to .npz files: well-formed archives of other arrays, lying headers, bombs."""

import io
import struct
import zlib

import numpy as np
from numpy.lib import format as npy

BOMB = 3 << 30  # bytes that a bomb unpacks to
_MB = 1 << 20


def changed_npz(content, rng):
    """An archive in which one array is another one, or is missing, or claims what it is not."""
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    names = list(arrays)
    name = names[rng.integers(len(names))]
    how = rng.integers(12)
    if how == 0:
        del arrays[name]
    elif how == 1:
        arrays[f"{name}x"] = arrays.pop(name)
    elif how == 2:
        arrays[name] = arrays[names[rng.integers(len(names))]]
    elif how in (3, 4):
        arrays[name] = _other_type(arrays[name], rng)
    elif how in (5, 6):
        arrays[name] = _other_shape(arrays[name], rng)
    elif how == 10:
        return _with_member(arrays, name, _lying(arrays[name], rng))
    elif how == 11 and not rng.integers(4):
        return _with_bomb(arrays, name, rng)
    else:
        arrays[name] = _other_values(arrays[name], rng)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _other_type(array, rng):
    types = ("i1", "u1", "i4", "i8", "u8", "f2", "f4", "f8", ">f8", "c16", "?", "U3", "S3", "M8[s]")
    chosen = types[rng.integers(len(types))] if rng.integers(9) else "O"
    try:
        with np.errstate(all="ignore"):
            return array.astype(chosen)
    except (ValueError, TypeError):
        return np.zeros(array.shape, chosen)


def _other_shape(array, rng):
    how = rng.integers(8)
    if how == 0:
        return array[..., None]
    if how == 1:
        return array.reshape(-1)
    if how == 7 and array.ndim < 20:
        return array.reshape((1,) * 20 + array.shape)
    if how == 2:
        return np.array(array.reshape(-1)[0] if array.size else 0)
    if how == 3:
        return array[:0] if array.ndim else np.zeros(0, array.dtype)
    if how == 4:
        return np.concatenate([array.reshape(-1)] * 2)
    if how == 5:
        return array.reshape(-1)[:-1]
    return array.T.copy()


def _other_values(array, rng):
    if array.dtype.kind not in "iufb":
        return np.array(rng.choice(["", "x", "[]", "{}", "null", "-1", "[" * 10_000, "9" * 5000]))
    values = np.array(array)
    flat = values.reshape(-1)
    if not flat.size:
        return np.zeros(3, array.dtype)
    floats = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e308, 1e-308, 5e-324, 1e15, -1e-30]
    whole = [-1, 0, 1, 127, 2**31 - 1, -(2**31), 2**31, 2**62, -(2**62)]
    chosen = rng.choice(floats if array.dtype.kind == "f" else whole)
    where = slice(None) if rng.integers(3) == 0 else int(rng.integers(flat.size))
    with np.errstate(all="ignore"):
        flat[where] = np.asarray(chosen).astype(array.dtype)
    return values


def _npy(array):
    buffer = io.BytesIO()
    npy.write_array(buffer, np.asarray(array))
    return buffer.getvalue()


def _header(shape, descr):
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _lying(array, rng):
    """A member whose header claims more than follows it."""
    shapes = [(10**9,), (10**6, 10**6), (2**62,), (2**31,), (2, 2**62), (), (0,), (-1,), (2**64,)]
    shape = shapes[rng.integers(len(shapes))]
    return _header(shape, array.dtype.str) + array.tobytes()


def _with_member(arrays, name, content):
    members = {f"{key}.npy": _stored(_npy(value)) for key, value in arrays.items()}
    members[f"{name}.npy"] = _stored(content)
    return zip_of(members)


def with_bomb(arrays, name, size, *, shape=(-1,)):
    """An archive in which one member is so many bytes of zeros, packed into a thousandth."""
    members = {f"{key}.npy": _stored(_npy(value)) for key, value in arrays.items()}
    dtype = arrays[name].dtype if name in arrays else np.dtype("f8")
    n = size // max(dtype.itemsize, 1)
    header = _header(tuple(n if length == -1 else length for length in shape), dtype.str)
    members[f"{name}.npy"] = _zeros(header, n * dtype.itemsize)
    return zip_of(members)


def _with_bomb(arrays, name, rng):
    shape = (-1,) if rng.integers(2) else (1, -1)
    return with_bomb(arrays, name if rng.integers(4) else "more", BOMB, shape=shape)


def _stored(content):
    return 0, content, zlib.crc32(content), len(content)


def _zeros(head, n):
    """``head`` and n zero bytes, deflated: the same block of a megabyte again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(_MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    end = packer.compress(bytes(n % _MB)) + packer.flush()
    checksum, piece = zlib.crc32(head), bytes(_MB)
    for _ in range(n // _MB):
        checksum = zlib.crc32(piece, checksum)
    checksum = zlib.crc32(bytes(n % _MB), checksum)
    return 8, begin + block * (n // _MB) + end, checksum, len(head) + n


def zip_of(members):
    """A zip archive of (method, packed bytes, checksum, size) by name."""
    body, directory = b"", b""
    for name, (method, packed, checksum, size) in members.items():
        encoded = name.encode()
        fields = struct.pack("<HHHHHIII", 20, 0x800, method, 0, 33, checksum, len(packed), size)
        central = b"PK\x01\x02" + struct.pack("<H", 20) + fields
        central += struct.pack("<HHHHHII", len(encoded), 0, 0, 0, 0, 0, len(body)) + encoded
        body += b"PK\x03\x04" + fields + struct.pack("<HH", len(encoded), 0) + encoded + packed
        directory += central
    n = len(members)
    sizes = struct.pack("<HHHHIIH", 0, 0, n, n, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + sizes
