"""Networks as PyTorch modules, with the exact adjoint behind autograd (extra ``torch``).

>>> module = torch_module(net, time_constant=100.0)  # extra torch  # doctest: +SKIP
>>> optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)  # extra torch  # doctest: +SKIP
>>> logits = module(stream).readout  # extra torch  # doctest: +SKIP
>>> torch.nn.functional.cross_entropy(logits, labels).backward()  # extra torch  # doctest: +SKIP

The forward pass is :func:`eventsim.simulate`. Its results are tensors: integrals of readouts and
times of spikes. The backward pass is :func:`eventsim.backward`. It gives gradients by the
parameters and by the input times, which are exact for any loss of these tensors. PyTorch passes
them on to the operations that made the input times or the parameters.

For a ``torch.utils.data.DataLoader`` items are ``(stream[i : i + 1], label)``, and ``collate_fn``
joins them by :func:`eventsim.concatenate`.

Nothing here is imported before it is used: ``import eventsim.bridge`` works without PyTorch.
"""

from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from eventsim.arrays import Precision
from eventsim.errors import BackendError, ParameterError
from eventsim.extras import load
from eventsim.network import Network

if TYPE_CHECKING:
    from eventsim.bridge.module import EventModule

TRAINED = ("weights", "tau_mem", "tau_syn", "resistance", "threshold")


def torch_module(
    net: Network,
    *,
    trained: Iterable[str] = TRAINED,
    time_constant: float = np.inf,
    backend: str = "auto",
    precision: Precision = "double",
) -> "EventModule":
    """A ``torch.nn.Module`` around a copy of a network.

    Parameters
    ----------
    net
        Not changed.
    trained
        Parameters with ``requires_grad``: kinds (``"weights"``, ``"delays"``, ``"tau_mem"``, ...),
        or single ones by their names in ``net.parameters()``. The others are parameters of the
        module too, so that ``state_dict`` is complete.
    time_constant
        ms; readouts are integrated with the weight ``exp(-t / time_constant)``, see
        :func:`eventsim.readout_integral`.
    backend, precision
        As in :func:`eventsim.simulate`. With a GPU the parameters are in its memory.

    Returns
    -------
    EventModule

    Raises
    ------
    BackendError
        PyTorch is missing.
    ParameterError
        ``net`` is no network, ``trained`` is a single string, or ``time_constant`` is no number
        > 0.
    NetworkError
        ``trained`` names something that the network lacks, or some of its values are shared.
    """
    require_torch("torch_module")
    if not isinstance(net, Network):
        raise ParameterError(
            "torch_module",
            f"the network is of type {type(net).__name__}",
            "an eventsim.Network, such as eventsim.scsr(...) makes",
        )
    if isinstance(trained, str):
        raise ParameterError("torch_module", f"trained is {trained!r}", f"({trained!r},)")
    given: Any = time_constant
    if not (isinstance(given, Real) and float(given) > 0):
        raise ParameterError(
            "torch_module",
            f"time_constant is {given!r}",
            "a number > 0 (ms), which may be infinite; a tensor's is tensor.item()",
        )
    from eventsim.bridge.module import EventModule

    return EventModule(
        net,
        trained=tuple(trained),
        time_constant=time_constant,
        backend=backend,
        precision=precision,
    )


def require_torch(who: str) -> Any:
    """The module ``torch``; BackendError, which names ``who``, where it is missing."""
    return load("torch", "torch", who, BackendError)


__all__ = ["TRAINED", "torch_module"]
