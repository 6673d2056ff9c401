"""Groups of parameters that share a learning rate, and the choice of what is trained."""

from collections.abc import Iterable

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
        and ``"tau_adaptation"`` mean nothing where no threshold is adaptive.

    Raises
    ------
    ParameterError
        If a name means nothing in this network.
    """
    keys = list(net.parameters())
    chosen = set()
    for name in names:
        found = [
            key for key in keys if key == name or (_means(name, key) and not _own_delay(net, key))
        ]
        absent = name in ADAPTIVE or (name in GROUP_OF and not net.spiking)
        if not found and not absent:
            raise ParameterError(
                f"select: {name!r} is no parameter of this network, expected one of "
                f"{list(GROUP_OF)} or a key such as {keys[0]!r}."
            )
        chosen.update(found)
    return [key for key in keys if key in chosen]


def _means(name: str, key: str) -> bool:
    """Whether a kind means this parameter."""
    return kind_of(key) == name or (name == "weights" and kind_of(key) == "bias")


def _own_delay(net: Network, key: str) -> bool:
    """Whether the key is that of the delays of self-connections."""
    return key in [f"{projection.name}.delays" for projection in net.recurrences.values()]
