"""Networks as plain descriptions: populations, projections, the builders.

``network`` joins ``parts`` (populations) by a ``projection``, whose synapses may follow a
``pattern``; ``domain`` says what values may be, ``sharing`` which of them are one, ``forms`` how a
file holds them, ``overview`` what is printed, ``features`` what the support matrix asks of it. A
network may have a ``decision`` and an ``answer``; ``late`` warns of recordings that begin too late
for it.

``rules`` says which synapses two populations have that are connected at random, ``draws`` which
weights and delays.

Builders: ``scsr``, ``rsnn`` (by ``lateral``) and ``convolutional`` (by ``convolution``), with
``layers`` and ``taus``; ``connectivity`` gives a network other synapses. ``nir`` reads and writes
other programs' networks.
"""

from eventsim.network.answer import Answer
from eventsim.network.convolution import Convolution
from eventsim.network.convolutional import convolutional
from eventsim.network.decision import Decision
from eventsim.network.draws import Distribution, lognormal, normal, uniform
from eventsim.network.lateral import DistanceLateral, RandomLateral
from eventsim.network.network import Network
from eventsim.network.parts import Population
from eventsim.network.projection import Projection, SelfRecurrent, self_recurrent
from eventsim.network.rsnn import rsnn
from eventsim.network.rules import (
    ConnectionRule,
    fixed_indegree,
    fixed_total_number,
    pairwise_bernoulli,
)
from eventsim.network.scsr import scsr
from eventsim.network.taus import draw_taus

__all__ = [
    "Answer", "ConnectionRule", "Convolution", "Decision", "DistanceLateral", "Distribution",
    "Network", "Population", "Projection", "RandomLateral", "SelfRecurrent", "convolutional",
    "draw_taus", "fixed_indegree", "fixed_total_number", "lognormal", "normal",
    "pairwise_bernoulli", "rsnn", "scsr", "self_recurrent", "uniform",
]  # fmt: skip
