r"""Series of the adjoint: several arrivals of one layer at once on the way back.

Going back from time :math:`t`, with no own spike or release between, the adjoint state :math:`s`
ms earlier is linear in the state at :math:`t`:

.. math::
    \alpha(s) &= x(s)\,\alpha, \qquad \beta(s) = y(s)\,\beta + g(s)\,\alpha, \\
    x &= e^{-a s}, \qquad y = e^{-b s}, \qquad g = a\,(e^{-a s} - e^{-b s}) / (b - a),

and so are its derivatives by the rates :math:`a = 1/\tau_m` and :math:`b = 1/\tau_s`. All rates of
a layer lie within :math:`\delta` of their middle :math:`c`. So :math:`e^{c s}` times each of these
functions varies slowly, and a polynomial in :math:`u = s / S` takes its place for
:math:`s \le S`, with coefficients of each neuron's own. With :math:`p_{kq} = e^{-c s_k} u_k^q` of
an arrival at :math:`s_k`, which all neurons share,

.. math::
    \beta(s_k) = \sum_q (y_q \beta + g_q \alpha)\, p_{kq}, \qquad
    \sum_k w_k \beta_a(s_k) = \beta_a \sum_q y_q M_q + \alpha_a \sum_q g_q M_q
        + \alpha \sum_q \partial_a g_q M_q, \qquad M_q = \sum_k w_k p_{kq},

and alike for :math:`\beta_b`: a few multiply-adds per neuron and arrival.

The coefficients are those of the Taylor series, of TERMS + EXTRA terms, whose powers from TERMS on
are then written as the polynomial of lower degree that is nearest to them on [0, 1]
(Chebyshev economisation). With :math:`\delta S` = REACH the error of x and y is 3.4e-8 in single
and 8e-18 in double precision, that of g relative to its largest value 1.4e-6 and 7e-16, of
alternating signs along the stretch.

========  =========================================================================
rows      of the table, TERMS each
========  =========================================================================
DECAY     :math:`y_q`
TAKEN     :math:`-a x_q`, so that dL/dt of an arrival is w times
          :math:`b \beta(s) + \sum_q (-a x_q) \alpha\, p_q`
GAIN      :math:`g_q`
GAIN_MEM  :math:`\partial g_q / \partial a`
GAIN_SYN  :math:`\partial g_q / \partial b`
DECAY_SYN :math:`\partial y_q / \partial b`
========  =========================================================================
"""

from typing import NamedTuple

from eventsim.arrays import Precision
from eventsim.engine.contract.job import Job

# Arrivals of one stretch at most; terms of the polynomials; delta S at most.
MOST = 16
TERMS: dict[Precision, int] = {"single": 4, "double": 8}
REACH = 0.1
EXTRA = 3

# A stretch is at most this many times as long as the time constant of the middle rate.
LONGEST = 2.0


class Span(NamedTuple):
    """Middle rate of a layer in 1/ms, and the length of its stretches in ms."""

    middle: float
    length: float


def span_of(job: Job) -> Span:
    """The span of a layer."""
    p, memo = job.stage.population, job.stage.memo
    fastest = max(1.0 / memo.least(p.tau_mem), 1.0 / memo.least(p.tau_syn))
    slowest = min(1.0 / memo.largest(p.tau_mem), 1.0 / memo.largest(p.tau_syn))
    middle, spread = 0.5 * (fastest + slowest), 0.5 * (fastest - slowest)
    longest = LONGEST / middle
    return Span(middle, min(longest, REACH / spread) if spread > 0.0 else longest)
