r"""A conformance case: a small network, its input, and the exact spike times.

**What to simulate.** Neurons with a membrane and a synaptic current,

.. math::
    \tau_m \dot V = -(V - E) + R I, \qquad \tau_s \dot I = -I,

start at :math:`V = E`, :math:`I = 0`. A neuron with a leak that is not below its threshold,
:math:`E \ge \vartheta`, starts at :math:`V_r`. An arrival adds its weight to I, at the time of its
event or spike plus the delay of the synapse. The first upward crossing :math:`V = \vartheta` is a
spike: V becomes :math:`V_r` and stays there for the refractory time, while I goes on and takes
arrivals. All arrivals of one time at one neuron are summed before the threshold is tested. A
synapse without delay acts at the time of the spike, on the neuron itself right after its reset.
Spikes of one time are processed in the order of populations and neurons, each with the arrivals
that it causes at that time. The sample lasts [0, T): events at T or later are ignored.

Where the threshold is adaptive it is :math:`\vartheta + b\,a`, with :math:`\tau_a \dot a = -a`,
:math:`a = 0` at the start; a spike adds 1 to a, right after it.

**Neurons of further states.** A population with the key ``neuron`` has neurons that are linear
between their events (:mod:`eventsim.neuron.linear`): states x with :math:`x_0 = V - E`,
:math:`\dot x = A x`, and several receptors, each of which raises one state. Kinds:

==============  ==================================================================================
kind            equations
==============  ==================================================================================
``LIF``         as above, with one current per receptor, each of its own ``tau_syn_<receptor>``
``AdLIF``       :math:`\tau_m \dot V = -(V - E) - w + \sum I`,
                :math:`\tau_w \dot w = a (V - E) - w`; a spike adds b to w
``Resonator``   :math:`\dot V = -\delta (V - E) + \omega u`,
                :math:`\dot u = -\omega (V - E) - \delta u + \omega \sum I`; a spike sets u to 0;
                :math:`\omega = 2 \pi f / 1000`, f = ``frequency`` in Hz, and :math:`\delta` =
                ``damping`` / 1000
``linear``      A is given: ``flow_x_y`` is the entry by which state y drives state x, per ms, 0
                where there is none; a spike adds ``add_x`` to state x, or makes it ``set_x``
==============  ==================================================================================

All have ``threshold``, ``v_leak``, ``v_reset`` and ``refractory``, as above. During the refractory
time the other states go on.

**A case file** is one JSON object. Each of these keys is needed, and no other is allowed:

===========  ================================================================================
key          meaning
===========  ================================================================================
format       ``"eventsim-conformance-case"``
version      1
name         as the file's, without ``.json``
title        one line
description  what the case tests, and which mistake it finds
needs        a list, in this order: ``"lateral"`` if neurons form loops other than onto
             themselves, ``"adaptive"`` if some threshold is adaptive, ``"receptors"`` if neurons
             have receptors with names, and the kinds of further states: ``"AdLIF"``,
             ``"Resonator"``, ``"linear"``
units        of time, voltage and weights, in words
populations  the input: name, kind ``input``, size; others: kind ``spiking``, and every
             parameter of :mod:`eventsim.network.parts` as a list, one number per neuron; those
             of an adaptive threshold only where it is one. Of further states: also ``neuron``, an
             object with ``kind``, ``states`` and ``receptors`` (the state that each raises), and
             the parameters of the kind
projections  source, target, synapses: each a list ``[source, target, weight, delay in ms]``; and
             ``receptor`` where the targets have receptors with names
events       input events, each a list ``[time in ms, channel]``
duration     T in ms
spikes       of every spiking population: per neuron a list of times in ms, ascending, each a
             text with at least 30 significant digits
tolerance    ``double`` and ``single``: the largest error in ms that passes. ``single`` is null
             where single precision cannot decide how many spikes there are
condition    ``parameters`` and ``times``: largest shift of a spike in ms per relative change of
             one weight or neuron parameter, and of one event time, delay or refractory time
margin       smallest distance of a peak of V from its threshold, in the unit of V, or null if
             there is no peak; larger errors of V change the number of spikes
answer       ``method``, how the times were found, and ``closed_form``, a formula or null
===========  ================================================================================

Numbers other than the spike times are IEEE doubles: 0.1 means the double next to 0.1, and the
spike times are exact for that double.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from eventsim.arrays import Precision

FORMAT, VERSION = "eventsim-conformance-case", 1
LATERAL, ADAPTIVE, RECEPTORS = "lateral", "adaptive", "receptors"
# What a case may need, in the order of its list, and how it is said.
NEEDS: Mapping[str, str] = {
    LATERAL: "neurons in a loop",
    ADAPTIVE: "an adaptive threshold",
    RECEPTORS: "receptors with time constants of their own",
    "AdLIF": "AdLIF neurons",
    "Resonator": "resonators",
    "linear": "neurons whose flow is given",
}
# Needs of cases of the first editions: what an adapter is taken to meet that does not say.
FIRST_NEEDS = frozenset({LATERAL, ADAPTIVE})


class Synapse(NamedTuple):
    """From a neuron (or input channel) to a neuron; delay in ms."""

    source: int
    target: int
    weight: float
    delay: float


class Event(NamedTuple):
    """An input event; time in ms."""

    time: float
    channel: int


class CaseNeuron(NamedTuple):
    """Neurons of further states; ``receptors`` names the state that each raises."""

    kind: str
    states: tuple[str, ...]
    receptors: Mapping[str, str]

    @property
    def gives_flow(self) -> bool:
        """Whether the entries of its matrices are parameters, in place of those of a kind."""
        return self.kind == "linear"

    @property
    def needs(self) -> tuple[str, ...]:
        """Needs that a simulator must meet to run them."""
        several = (RECEPTORS,) if list(self.receptors) != [""] else ()
        return (*several, *((self.kind,) if self.kind != "LIF" else ()))


@dataclass(frozen=True)
class CasePopulation:
    """Input channels, or neurons with one value of every parameter each."""

    name: str
    kind: Literal["input", "spiking"]
    size: int
    parameters: Mapping[str, tuple[float, ...]]
    neuron: CaseNeuron | None = None


@dataclass(frozen=True)
class CaseProjection:
    """Synapses from one population to another, at most one per pair of neurons."""

    source: str
    target: str
    synapses: tuple[Synapse, ...]
    receptor: str | None = None


@dataclass(frozen=True)
class Case:
    """As the table of :mod:`eventsim.conformance.case`; spike times are exact decimals."""

    name: str
    title: str
    description: str
    needs: tuple[str, ...]
    units: Mapping[str, str]
    populations: tuple[CasePopulation, ...]
    projections: tuple[CaseProjection, ...]
    events: tuple[Event, ...]
    duration: float
    spikes: Mapping[str, tuple[tuple[Decimal, ...], ...]]
    tolerance: Mapping[Precision, float | None]
    condition: Mapping[str, float]
    margin: float | None
    answer: Mapping[str, str | None]

    @property
    def input(self) -> CasePopulation:
        """The input population."""
        return self.populations[0]

    @property
    def n_spikes(self) -> int:
        """Number of spikes that a simulator must give."""
        return sum(len(times) for neurons in self.spikes.values() for times in neurons)
