"""a b + c with one rounding in whole numbers, where a processor has no instruction for it."""

import ctypes
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from eventsim.kernels.build import KERNELS, Platform, find_compiler

COMPILER = find_compiler()
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")

SOURCE = """
#include "soft.hpp"
extern "C" float single(float a, float b, float c) { return eventsim::soft_fused(a, b, c); }
extern "C" double twice(double a, double b, double c) { return eventsim::soft_fused(a, b, c); }
"""


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    """The two functions, by type."""
    folder = tmp_path_factory.mktemp("soft")
    (folder / "soft.cpp").write_text(SOURCE)
    options = ("-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", f"-I{KERNELS}")
    made = folder / "soft.so"
    subprocess.run(
        [*COMPILER.command, *options, str(folder / "soft.cpp"), "-o", str(made)], check=True
    )
    library, found = ctypes.CDLL(str(made)), {}
    for name, real, number in (
        ("single", np.float32, ctypes.c_float),
        ("twice", np.float64, ctypes.c_double),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = number, [number] * 3
        found[real] = function
    return found


def nearest(exact, real):
    """The number of that type next to a fraction, ties to even: by its neighbours."""
    info = np.finfo(real)
    least = Fraction(float(info.smallest_subnormal))
    size = abs(exact)
    if size == 0:
        return real(0.0)
    power = max(size.numerator.bit_length() - size.denominator.bit_length() - 1, info.minexp)
    unit = Fraction(2) ** (power - info.nmant)
    while size >= unit * 2 ** (info.nmant + 1):
        unit *= 2
    unit = max(unit, least)
    whole = round(size / unit) * unit  # Fraction rounds ties to even
    if whole > Fraction(float(info.max)):
        return real(np.inf) if exact > 0 else real(-np.inf)
    return real(float(whole)) if exact > 0 else real(-float(whole))


def numbers(rng, real, n):
    """Of all sizes, near each other, with few bits, subnormal."""
    info = np.finfo(real)
    kinds = rng.integers(4, size=n)
    low = np.array([info.minexp - info.nmant, -6, -3, info.minexp - info.nmant])[kinds]
    high = np.array([info.maxexp - 1, 6, 3, info.minexp // 2])[kinds]
    power = rng.integers(low, high)
    mantissa = rng.integers(1, 2**info.nmant, size=n) | 2**info.nmant
    mantissa = np.where(kinds == 2, (mantissa >> (info.nmant - 3)) << (info.nmant - 3), mantissa)
    found = np.ldexp(mantissa.astype(float), power - info.nmant)
    with np.errstate(under="ignore", over="ignore"):
        return (found * rng.choice([-1.0, 1.0], size=n)).astype(real)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_it_rounds_once_as_exact_fractions_say(soft, real):
    rng = np.random.default_rng(0)
    a, b, c = (numbers(rng, real, 6000) for _ in range(3))
    with np.errstate(all="ignore"):
        c[::5] = -(a[::5] * b[::5])  # what is left is the rounding of the product
        c[1::5] = np.nextafter(-(a[1::5] * b[1::5]), real(0.0))
    finite = np.isfinite(c)
    for x, y, z in zip(a[finite], b[finite], c[finite], strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        found = soft[real](x, y, z)
        assert found == nearest(exact, real), (x, y, z)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_zeros_infinities_and_what_is_no_number_are_those_of_a_sum(soft, real):
    special = [0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan, float(np.finfo(real).max)]
    for x in special:
        for y in special:
            for z in special:
                found = soft[real](x, y, z)
                if np.isfinite([x, y]).all() and not np.isfinite(z):
                    expected = z
                elif np.isfinite([x, y, z]).all() and x * y != 0.0:
                    expected = nearest(Fraction(x) * Fraction(y) + Fraction(z), real)
                else:
                    with np.errstate(invalid="ignore"):
                        expected = np.float64(x) * np.float64(y) + np.float64(z)
                same = found == expected or (np.isnan(found) and np.isnan(expected))
                assert same, (x, y, z)
                assert np.isnan(found) or found != 0.0 or np.signbit(found) == np.signbit(expected)


@pytest.mark.skipif(Platform.here().machine != "x86_64", reason="its least level has one")
def test_level_without_the_instruction_is_built_with_these():
    options = COMPILER.compiling(Platform.here(), "plain")
    lines = subprocess.run(
        [*options, "-dM", "-E", "-x", "c++", str(KERNELS / "numbers.hpp")],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert any(line.startswith("#define SOFT") for line in lines)
