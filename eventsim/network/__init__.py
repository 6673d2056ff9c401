"""Networks as plain descriptions: populations, projections, the ScSr builder."""

from eventsim.network.network import Network
from eventsim.network.parts import Population, Projection, SelfRecurrent, self_recurrent
from eventsim.network.scsr import scsr

__all__ = ["Network", "Population", "Projection", "SelfRecurrent", "scsr", "self_recurrent"]
