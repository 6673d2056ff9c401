"""The formulas of ``eventsim/kernels`` on arrays, compiled for this machine."""

from pathlib import Path

import numpy as np

from eventsim.engine.contract.adjoint_series import EXTRA
from eventsim.engine.contract.series import shorter
from eventsim.engine.cuda import device as cuda
from tests.support.simt import HostDevice

KERNELS = Path(__file__).with_name("formulas.cu").read_text("utf-8")
TYPES = {"single": np.float32, "double": np.float64}


def formulas():
    """A device that evaluates them."""
    return HostDevice(source=_text)


def _text(precision, *_):
    """The formulas, and the kernels that evaluate them."""
    real = {"single": "float", "double": "double"}[precision]
    return f"#define REAL {real}\n{cuda.joined(cuda.FORMULAS)}\n{KERNELS}"


def evaluated(device, precision, kernel, rows, *values):
    """The rows that a kernel gives of arrays."""
    size = values[0].size
    out = device.zeros((rows, size), TYPES[precision])
    args = [size, *map(device.asarray, values), out]
    device.launch(precision, kernel, -(-size // 64), 64, args)
    return device.get(out)


def economy(terms):
    """Row k: power ``terms + k`` as a polynomial of degree below ``terms``, [EXTRA, terms]."""
    chebyshev, found = shorter(), np.eye(terms + EXTRA)
    for degree in range(terms + EXTRA - 1, terms - 1, -1):
        leading = found[:, degree : degree + 1].copy()
        found[:, : degree + 1] -= leading * chebyshev[degree, : degree + 1]
    return found[terms:, :terms].copy()
