r"""Arrays of variable length in an HDF5 file, read by their references, every step bounded.

A data set of such arrays holds one 16-byte **reference** per element; the values lie in **global
heap collections** elsewhere in the file:

.. code-block:: text

    reference    u4 number of values | u8 address of a collection | u4 index of an object in it
    collection   "GCOL" | u1 version | 3 bytes | u8 size of the collection | objects ...
    object       u2 index | u2 count | 4 bytes | u8 size | values, padded to a multiple of 8

All numbers are little-endian; addresses count from the end of the user block. An object of index 0
is the free rest of its collection. The library's own reader may loop for ever in a damaged
collection, and takes memory for as many values as a reference claims; here a number of values is
held to the object that should contain them, and an object to the size of the file.

References
----------
HDF5 File Format Specification 3.0, sections III.E (global heap) and IV.B (reference of a
variable-length element).
"""

import os
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError

_REFERENCE = np.dtype([("count", "<u4"), ("address", "<u8"), ("index", "<u4")])
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_HEADER = 16  # of a collection, and of an object
_UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF


class Ragged:
    """A one-dimensional data set of arrays of variable length.

    ``len`` counts them, an integer index reads one, iteration reads one after the other.

    Parameters
    ----------
    data
        The h5py data set; its file stays open for as long as arrays are read. Strings are
        arrays of bytes.

    Raises
    ------
    DataError
        A reference, or what it refers to, is not what the format says.
    """

    def __init__(self, data: Any):
        self._where = f"{data.file.filename}, {data.name.strip('/')}"
        base = h5py.check_vlen_dtype(data.dtype)
        text = base is None or isinstance(base, type)
        self._dtype = np.dtype(np.uint8) if text else np.dtype(base)
        if data.file.id.get_create_plist().get_sizes() != (8, 8):
            raise self._error("addresses have not 8 bytes, which is not supported")
        self._base = int(data.file.userblock_size)
        # A second handle on the same file: h5py gives none to the bytes behind a data set.
        self._descriptor = os.open(data.file.filename, os.O_RDONLY)
        self._size = os.fstat(self._descriptor).st_size
        self._references = self._read_references(data)
        self._collection = (-1, b"")

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __len__(self) -> int:
        return self._references.size

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> NDArray[Any]:
        reference = self._references[index]
        count, address = int(reference["count"]), int(reference["address"])
        if address in (0, _UNDEFINED) or count == 0:
            if count:
                raise self._error(f"element {index} has {count} values and no place")
            return np.zeros(0, self._dtype)
        values = self._object(address, int(reference["index"]), index)
        if len(values) != count * self._dtype.itemsize:
            raise self._error(
                f"element {index} claims {count} values of {self._dtype.itemsize} bytes, "
                f"{len(values)} bytes are stored"
            )
        return np.frombuffer(values, self._dtype)

    def _object(self, address: int, wanted: int, element: int) -> bytes:
        """Values of object ``wanted`` of the collection at ``address``."""
        if self._collection[0] != address:
            header = self._bytes(address, _HEADER)
            size = int.from_bytes(header[8:], "little")
            if header[:5] != b"GCOL\x01" or size < _HEADER:
                raise self._error(f"element {element} refers to {address}, where no heap is")
            self._collection = (address, self._bytes(address, size))
        heap = self._collection[1]
        at = _HEADER
        while at + _HEADER <= len(heap):
            index = int.from_bytes(heap[at : at + 2], "little")
            size = int.from_bytes(heap[at + 8 : at + 16], "little")
            if index == 0:
                break
            if at + _HEADER + size > len(heap):
                raise self._error(f"the heap at {address} is damaged at byte {at}")
            if index == wanted:
                return heap[at + _HEADER : at + _HEADER + size]
            at += _HEADER + -(-size // 8) * 8
        raise self._error(f"element {element}: the heap at {address} holds no object {wanted}")

    def _bytes(self, address: int, size: int) -> bytes:
        start = self._base + address
        if start + size > self._size:
            raise self._error(
                f"{size} bytes at {start} are asked for, the file ends at {self._size}"
            )
        return os.pread(self._descriptor, size, start)

    def _read_references(self, data: Any) -> NDArray[Any]:
        n = int(data.shape[0])
        if n * _REFERENCE.itemsize > max(1 << 24, 100 * data.id.get_storage_size()):
            raise self._error(f"claims {n} elements, more than are stored")
        layout = data.id.get_create_plist().get_layout()
        if n == 0 or not data.id.get_storage_size():
            return np.zeros(n, _REFERENCE)
        if layout == h5py.h5d.CONTIGUOUS:
            start = data.id.get_offset()
            content = self._bytes(start - self._base, n * _REFERENCE.itemsize)
            return np.frombuffer(content, _REFERENCE)
        if layout != h5py.h5d.CHUNKED:
            raise self._error("has a layout that is not supported; copy the file by h5repack")
        references = np.zeros(n, _REFERENCE)
        per_chunk = int(data.chunks[0])
        for k in range(data.id.get_num_chunks()):
            first = int(data.id.get_chunk_info(k).chunk_offset[0])
            skipped, content = data.id.read_direct_chunk((first,))
            part = np.frombuffer(self._unfiltered(data, content, skipped, per_chunk), _REFERENCE)
            references[first : first + per_chunk] = part[: max(0, n - first)]
        return references

    def _unfiltered(self, data: Any, content: bytes, skipped: int, per_chunk: int) -> bytes:
        """A chunk as it was before its filters; bit ``i`` of ``skipped``: not filter ``i``."""
        size = per_chunk * _REFERENCE.itemsize
        plist = data.id.get_create_plist()
        for k in reversed(range(plist.get_nfilters())):
            if skipped >> k & 1:
                continue
            code = plist.get_filter(k)[0]
            if code == _DEFLATE:
                content = zlib.decompressobj().decompress(content, size + 4)
            elif code == _FLETCHER32:
                content = content[:-4]
            elif code == _SHUFFLE and len(content) == size:
                planes = np.frombuffer(content, np.uint8).reshape(_REFERENCE.itemsize, per_chunk)
                content = planes.T.tobytes()
            else:
                raise self._error(
                    f"is packed by filter {code}, which is not supported; copy the file by h5repack"
                )
        if len(content) != size:
            raise self._error(f"a chunk has {len(content)} bytes, expected {size}")
        return content

    def _error(self, what: str) -> DataError:
        return DataError(f"{self._where}: {what}. The file is damaged or not as expected.")
