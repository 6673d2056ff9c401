"""Series of the adjoint, held to the exponentials that they stand for."""

import numpy as np
import pytest

from eventsim.engine.adjoint_series import (
    DECAY,
    DECAY_SYN,
    GAIN,
    GAIN_MEM,
    GAIN_SYN,
    LONGEST,
    REACH,
    TAKEN,
    TERMS,
    economy,
)
from eventsim.engine.cpu import adjoint_series
from eventsim.engine.table import N_PAR, RATE_MEM, RATE_SYN
from eventsim.neuron.lif import synaptic_gain
from tests.support.compiled import callable_part

series_table = callable_part(adjoint_series.series_table)

# Of the type's rounding at the scale of each function, over a whole stretch.
TOLERANCE = {"single": 1e-5, "double": 1e-13}


def gain(s, a, b):
    return np.array([synaptic_gain(h, 1.0 / a, 1.0 / b) for h in s])


def by_difference(f, x):
    return (f(x * (1.0 + 1e-5)) - f(x * (1.0 - 1e-5))) / (2e-5 * x)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize(("tau_mem", "tau_syn"), [(20.0, 10.0), (8.0, 24.0), (12.0, 12.0)])
def test_series_are_the_functions(precision, tau_mem, tau_syn):
    a, b, n_terms = 1.0 / tau_mem, 1.0 / tau_syn, TERMS[precision]
    middle, spread = 0.075, 0.05
    length = min(REACH / spread, LONGEST / middle)
    par = np.zeros((N_PAR, 1), np.float32 if precision == "single" else np.float64)
    par[RATE_MEM], par[RATE_SYN] = a, b
    table = series_table(par, middle, length).reshape(-1, n_terms).astype(np.float64)
    s = np.linspace(0.0, length, 9)
    powers = np.exp(-middle * s) * (s / length) ** np.arange(n_terms)[:, None]
    found = table @ powers
    expected = {
        DECAY: np.exp(-b * s),
        TAKEN: -a * np.exp(-a * s),
        GAIN: gain(s, a, b),
        GAIN_MEM: by_difference(lambda x: gain(s, x, b), a),
        GAIN_SYN: by_difference(lambda x: gain(s, a, x), b),
        DECAY_SYN: -s * np.exp(-b * s),
    }
    for row, values in expected.items():
        numeric = 1e-9 if row in (GAIN_MEM, GAIN_SYN) else 0.0
        scale = TOLERANCE[precision] + numeric
        assert np.abs(found[row] - values).max() <= scale * max(1.0, length), row


def test_economy_is_the_nearest_polynomial():
    u = np.linspace(0.0, 1.0, 1001)
    for terms in TERMS.values():
        first = economy(terms)[0]
        error = u**terms - u[:, None] ** np.arange(terms) @ first
        # Chebyshev's polynomial over its leading coefficient has this largest value.
        assert np.abs(error).max() == pytest.approx(2.0 ** (1 - 2 * terms), rel=1e-6)
