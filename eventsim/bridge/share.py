"""Arrays of NumPy or CuPy as tensors and back, without a copy: both see one memory.

CuPy is met only through DLPack, by the library that an array belongs to.
"""

from typing import Any

import numpy as np
import torch
from torch.utils.dlpack import from_dlpack

from eventsim.arrays import Array, namespace


def to_torch(array: Array) -> Any:
    """A tensor over the memory of an array, on the CPU or on the array's device."""
    if type(array) is np.ndarray:
        return torch.from_numpy(array)
    return from_dlpack(array)


def from_torch(tensor: Any, like: Array) -> Array:
    """An array over the memory of a tensor, in the library of ``like``.

    A copy is made where the tensor is on another device than ``like``, or not contiguous.
    """
    tensor, xp = tensor.detach(), namespace(like)
    if xp is np:
        return tensor.cpu().contiguous().numpy()
    return xp.from_dlpack(tensor.to(to_torch(like).device).contiguous())


def put(tensor: Any, into: Array) -> None:
    """Make an array hold the values of a tensor, if they do not share their memory already."""
    if to_torch(into).data_ptr() != tensor.data_ptr():
        into[...] = from_torch(tensor.to(torch.float64), into)
