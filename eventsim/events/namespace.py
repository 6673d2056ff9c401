"""The library that an array belongs to, so that one formula serves host and device."""

import sys
from typing import Any

import numpy as np


def namespace(array: Any) -> Any:
    """The module whose functions take ``array``: NumPy, or CuPy for an array on a GPU."""
    if type(array) is np.ndarray:
        return np
    return sys.modules[type(array).__module__.partition(".")[0]]
