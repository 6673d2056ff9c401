"""Networks as plain descriptions: populations, projections, the builders."""

from eventsim.network.answer import Answer
from eventsim.network.convolution import Convolution
from eventsim.network.convolutional import convolutional
from eventsim.network.decision import Decision
from eventsim.network.lateral import DistanceLateral, RandomLateral
from eventsim.network.network import Network
from eventsim.network.parts import Population
from eventsim.network.projection import Projection, SelfRecurrent, self_recurrent
from eventsim.network.rsnn import rsnn
from eventsim.network.scsr import scsr
from eventsim.network.taus import draw_taus

__all__ = [
    "Answer",
    "Convolution",
    "Decision",
    "DistanceLateral",
    "Network",
    "Population",
    "Projection",
    "RandomLateral",
    "SelfRecurrent",
    "convolutional",
    "draw_taus",
    "rsnn",
    "scsr",
    "self_recurrent",
]
