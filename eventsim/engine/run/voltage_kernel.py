r"""The voltage kernel of :mod:`eventsim.neuron.lif` for arrays, with its derivatives.

With rates :math:`a = 1/\tau_m`, :math:`b = 1/\tau_s` and a drive :math:`J = R I`

.. math::
    v(h) = x\,v_0 + g\,J_0, \quad J(h) = y\,J_0, \qquad
    x = e^{-ah}, \quad y = e^{-bh}, \quad g = a\,\mathcal E(h),

:math:`\mathcal E` written in :math:`\phi` and :math:`\psi` as there, so that :math:`a = b` is a
regular point. All arrays are of one library.
"""

from typing import NamedTuple

from eventsim.arrays import Array, namespace

# Below this, psi is summed as a series; above, its closed form is right to 1e-14.
SERIES_BELOW = 0.05
# 1 / (k + 2)! with alternating sign, negative first.
SERIES = (-1 / 2, 1 / 6, -1 / 24, 1 / 120, -1 / 720, 1 / 5040, -1 / 40320, 1 / 362880, -1 / 3628800)


class Kernel(NamedTuple):
    """x, y and g of the module."""

    x: Array
    y: Array
    g: Array


class KernelSlopes(NamedTuple):
    """The kernel, the derivatives of g by both rates; of x and y they are -h x and -h y."""

    kernel: Kernel
    g_by_a: Array
    g_by_b: Array


def kernel(h: Array, a: Array, b: Array) -> Kernel:
    """x, y and g after ``h`` ms, >= 0; all arguments broadcast."""
    xp = namespace(h)
    z, slow = abs(b - a) * h, xp.exp(-xp.minimum(a, b) * h)
    less = xp.expm1(-z)
    fast = slow * (1.0 + less)
    membrane_slow = a <= b
    x, y = xp.where(membrane_slow, slow, fast), xp.where(membrane_slow, fast, slow)
    return Kernel(x, y, a * h * slow * _phi(z, less))


def kernel_slopes(h: Array, a: Array, b: Array) -> KernelSlopes:
    """As :func:`kernel`, with derivatives by the rates."""
    xp = namespace(h)
    z, slow = abs(b - a) * h, xp.exp(-xp.minimum(a, b) * h)
    less = xp.expm1(-z)
    fast, phi = slow * (1.0 + less), _phi(z, less)
    membrane_slow = a <= b
    area, unit = h * slow * phi, h * h * slow
    psi = _psi(z, phi)
    by_slow, by_fast = unit * psi, -unit * (psi + phi)
    by_a = area + a * xp.where(membrane_slow, by_slow, by_fast)
    by_b = a * xp.where(membrane_slow, by_fast, by_slow)
    x, y = xp.where(membrane_slow, slow, fast), xp.where(membrane_slow, fast, slow)
    return KernelSlopes(Kernel(x, y, a * area), by_a, by_b)


def _phi(z: Array, less: Array) -> Array:
    """``(1 - exp(-z)) / z``, given ``expm1(-z)``."""
    xp = namespace(z)
    some = xp.where(z == 0.0, 1.0, z)
    return xp.where(z == 0.0, 1.0, -less / some)


def _psi(z: Array, phi: Array) -> Array:
    """``(phi - 1) / z``."""
    xp = namespace(z)
    near = z < SERIES_BELOW
    small, far = xp.where(near, z, 0.0), xp.where(near, 1.0, z)
    series = SERIES[-1] + 0.0 * small
    for term in SERIES[-2::-1]:
        series = term + small * series
    return xp.where(near, series, (phi - 1.0) / far)
