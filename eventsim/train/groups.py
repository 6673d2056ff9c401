"""Groups of parameters that share a learning rate, and the choice of what is trained."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from eventsim.errors import ParameterError
from eventsim.network import Network
from eventsim.network.parts import ADAPTIVE
from eventsim.train.layout import kind_of

GROUP_OF = {
    "weights": "weights",
    "bias": "weights",
    "delays": "delays",
    "tau_mem": "taus",
    "tau_syn": "taus",
    "resistance": "intrinsic",
    "threshold": "intrinsic",
    "v_leak": "intrinsic",
    "v_reset": "intrinsic",
    "refractory": "delays",
    "adaptation": "intrinsic",
    "tau_adaptation": "taus",
}

LOGARITHMIC = ("tau_mem", "tau_syn", "resistance", "tau_adaptation")
FLOORS: Mapping[str, float] = {
    "tau_mem": 3.0, "tau_syn": 1.0, "refractory": 0.0, "delays": 0.0, "adaptation": 0.0,
    "tau_adaptation": 1.0,
}  # fmt: skip
# What bip calls all parameters of linear neurons that have no group by their name.
NEURON = "neuron"
MARGIN = 0.05  # between a value and an open end of its domain


class Coordinate(NamedTuple):
    """Training of a parameter: group of its rate, whether as a logarithm, floor, and unit."""

    group: str
    logarithmic: bool
    floor: float
    unit: float = 1.0  # of the rate, where not as a logarithm


def coordinate_of(net: Network, key: str) -> Coordinate:
    """The coordinate of a network's parameter; that of linear neurons follows their domains."""
    part, _, kind = key.rpartition(".")
    if kind in GROUP_OF:
        return Coordinate(GROUP_OF[kind], kind in LOGARITHMIC, FLOORS.get(kind, -math.inf))
    neuron = net.populations[part].neuron
    assert neuron is not None  # others have the kinds above
    domain = neuron.domain(kind)
    floor = domain.floor if domain.floor is not None else domain.least
    if floor is None:
        open_end = domain.above is not None and not domain.logarithmic
        floor = domain.above + MARGIN if open_end and domain.above is not None else -math.inf
    group, unit = ("taus", 1.0) if domain.logarithmic else ("intrinsic", domain.unit)
    return Coordinate(group, domain.logarithmic, floor, unit)


def select(net: Network, names: Iterable[str]) -> list[str]:
    """Keys of ``net.parameters()`` that a choice of names means.

    Parameters
    ----------
    net
        The network.
    names
        Kinds (``"weights"``, ``"delays"``, ``"tau_mem"``, .. of all populations) or whole keys
        (``"hidden1.tau_mem"``). Delays of neurons onto themselves are chosen by their key alone:
        a layer in which they differ from 0 takes many times as long. The bias of a decision goes
        with the weights. A kind of spiking neurons, such as ``"threshold"``, means nothing where
        there are none: a linear model trains by the settings of other networks. ``"adaptation"``
        and ``"tau_adaptation"`` mean nothing where no threshold is adaptive. ``"tau_syn"`` means
        those of all receptors. ``"neuron"`` means the further parameters of linear neurons, such
        as ``a`` and ``tau_w`` of AdLIF, and nothing where there are none.

    Raises
    ------
    ParameterError
        If a name means nothing in this network.
    """
    keys = list(net.parameters())
    chosen = set()
    for name in names:
        found = [
            key
            for key in keys
            if key == name or (_means(net, name, key) and not _own_delay(net, key))
        ]
        absent = name in (*ADAPTIVE, NEURON)
        absent |= name in GROUP_OF and (bool(net.linear) or not net.spiking)
        if not found and not absent:
            raise ParameterError(
                "select",
                f"{name!r} is no parameter of this network",
                f"one of {list(GROUP_OF)} or a key such as {keys[0]!r}",
            )
        chosen.update(found)
    return [key for key in keys if key in chosen]


def _means(net: Network, name: str, key: str) -> bool:
    """Whether a kind means this parameter."""
    if key.rpartition(".")[0] in net.linear:
        if name == NEURON:
            return kind_of(key) not in GROUP_OF and not kind_of(key).startswith("tau_syn_")
        if name == "tau_syn" and kind_of(key).startswith("tau_syn_"):
            return True
    return kind_of(key) == name or (name == "weights" and kind_of(key) == "bias")


def _own_delay(net: Network, key: str) -> bool:
    """Whether the key is that of the delays of self-connections."""
    return key in [f"{projection.name}.delays" for projection in net.recurrences.values()]
