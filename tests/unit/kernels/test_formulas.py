"""The formulas of ``eventsim/kernels``: alone, within their errors, and with Python's constants."""

import subprocess

import mpmath
import numpy as np
import pytest

from eventsim.engine.contract import adjoint_series, gain_windows, series
from eventsim.engine.contract.table import ALERT_MARGIN
from eventsim.engine.cuda import device as cuda
from eventsim.neuron import adaptive, lif
from tests.support.formulas import TYPES, economy, evaluated, formulas
from tests.support.simt import build, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def device():
    return formulas()


@pytest.mark.parametrize("name", cuda.FORMULAS)
def test_header_compiles_without_another(name):
    command = [build.compiler(), "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    include = f'#include "{cuda.path_of(name)}"\n'
    done = subprocess.run(
        [*command, "-x", "c++", "-"], input=include, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("precision", TYPES)
def test_exponentials_are_within_some_units_in_the_last_place(device, precision):
    top = {"single": 80.0, "double": 700.0}[precision]
    z = np.concatenate([np.geomspace(1e-6, top, 300), [0.25, 0.5, np.nextafter(0.5, 1.0), 1.0]])
    z = z.astype(TYPES[precision])
    with mpmath.workdps(40):
        x = [mpmath.mpf(float(value)) for value in z]
        phi = [-mpmath.expm1(-value) / value for value in x]
        exact = [
            [mpmath.exp(-value) for value in x],
            [mpmath.exp(-value) for value in x],
            phi,
            [(f - 1) / value for f, value in zip(phi, x, strict=True)],
            [mpmath.log1p(value) / value for value in x],
        ]
        exact = np.array(exact, float)
    found = evaluated(device, precision, "terms", 5, z)
    error = np.abs(found - exact) / np.abs(exact) / np.finfo(z.dtype).eps
    assert error.max(axis=1).max() < 4.0, error.max(axis=1)


@pytest.mark.parametrize("precision", TYPES)
def test_crossings_are_those_of_the_reference(device, precision):
    rng = np.random.default_rng(5)
    n = 400
    a, b = 1.0 / rng.uniform(2.0, 40.0, n), 1.0 / rng.uniform(2.0, 40.0, n)
    b[::10] = a[::10]
    v, j = rng.uniform(-1.0, 1.2, n), rng.uniform(-1.0, 6.0, n)
    level = np.where(rng.random(n) < 0.2, rng.uniform(-0.5, 0.0, n), 1.0).astype(TYPES[precision])
    # Below rest V may be at its level and fall, or be about to rise from a minimum there.
    falls = (level < 0.0) & (rng.random(n) < 0.5)
    v = np.where(falls, np.nextafter(level, level + rng.integers(2, size=n)), v)
    j = np.where(falls, level - rng.integers(2, size=n) * rng.exponential(1.0, n), j)
    given = [values.astype(TYPES[precision]) for values in (v, j, a, b, level)]
    crossings, bound = evaluated(device, precision, "crossings", 2, *given)
    expected = [
        lif.first_crossing(v, j, 1000.0, level, 1.0 / a, 1.0 / b)
        for v, j, a, b, level in zip(*(values.astype(float) for values in given), strict=True)
    ]
    expected = np.array([-1.0 if t == np.inf else t for t in expected])
    assert 100 < (expected >= 0.0).sum() < 350
    assert falls.sum() > 30
    assert (expected[falls] >= 0.0).all()
    # A grazing peak is met, or not, by rounding.
    differ = (crossings < 0.0) != (expected < 0.0)
    assert differ.sum() <= {"single": 1, "double": 0}[precision]
    both = ~differ & (expected > 0.0)
    error = np.abs(crossings - expected)[both]
    assert np.median(error) < {"single": 2e-6, "double": 1e-14}[precision]
    assert error.max() < {"single": 2e-2, "double": 1e-6}[precision]
    assert (bound[expected >= 0.0] >= given[4][expected >= 0.0] * (1.0 - 1e-6)).all()


@pytest.mark.parametrize("precision", TYPES)
def test_constants_are_those_of_python(device, precision):
    single, out = precision == "single", device.zeros(12, np.float64)
    device.launch(precision, "constants", 1, 1, [out])
    assert device.get(out).tolist() == [
        series.ITEMS,
        series.SPAN,
        series.DEGREE_SINGLE if single else series.DEGREE_DOUBLE,
        series.SERIES_SINGLE if single else series.SERIES_DOUBLE,
        adjoint_series.MOST,
        adjoint_series.TERMS[precision],
        adjoint_series.EXTRA,
        gain_windows.TERMS_SINGLE if single else gain_windows.TERMS_DOUBLE,
        ALERT_MARGIN,
        adaptive.DOUBLINGS,
        gain_windows.WINDOW_BITS,
        gain_windows.FIRST_WINDOW,
    ]


@pytest.mark.parametrize("precision", TYPES)
def test_polynomials_of_lower_degree_are_those_of_python(device, precision):
    expected = economy(adjoint_series.TERMS[precision])
    shorter = device.zeros((13, 13), np.float64)
    found = device.zeros(expected.shape, np.float64)
    device.launch(precision, "economies", 1, 1, [shorter, found])
    assert np.array_equal(device.get(shorter), series.shorter())
    assert np.array_equal(device.get(found), expected)


TAUS = [(20.0, 10.0), (10.0, 20.0), (5.0, 5.0), (5.0, 5.0 + 1e-9), (2.0, 2000.0), (2000.0, 2.0)]


def answers_of(device, precision, taus):
    """Coefficients [2, degree, neurons] of V and J, the rates, and the longest stretch."""
    a, b = 1.0 / np.array(taus).T
    longest = TYPES[precision](series.SPAN / max(a.max(), b.max()))
    degree = {"single": series.DEGREE_SINGLE, "double": series.DEGREE_DOUBLE}[precision]
    given = [np.array(values, TYPES[precision]) for values in (a, b, np.full(a.size, longest))]
    table = evaluated(device, precision, "answers", 2 * degree, *given)
    return table.astype(float).reshape(2, degree, -1), a, b, float(longest)


@pytest.mark.parametrize("precision", TYPES)
def test_polynomials_of_a_stretch_are_the_answers_to_an_arrival(device, precision):
    table, a, b, longest = answers_of(device, precision, TAUS)
    s = np.linspace(0.0, longest, 40)[:, None]
    powers = (s / longest) ** np.arange(1, table.shape[1] + 1)
    # Closed forms by long sums of small terms, which hold for equal rates as well.
    n, fine = 4000, np.arange(4000)[:, None, None]
    middle = (fine + 0.5) / n * s
    gain = (np.exp(-a * (s - middle) - b * middle)).sum(axis=0) * a * s / n
    error = {"single": 6e-8, "double": 2e-9}[precision]
    np.testing.assert_allclose(powers @ table[0], gain, rtol=0, atol=error)
    error = {"single": 6e-8, "double": 3e-16}[precision]
    np.testing.assert_allclose(powers @ table[1], np.exp(-b * s) - 1.0, rtol=0, atol=error)


def test_double_precision_gain_of_a_stretch_is_that_of_exponentials(device):
    table, (a,), (b,), longest = answers_of(device, "double", [(20.0, 10.0)])
    s = np.linspace(0.0, longest, 50)
    powers = (s / longest)[:, None] ** np.arange(1, table.shape[1] + 1)
    expected = a * np.exp(-a * s) * -np.expm1(-(b - a) * s) / (b - a)
    np.testing.assert_allclose((powers @ table[0])[:, 0], expected, rtol=0, atol=2e-16)


def by_difference(f, x):
    return (f(x * (1.0 + 1e-5)) - f(x * (1.0 - 1e-5))) / (2e-5 * x)


@pytest.mark.parametrize("precision", TYPES)
def test_series_of_the_adjoint_are_the_functions(device, precision):
    tau_mem, tau_syn = np.array([[20.0, 10.0], [8.0, 24.0], [12.0, 12.0]]).T
    rates = np.stack([1.0 / tau_mem, 1.0 / tau_syn]).astype(TYPES[precision])
    middle, spread, n_terms = 0.075, 0.05, adjoint_series.TERMS[precision]
    length = min(adjoint_series.REACH / spread, adjoint_series.LONGEST / middle)
    span = np.full((2, 3), [[middle], [length]])
    table = evaluated(device, precision, "adjoint_series", 6 * n_terms, *rates, *span)
    s = np.linspace(0.0, length, 9)
    powers = np.exp(-middle * s) * (s / length) ** np.arange(n_terms)[:, None]

    def gain(a, b):
        return np.array([lif.synaptic_gain(h, 1.0 / a, 1.0 / b) for h in s])

    # Of the type's rounding at the scale of each function, over a whole stretch.
    scale = {"single": 1e-5, "double": 1e-13}[precision]
    for n, (a, b) in enumerate(rates.T.astype(float)):
        found = table[:, n].reshape(-1, n_terms).astype(float) @ powers
        expected = [
            np.exp(-b * s),
            -a * np.exp(-a * s),
            gain(a, b),
            by_difference(lambda x, b=b: gain(x, b), a),
            by_difference(lambda x, a=a: gain(a, x), b),
            -s * np.exp(-b * s),
        ]
        error = np.abs(found - expected).max(axis=1)
        by_differences = np.array([0.0, 0.0, 0.0, 1e-9, 1e-9, 0.0])
        assert (error <= (scale + by_differences) * max(1.0, length)).all(), error
