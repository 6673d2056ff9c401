"""Number of trained values of a network."""

from eventsim.network import Network
from eventsim.train.config import TrainConfig
from eventsim.train.groups import select


def count_trained(net: Network, config: TrainConfig) -> int:
    """Numbers that training moves: weights, BIP, delays, and what a local rule tunes."""
    local = [
        f"{population}.{name}"
        for population in net.spiking
        if population != config.output
        for name in config.spikl.tuned
    ]
    sizes = distinct_values(net)
    return sum(sizes[key] for key in select(net, (*config.trained(), *local)))


def distinct_values(net: Network) -> dict[str, int]:
    """Values of every parameter, those that are one counted once."""
    sizes = {key: values.size for key, values in net.parameters().items()}
    return sizes | {key: sharing.n_values for key, sharing in net.shared.items()}
