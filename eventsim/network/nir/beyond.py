"""Parts of a network that NIR lacks: decision, shared values, answer, type of weights.

They stand in the metadata of the graph. Where nodes were changed since, these win: values that were
shared and are not equal any more stay as they are.
"""

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from eventsim.arrays import Ints
from eventsim.checks import whole_array
from eventsim.entries import parse_json, read, shown
from eventsim.errors import NetworkError
from eventsim.network.answer import Answer
from eventsim.network.network import Network
from eventsim.network.nir.package import NirWarning
from eventsim.network.projection import value_type
from eventsim.network.sharing import Sharing

DECISION, SHARED, ANSWER = "eventsim_decision", "eventsim_shared", "eventsim_answer"
TYPES = "weight_dtype", "delay_dtype"  # behind eventsim_ the keys of those that are not float64
ROUNDING = 1e-9  # relative, of weights that went into the units of another program and back


def beyond_graph(net: Network) -> dict[str, Any]:
    """Metadata of all that has no node."""
    found: dict[str, Any] = {}
    if net.decision is not None:
        found[DECISION] = net.decision.readout
        found |= {f"{DECISION}_weights": net.decision.weights.copy()}
        found |= {f"{DECISION}_bias": net.decision.bias.copy()}
    if net.shared:
        found[SHARED] = json.dumps(list(net.shared))
        for number, sharing in enumerate(net.shared.values()):
            # HDF5 compresses no scalars.
            groups = sharing.groups
            found[f"{SHARED}_{number}"] = groups.copy() if groups.ndim else int(groups)
    if net.answer is not None:
        found[ANSWER] = json.dumps(net.answer.to_dict())
    given = {f"eventsim_{key}": getattr(net, key) for key in TYPES}
    return found | {key: one.name for key, one in given.items() if one != np.float64}


def begin_beyond(metadata: Mapping[str, Any]) -> Network:
    """The network without populations, of which :func:`beyond_graph` wrote; see the next.

    Raises ParameterError for values of a type that there is not.
    """
    types = {}
    for name in TYPES:
        key = f"eventsim_{name}"
        given = str(metadata.get(key, "float64"))
        types[name] = value_type(given, f"from_nir: {key} in the metadata", name)
    return Network(weight_dtype=types["weight_dtype"], delay_dtype=types["delay_dtype"])


def restore_beyond(net: Network, metadata: Mapping[str, Any]) -> None:
    """Give a network what :func:`beyond_graph` wrote of it.

    An error says where the metadata is damaged or does not fit the network; a NirWarning, that
    values that were shared are not equal any more.
    """
    if DECISION in metadata:
        weights, bias = (metadata.get(f"{DECISION}_{part}") for part in ("weights", "bias"))
        if weights is None or bias is None:
            raise NetworkError(
                "from_nir",
                f"the metadata has {DECISION} without its weights or bias",
                remedy="Write the file again, or remove all of its keys.",
            )
        net.decide(str(metadata[DECISION]), weights, bias=bias)
    if SHARED in metadata:
        _restore_sharing(net, metadata)
    if ANSWER in metadata:
        place = f"from_nir: {ANSWER} in the metadata"
        said = parse_json(str(metadata[ANSWER]), place, NetworkError)
        net.set_answer(read(Answer, said, place, NetworkError))


def _restore_sharing(net: Network, metadata: Mapping[str, Any]) -> None:
    place = f"from_nir: {SHARED} in the metadata"
    keys = parse_json(str(metadata[SHARED]), place, NetworkError)
    if not isinstance(keys, list):
        raise NetworkError(place, f"is {shown(keys)}", "a list of parameters")
    changed = []
    for number, key in enumerate(keys):
        name = f"{SHARED}_{number}"
        if name not in metadata:
            raise NetworkError(place, f"names {shown(key)}", f"{name} beside it")
        if not _shared(net, str(key), whole_array(metadata[name], f"from_nir: {name}")):
            changed.append(str(key))
    if changed:
        warnings.warn(
            f"from_nir: values of {', '.join(changed)} were shared, and nodes were changed since: "
            "they are not equal any more, and stand alone now.",
            NirWarning,
            stacklevel=4,
        )


def _shared(net: Network, key: str, groups: Ints) -> bool:
    """Whether the values of a parameter could be shared again."""
    values = net.parameters().get(key)
    if values is None or values.shape != groups.shape:
        return False
    sharing = Sharing(groups)
    least, most = (sharing.spread(values, how) for how in ("least", "largest"))
    if (most - least > ROUNDING * np.abs(values).max(initial=0.0)).any():
        return False
    values[...] = least
    net.share(key, groups)
    return True
