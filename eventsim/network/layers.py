"""What the builders share: populations in a row, from the input to the output."""

from collections.abc import Sequence
from typing import Literal

from numpy.typing import ArrayLike

from eventsim.errors import NetworkError
from eventsim.network.network import Network

Output = Literal["readout", "spiking"]


def stack(
    builder: str,
    sizes: tuple[int, Sequence[int], int],
    *,
    output: Output,
    tau_mem: ArrayLike,
    tau_syn: ArrayLike,
    refractory: ArrayLike,
) -> Network:
    """Populations ``input``, ``hidden1`` .. and ``output``, without connections.

    Parameters
    ----------
    builder
        Who asks, for errors.
    sizes
        Of the input, of every hidden population, of the output.
    output, tau_mem, tau_syn, refractory
        As :func:`eventsim.scsr`.
    """
    n_inputs, hidden, n_outputs = sizes
    if not hidden:
        raise NetworkError(f"{builder}: hidden is empty, expected at least one hidden size.")
    net = Network()
    net.add_input("input", n_inputs)
    for k, size in enumerate(hidden, start=1):
        net.add_population(
            f"hidden{k}", size, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory
        )
    if output == "readout":
        net.add_readout("output", n_outputs, tau_mem=tau_mem, tau_syn=tau_syn)
    else:
        net.add_population(
            "output", n_outputs, tau_mem=tau_mem, tau_syn=tau_syn, refractory=refractory
        )
    return net
