"""Economised powers of the series of the adjoint."""

import numpy as np
import pytest

from eventsim.engine.contract.adjoint_series import TERMS
from tests.support.formulas import economy


def test_economy_is_the_nearest_polynomial():
    u = np.linspace(0.0, 1.0, 1001)
    for terms in TERMS.values():
        first = economy(terms)[0]
        error = u**terms - u[:, None] ** np.arange(terms) @ first
        # Chebyshev's polynomial over its leading coefficient has this largest value.
        assert np.abs(error).max() == pytest.approx(2.0 ** (1 - 2 * terms), rel=1e-6)
