"""Arrays of NumPy or CuPy as tensors and back, without a copy: both share one memory.

CuPy arrays are exchanged only through DLPack, by the library to which an array belongs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.dlpack import from_dlpack

from eventsim.arrays import Array, namespace
from eventsim.errors import ParameterError, ShapeError
from eventsim.network import Network


def to_torch(array: Array) -> Any:
    """A tensor over the memory of an array, on the CPU or on the array's device."""
    if type(array) is np.ndarray:
        # A tensor can always be written to; memory that can not is copied.
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    return from_dlpack(array)


def from_torch(tensor: Any, like: Array) -> Array:
    """An array over the memory of a tensor, in the library of ``like``.

    A copy is made where the tensor is on another device than ``like``, or not contiguous.
    """
    tensor, xp = tensor.detach(), namespace(like)
    if xp is np:
        return tensor.cpu().contiguous().numpy()
    return xp.from_dlpack(tensor.to(to_torch(like).device).contiguous())


def set_values(net: Network, keys: Sequence[str], values: Sequence[Any]) -> None:
    """Put the values of tensors into the network.

    Raises ParameterError (a value is complex) and ShapeError (a shape differs from the network's).
    """
    live = net.parameters()
    for key, value in zip(keys, values, strict=True):
        if value.is_complex():
            raise ParameterError(
                "EventModule",
                f"{key} is a tensor of {value.dtype}",
                "real numbers",
                "Pass its real part.",
            )
        if value.shape != live[key].shape:
            raise ShapeError(
                "EventModule",
                f"{key} is a tensor of shape {tuple(value.shape)}",
                f"{live[key].shape} as in the network",
            )
        put(value.detach(), live[key])


def require_times(where: str, what: str, given: Any) -> None:
    """Raise ParameterError unless ``given`` is a tensor of floating-point numbers."""
    if not isinstance(given, torch.Tensor):
        raise ParameterError(
            where,
            f"{what} is of type {type(given).__name__}",
            "a tensor of times in ms",
            f"Pass torch.as_tensor({what}, dtype=torch.float64).",
        )
    if not given.is_floating_point():
        raise ParameterError(
            where,
            f"{what} is a tensor of {given.dtype}",
            "one of floating-point numbers, times in ms",
            f"Pass {what}.to(torch.float64).",
        )


def put(tensor: Any, into: Array) -> None:
    """Copy the values of a tensor into an array, unless the two share their memory."""
    if to_torch(into).data_ptr() != tensor.data_ptr():
        into[...] = from_torch(tensor.to(torch.float64), into)
