r"""Gradients of a run by the exact adjoint of the hybrid system.

Let :math:`\alpha = \partial L/\partial V` and :math:`\beta = \partial L/\partial I` at one time,
with spikes after it moving as they must. Between events the state is propagated by a linear map, so
backward in time (:math:`x, y, g` from :mod:`eventsim.neuron.lif`, over an interval h)

.. math:: \alpha \leftarrow x\,\alpha, \qquad \beta \leftarrow y\,\beta + R g\,\alpha .

**An arrival** of weight w at time t adds w to I. Moving it later
replaces a short interval with the added current by one without it:

.. math::
    \frac{\partial L}{\partial w} = \beta, \qquad
    \frac{\partial L}{\partial t} = w\Bigl(\frac{\beta}{\tau_s} - \frac{R\,\alpha}{\tau_m}\Bigr).

**The end of the refractory time**, at :math:`t_k + t_{ref}`, starts V at :math:`V_r`: it passes
:math:`-\alpha\,(R I - (V_r - E))/\tau_m` on to :math:`\partial L/\partial t_k` and to
:math:`\partial L/\partial t_{ref}`, and :math:`\alpha` to :math:`\partial L/\partial V_r`; before
it, while V is held, :math:`\alpha = 0`.

**A spike** at :math:`t_k` collects in :math:`B_k` the loss's own :math:`\partial L/\partial t_k`,
the restart's term, and the term of every arrival that it causes, its own return included. A
self-jump without delay acts right after the reset: with a refractory time :math:`\alpha = 0`
there, and the restart sees I after it; without one V runs already, and the restart sees I before
it. A refractory time that begins to grow from 0 holds V while the jump comes:
:math:`\partial L/\partial t_{ref}` sees I after it, also of what a neuron sends to itself at once
through a projection of its loop (:mod:`eventsim.engine.contract.own_returns`).

Since the threshold is met when :math:`V` reaches it,

.. math::
    \alpha^- = -B_k / \dot V^-, \qquad \dot V^- = (R I^- - (\vartheta - E))/\tau_m, \qquad
    \frac{\partial L}{\partial \vartheta} = -\alpha^- .

:math:`\beta` is continuous. In the notation of Wunderlich and Pehle :math:`\alpha = -\tau_m
\lambda_V` and :math:`\beta = -\tau_s \lambda_I`.

**Ties.** Where neurons of a loop cross at one time and reach each other without a delay the loss
has a kink, and the adjoint gives the derivative on one side of it: that of the order in which
events of one time are taken, the lower neuron first, its arrivals before the crossings of those
above it. It holds in all directions that keep this order.

**Resistance and time constants** enter through the linear maps only. Between two resets V is
linear in the weighted arrivals, so their derivatives need no forward state: with
:math:`\gamma = (\gamma_V, \gamma_I)` the derivative of :math:`(\alpha, \beta)` by a rate
:math:`a = 1/\tau_m` or :math:`b = 1/\tau_s` at fixed :math:`\alpha^-`, propagated by the
derivative of the same map,

.. math::
    \frac{\partial L}{\partial a} = \sum_{\text{arrivals}} w\,\gamma_I
    + \sum_{\text{restarts}} (V_r - E)\,\gamma_V, \qquad
    R \frac{\partial L}{\partial R} = \sum_{\text{arrivals}} w\,\beta .

The ``cpu`` backend computes them so; ``reference`` keeps the forward state and differentiates
every map. Both agree to rounding. A run's memory grows with its spikes, never with events times
neurons.

**An adaptive threshold** adds a third adjoint, which goes from spike to spike and is derived in
:mod:`eventsim.neuron.adaptive`. In the identities below, :math:`b\, \partial_b L` joins the sum of
a spiking neuron, and :math:`\tau_a` the time constants.

**Voltages at chosen times** of neurons that do not fire, such as the largest one of a readout, act
on parameters and on arriving spikes in closed form: :mod:`eventsim.adjoint.linear`.

**Identities**, true to rounding, for exact gradients (no pseudo-gradient, no graze) of a run from
rest; a given start (:mod:`eventsim.adjoint.start`) does not change with the parameters:

=====================  ==========================================================================
per neuron             :math:`\sum w\, \partial_w L = R\, \partial_R L`
per spiking neuron     :math:`\sum w\, \partial_w L + (\vartheta - E)\, \partial_\vartheta L
                       + (V_r - E)\, \partial_{V_r} L = 0`
shift of all V         :math:`\partial_E L + \partial_\vartheta L + \partial_{V_r} L = 0`
scaling of all times   :math:`\sum \tau\, \partial_\tau L + d\, \partial_d L + t_{ref}\,
                       \partial_{t_{ref}} L + t_{in}\, \partial_{t_{in}} L = \sum t_k\,
                       \partial l / \partial t_k` (losses of spike times alone)
=====================  ==========================================================================

They say what BIP can do: resistance and threshold are gains, which change the path of an optimiser
but not what a network can express; time constants and delays do increase it.

References
----------
Wunderlich and Pehle (2021), Sci. Rep. 11:12829. Zhang and Li (2020), arXiv 2010.12691 (BIP).
"""

from eventsim.adjoint.backward import backward
from eventsim.adjoint.chunks import AdjointState, backward_chunk, backward_chunks
from eventsim.adjoint.gradcheck import GradCheck, gradcheck
from eventsim.adjoint.gradients import Gradients
from eventsim.adjoint.seeds import (
    DecisionSeed,
    Loss,
    ReadoutSeed,
    Seed,
    Seeds,
    SpikeSeed,
    VoltageSeed,
    merge_seeds,
)

__all__ = [
    "AdjointState", "DecisionSeed", "GradCheck", "Gradients", "Loss", "ReadoutSeed", "Seed",
    "Seeds", "SpikeSeed", "VoltageSeed", "backward", "backward_chunk", "backward_chunks",
    "gradcheck", "merge_seeds",
]  # fmt: skip
